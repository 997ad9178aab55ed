"""xgboost.train with two evaluation sets: `[0]<tab>train-logloss:0.5…`."""

import xgboost
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from truth import Truth

truth = Truth("xgboost-cpu")
xt, xv, yt, yv = train_test_split(*load_breast_cancer(return_X_y=True), random_state=0)
train, valid = xgboost.DMatrix(xt, yt), xgboost.DMatrix(xv, yv)
history = {}
xgboost.train({"objective": "binary:logistic", "eval_metric": ["logloss", "auc"], "nthread": 1}, train, 12,
              evals=[(train, "train"), (valid, "eval")], early_stopping_rounds=5, evals_result=history)
truth.source("stdout.log", "step", {f"{part}-{name}": enumerate(values) for part, metrics in history.items()
                                    for name, values in metrics.items()}, digits="%.5f")
truth.write()
