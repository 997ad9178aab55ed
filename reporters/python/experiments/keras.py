"""Keras: model.fit(..., callbacks=[ExperimentsCallback()])"""

from typing import Any, Dict, Optional

import keras

import experiments


class ExperimentsCallback(keras.callbacks.Callback):
    """Reports the logs of each epoch, counted from 0 as Keras does; a stop request ends the epoch that runs."""

    def on_train_batch_end(self, batch: int, logs: Optional[Dict[str, Any]] = None) -> None:
        # Assigned only when it is so: with JAX, looking at self.model fetches its state from the device.
        if experiments.should_stop():
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Optional[Dict[str, Any]] = None) -> None:
        experiments.report(epoch=epoch, epochs=self.params.get("epochs"), metrics=logs or {})
        self.on_train_batch_end(epoch)
