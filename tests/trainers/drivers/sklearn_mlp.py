"""MLPClassifier(verbose=True): the loss on one line, the validation score on the next."""

from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from truth import Truth

truth = Truth("scikit-learn")
x, y = load_digits(return_X_y=True)
model = MLPClassifier(hidden_layer_sizes=(32,), max_iter=8, verbose=True, early_stopping=True, random_state=0)
model.fit(x / 16, y)
truth.source("stdout.log", "step", {"loss": enumerate(model.loss_curve_, 1),
                                    "Validation score": enumerate(model.validation_scores_, 1)},
             digits={"": "%.8f", "Validation score": "%.6f"})
truth.write()
