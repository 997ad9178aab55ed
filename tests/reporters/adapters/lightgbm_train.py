import lightgbm
from sklearn.datasets import load_breast_cancer

from experiments.lightgbm import ExperimentsCallback
from told import EPOCHS, tell

x, y = load_breast_cancer(return_X_y=True)
train = lightgbm.Dataset(x[:400], y[:400])
valid = lightgbm.Dataset(x[400:], y[400:], reference=train)
history = {}
settings = {"objective": "binary", "metric": ["binary_logloss", "auc"], "num_threads": 1, "verbosity": -1}
booster = lightgbm.train(settings, train, EPOCHS, valid_sets=[train, valid], valid_names=["training", "valid"],
                         callbacks=[ExperimentsCallback(), lightgbm.record_evaluation(history)])
tell("step", {f"{data}'s {name}": enumerate(values, 1)
              for data, metrics in history.items() for name, values in metrics.items()},
     step=booster.current_iteration())
