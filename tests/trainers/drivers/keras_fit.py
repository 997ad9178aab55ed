"""Keras on JAX: CSVLogger beside the console's bars (verbose=1), redrawn with backspaces."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import keras
from sklearn.datasets import load_digits

from truth import Truth

truth = Truth("keras")
x, y = load_digits(return_X_y=True)
keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(10, "softmax")])
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
history = model.fit(x / 16, y, epochs=5, batch_size=64, validation_split=0.2, verbose=1,
                    callbacks=[keras.callbacks.CSVLogger(truth.dir / "training.log")]).history
truth.source("training.log", "epoch", {name: enumerate(values) for name, values in history.items()})
truth.source("stdout.log", "epoch", {name: enumerate(values, 1) for name, values in history.items()}, digits="%.4f")
truth.write()
