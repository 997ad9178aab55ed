"""Two workers, of which the first hears of the stop: the other must not wait for it."""

import os
import subprocess
import sys

import xgboost
from sklearn.datasets import load_breast_cancer
from xgboost.tracker import RabitTracker

from experiments.xgboost import ExperimentsCallback
from told import EPOCHS, IS_FIRST, tell

if IS_FIRST:
    tracker = RabitTracker(n_workers=2, host_ip="127.0.0.1")
    tracker.start()
    other = subprocess.Popen([sys.executable, __file__, str(tracker.worker_args()["dmlc_tracker_port"])],
                             env={**os.environ, "RANK": "1"})
port = tracker.worker_args()["dmlc_tracker_port"] if IS_FIRST else int(sys.argv[1])
# Ranks follow the task IDs.
with xgboost.collective.CommunicatorContext(dmlc_communicator="rabit", dmlc_tracker_uri="127.0.0.1", dmlc_tracker_port=port,
                                            dmlc_task_id=os.environ.get("RANK", "0")):
    part = slice(xgboost.collective.get_rank(), None, 2)
    x, y = (array[part] for array in load_breast_cancer(return_X_y=True))
    train, history = xgboost.DMatrix(x, y), {}
    xgboost.train({"objective": "binary:logistic", "nthread": 1, "tree_method": "hist"}, train, EPOCHS,
                  evals=[(train, "train")], verbose_eval=False, evals_result=history, callbacks=[ExperimentsCallback()])
if IS_FIRST:
    assert other.wait() == 0
tell("step", {"train-logloss": enumerate(history["train"]["logloss"])})
