"""fastai: Learner(..., cbs=ExperimentsCallback()) or learner.fit(5, cbs=ExperimentsCallback())"""

import os
from typing import Optional

from fastai.callback.core import Callback, CancelFitException, CancelTrainException
from fastai.callback.tracker import SaveModelCallback
from fastai.torch_core import num_distrib

import experiments
from experiments._torch import stop_is_requested


class ExperimentsCallback(Callback):
    """Reports what the recorder has of each epoch, counted from 0 as fastai does, and what SaveModelCallback saves. A stop
    request ends the training of the epoch that runs; it is validated, and saved, as any other."""

    order = SaveModelCallback.order + 4  # which has saved, as have those that come right after it
    remove_on_fetch = _only_train_loop = True

    def before_fit(self) -> None:
        self._checkpoint = None
        self.run = not hasattr(self.learn, "lr_finder") and not hasattr(self, "gather_preds")

    def after_batch(self) -> None:
        # Several processes have to agree: they do once an epoch.
        if self.training and num_distrib() <= 1 and experiments.should_stop():
            raise CancelTrainException

    def after_epoch(self) -> None:
        recorder = self.learn.recorder
        # Of training that was cut short the recorder keeps no value, not even an empty one.
        names = [name for name in recorder.metric_names[1:]
                 if name != "time" and not (recorder.cancel_train and name.startswith("train_"))]
        experiments.report(epoch=self.epoch, step=self.train_iter, epochs=self.n_epoch,
                           metrics=dict(zip(names, recorder.values[-1])), checkpoint=self._new_checkpoint())
        if stop_is_requested():
            raise CancelFitException

    def _new_checkpoint(self) -> Optional[str]:
        """The best model is saved under one name again and again."""
        saver = getattr(self.learn, "save_model", None)
        path, is_best = getattr(saver, "last_saved_path", None), getattr(saver, "new_best", False)
        is_new = path is not None and (is_best or path != self._checkpoint)
        self._checkpoint = path
        return os.path.abspath(path) if is_new else None
