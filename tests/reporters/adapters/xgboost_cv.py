import xgboost
from sklearn.datasets import load_breast_cancer

from experiments.xgboost import ExperimentsCallback
from told import EPOCHS, tell

x, y = load_breast_cancer(return_X_y=True)
history = xgboost.cv({"objective": "binary:logistic", "eval_metric": "logloss", "nthread": 1}, xgboost.DMatrix(x, y), EPOCHS,
                     nfold=3, as_pandas=False, callbacks=[ExperimentsCallback()])
tell("step", {name: enumerate(values) for name, values in history.items()})
