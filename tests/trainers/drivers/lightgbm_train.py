"""lightgbm.train with log_evaluation and early stopping, which repeats the best iteration's line."""

import lightgbm
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from truth import Truth

truth = Truth("lightgbm")
xt, xv, yt, yv = train_test_split(*load_breast_cancer(return_X_y=True), random_state=0)
train = lightgbm.Dataset(xt, yt)
valid = lightgbm.Dataset(xv, yv, reference=train)
history = {}
lightgbm.train({"objective": "binary", "metric": ["binary_logloss", "auc"], "learning_rate": 0.9, "num_threads": 1}, train, 15,
               valid_sets=[train, valid], valid_names=["training", "valid"],
               callbacks=[lightgbm.log_evaluation(1), lightgbm.early_stopping(3), lightgbm.record_evaluation(history)])
truth.source("stdout.log", "step", {f"{part}'s {name}": enumerate(values, 1) for part, metrics in history.items()
                                    for name, values in metrics.items()}, digits="%g")
truth.write()
