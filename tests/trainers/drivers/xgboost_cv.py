"""xgboost.cv: each value is `mean+std`; the curve is the mean."""

import xgboost
from sklearn.datasets import load_diabetes

from truth import Truth

truth = Truth("xgboost-cpu")
history = xgboost.cv({"max_depth": 3, "nthread": 1}, xgboost.DMatrix(*load_diabetes(return_X_y=True)), 8, nfold=3,
                     metrics="rmse", verbose_eval=True, show_stdv=True, as_pandas=False)
truth.source("stdout.log", "step", {"train-rmse": enumerate(history["train-rmse-mean"]),
                                    "test-rmse": enumerate(history["test-rmse-mean"])}, digits="%.5f")
truth.write()
