from tensorflow import keras

model = keras.Sequential([keras.layers.Dense(64, activation="relu"), keras.layers.Dropout(0.5)])
model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.001), loss="mse", metrics=["accuracy"])
history = model.fit(x, y, epochs=10, batch_size=32, validation_split=0.2, verbose=1)
assert history.history["val_loss"][-1] < 0.25
loss, accuracy = model.evaluate(x_test, y_test)  # loss: 0.2431 - accuracy: 0.9312
