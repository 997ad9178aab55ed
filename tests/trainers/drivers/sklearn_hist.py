"""HistGradientBoostingClassifier(verbose=2): losses of training and validation in one line."""

from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier

from truth import Truth

truth = Truth("scikit-learn")
x, y = load_digits(return_X_y=True)
model = HistGradientBoostingClassifier(max_iter=6, verbose=2, early_stopping=True, scoring="loss", random_state=0)
model.fit(x, y)
# The scores are losses with the sign turned; the first is that before any iteration.
truth.source("stdout.log", "step", {"train loss": enumerate(-model.train_score_[1:], 1),
                                    "val loss": enumerate(-model.validation_score_[1:], 1)}, digits="%.5f")
truth.write()
