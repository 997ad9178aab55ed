"""lightgbm.cv: each value is `mean + std`; the curve is the mean."""

import lightgbm
from sklearn.datasets import load_diabetes

from truth import Truth

truth = Truth("lightgbm")
history = lightgbm.cv({"objective": "regression", "metric": "l2", "num_threads": 1},
                      lightgbm.Dataset(*load_diabetes(return_X_y=True)), 8, nfold=3, stratified=False,
                      eval_train_metric=True, callbacks=[lightgbm.log_evaluation(1, show_stdv=True)])
truth.source("stdout.log", "step", {"train's l2": enumerate(history["train l2-mean"], 1),
                                    "valid's l2": enumerate(history["valid l2-mean"], 1)}, digits="%g")
truth.write()
