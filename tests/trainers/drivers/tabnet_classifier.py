"""pytorch-tabnet: `epoch 0  | loss: 0.6 | valid_auc: 0.9 |  0:00:00s`."""

import warnings

warnings.filterwarnings("ignore")

from pytorch_tabnet.tab_model import TabNetClassifier
from sklearn.datasets import load_breast_cancer

from truth import Truth

truth = Truth("pytorch-tabnet")
x, y = load_breast_cancer(return_X_y=True)
model = TabNetClassifier(seed=0, device_name="cpu", n_d=4, n_a=4)
model.fit(x[:400], y[:400], eval_set=[(x[400:], y[400:])], eval_name=["valid"], eval_metric=["auc", "logloss"],
          max_epochs=6, patience=10, batch_size=128, virtual_batch_size=64)
truth.source("stdout.log", "epoch", {name: enumerate(model.history[name]) for name in ("loss", "valid_auc", "valid_logloss")},
             digits="%.5f")
truth.write()
