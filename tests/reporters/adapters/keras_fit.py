import os

os.environ["KERAS_BACKEND"] = "jax"

import keras
from sklearn.datasets import load_digits

from experiments.keras import ExperimentsCallback
from told import EPOCHS, tell

x, y = load_digits(return_X_y=True)
model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(10, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x[:600] / 16, y[:600], epochs=EPOCHS, validation_split=0.2, verbose=0, callbacks=[ExperimentsCallback()])
tell("epoch", {name: zip(history.epoch, values) for name, values in history.history.items()},
     n_batches=int(model.optimizer.iterations), epoch=history.epoch[-1], totalEpochs=EPOCHS)
