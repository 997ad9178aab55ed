"""Keras on JAX with verbose=2: a line an epoch; its number is on the line before."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import keras
from sklearn.datasets import load_diabetes

from truth import Truth

truth = Truth("keras")
x, y = load_diabetes(return_X_y=True)
keras.utils.set_random_seed(1)
model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(1)])
model.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
history = model.fit(x, y / 300, epochs=6, batch_size=64, validation_split=0.2, verbose=2,
                    callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch: 0.01 * 0.8 ** epoch)]).history
truth.source("stdout.log", "epoch", {name: enumerate(values, 1) for name, values in history.items()}, digits="%.4f")
truth.write()
