"""GradientBoostingClassifier(verbose=2): a table with one row a tree."""

from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import GradientBoostingClassifier

from truth import Truth

truth = Truth("scikit-learn")
x, y = load_breast_cancer(return_X_y=True)
model = GradientBoostingClassifier(n_estimators=8, subsample=0.8, verbose=2, random_state=0).fit(x, y)
truth.source("stdout.log", "step", {"Train Loss": enumerate(model.train_score_, 1),
                                    "OOB Improve": enumerate(model.oob_improvement_, 1)}, digits="%.4f")
truth.write()
