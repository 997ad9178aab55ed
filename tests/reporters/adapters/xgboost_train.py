import xgboost
from sklearn.datasets import load_breast_cancer

from experiments.xgboost import ExperimentsCallback
from told import EPOCHS, tell

x, y = load_breast_cancer(return_X_y=True)
train, valid = xgboost.DMatrix(x[:400], y[:400]), xgboost.DMatrix(x[400:], y[400:])
history = {}
booster = xgboost.train({"objective": "binary:logistic", "eval_metric": ["logloss", "auc"], "nthread": 1}, train, EPOCHS,
                        evals=[(train, "train"), (valid, "valid")], verbose_eval=False, evals_result=history,
                        callbacks=[ExperimentsCallback()])
tell("step", {f"{data}-{name}": enumerate(values) for data, metrics in history.items() for name, values in metrics.items()},
     step=booster.num_boosted_rounds() - 1)
