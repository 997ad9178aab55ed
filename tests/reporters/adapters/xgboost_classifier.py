import xgboost
from sklearn.datasets import load_breast_cancer

from experiments.xgboost import ExperimentsCallback
from told import EPOCHS, tell

x, y = load_breast_cancer(return_X_y=True)
model = xgboost.XGBClassifier(n_estimators=EPOCHS, eval_metric="logloss", n_jobs=1, callbacks=[ExperimentsCallback()])
model.fit(x[:400], y[:400], eval_set=[(x[400:], y[400:])], verbose=False)
tell("step", {"validation_0-logloss": enumerate(model.evals_result()["validation_0"]["logloss"])})
