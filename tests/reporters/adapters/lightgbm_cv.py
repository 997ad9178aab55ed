import lightgbm
from sklearn.datasets import load_breast_cancer

from experiments.lightgbm import ExperimentsCallback
from told import EPOCHS, tell

data = lightgbm.Dataset(*load_breast_cancer(return_X_y=True))
history = lightgbm.cv({"objective": "binary", "num_threads": 1, "verbosity": -1}, data, EPOCHS, nfold=3,
                      callbacks=[ExperimentsCallback()])
tell("step", {name: enumerate(values, 1) for name, values in history.items()})
