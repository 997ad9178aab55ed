"""SGDRegressor(verbose=1): `-- Epoch n`, then norm, bias and losses on one line.

The API does not return them. The same steps, one sample at a time through partial_fit, tell them."""

from sklearn.datasets import load_diabetes
from sklearn.linear_model import SGDRegressor
from sklearn.preprocessing import StandardScaler

from truth import Truth

EPOCHS = 5
truth = Truth("scikit-learn")
x, y = load_diabetes(return_X_y=True)
x, y = StandardScaler().fit_transform(x), (y - y.mean()) / y.std()
SGDRegressor(max_iter=EPOCHS, tol=None, verbose=1, shuffle=False).fit(x, y)

model = SGDRegressor(shuffle=False)
model.partial_fit(x[:1], y[:1])
model.coef_[:], model.intercept_[:], model.t_ = 0, 0, 1
curves = {"Norm": [], "Bias": [], "Avg. loss": [], "Objective": []}
for epoch in range(1, EPOCHS + 1):
    loss = penalty = 0
    for sample in range(len(x)):
        penalty += model.alpha * (model.coef_ ** 2).sum() / 2
        loss += (model.predict(x[sample:sample + 1])[0] - y[sample]) ** 2 / 2
        model.partial_fit(x[sample:sample + 1], y[sample:sample + 1])
    for name, value in zip(curves, ((model.coef_ ** 2).sum() ** 0.5, model.intercept_[0], loss / len(x),
                                       (loss + penalty) / len(x))):
        curves[name].append((epoch, value))
truth.source("stdout.log", "epoch", curves, digits={"": "%.6f", "Norm": "%.2f"}, optional=["Norm", "Bias", "NNZs"])
truth.write()
