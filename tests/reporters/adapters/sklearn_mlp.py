from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from experiments.sklearn import partial_fit
from told import EPOCHS, tell

x, y = load_digits(return_X_y=True)
model, scores = MLPClassifier((16,), random_state=0), []


def training_score(model):
    scores.append((model.score(x[:600], y[:600]), model.score(x[600:900], y[600:900])))
    return {"training_score": scores[-1][0]}


partial_fit(model, x[:600], y[:600], epochs=EPOCHS, validation=(x[600:900], y[600:900]), metrics=training_score)
training, validation = zip(*scores)
tell("epoch", {"loss": enumerate(model.loss_curve_, 1), "training_score": enumerate(training, 1),
               "validation_score": enumerate(validation, 1)}, epoch=len(scores), totalEpochs=EPOCHS)
