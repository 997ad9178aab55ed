"""The round in which LightGBM's own early stopping ends the training is reported, too."""

import lightgbm
from sklearn.datasets import load_breast_cancer

from experiments.lightgbm import ExperimentsCallback
from told import EPOCHS, tell

x, y = load_breast_cancer(return_X_y=True)
train = lightgbm.Dataset(x[:400], y[:400])
valid = lightgbm.Dataset(x[400:], y[400:], reference=train)
history = {}
# A gain that nothing reaches: no later round is better than the first.
callbacks = [lightgbm.early_stopping(EPOCHS - 2, min_delta=9.0, verbose=False), ExperimentsCallback(),
             lightgbm.record_evaluation(history)]
lightgbm.train({"objective": "binary", "num_threads": 1, "verbosity": -1}, train, EPOCHS, valid_sets=[valid],
               callbacks=callbacks)
values = history["valid_0"]["binary_logloss"]
assert len(values) < EPOCHS
tell("step", {"valid_0's binary_logloss": enumerate(values, 1)})
