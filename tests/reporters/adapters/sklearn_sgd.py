"""A regressor, which has no classes and keeps no loss."""

from sklearn.datasets import load_diabetes
from sklearn.linear_model import SGDRegressor

from experiments.sklearn import partial_fit
from told import EPOCHS, tell

x, y = load_diabetes(return_X_y=True)
model = partial_fit(SGDRegressor(random_state=0), x[:300], y[:300], epochs=EPOCHS, validation=(x[300:], y[300:]))
again = SGDRegressor(random_state=0)
scores = [again.partial_fit(x[:300], y[:300]).score(x[300:], y[300:]) for _ in range(int(model.t_ - 1) // 300)]
tell("epoch", {"validation_score": enumerate(scores, 1)}, totalEpochs=EPOCHS)
