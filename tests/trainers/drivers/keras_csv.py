"""Keras' CSVLogger alone, with `;`, and validation only every second epoch (NA in between)."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import keras
from sklearn.datasets import load_digits

from truth import Truth

truth = Truth("keras")
x, y = load_digits(return_X_y=True)
keras.utils.set_random_seed(2)
model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(10, "softmax")])
model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x[:1500] / 16, y[:1500], epochs=6, validation_data=(x[1500:] / 16, y[1500:]), validation_freq=2,
                    verbose=0, callbacks=[keras.callbacks.CSVLogger(truth.dir / "log.csv", separator=";")]).history
truth.source("log.csv", "epoch", {name: [(index * 2 + 1 if name.startswith("val_") else index, value)
                                         for index, value in enumerate(values)] for name, values in history.items()})
truth.write()
