"""Lightning: Trainer(callbacks=[ExperimentsCallback()]) reports and stops; Trainer(logger=ExperimentsLogger()) reports"""

from argparse import Namespace
from typing import Any, Dict, Optional, Union

try:
    from lightning.pytorch import Callback, LightningModule, Trainer
    from lightning.pytorch.loggers import Logger
    from lightning.pytorch.utilities import rank_zero_only
except ModuleNotFoundError:  # the package's other name
    from pytorch_lightning import Callback, LightningModule, Trainer  # type: ignore[no-redef, assignment]
    from pytorch_lightning.loggers import Logger  # type: ignore[no-redef, assignment]
    from pytorch_lightning.utilities import rank_zero_only  # type: ignore[no-redef, assignment]

import experiments


class ExperimentsLogger(Logger):
    """Reports what the module logs, under its names, by epoch and step, the hyperparameters, and checkpoints. A logger does
    not know its trainer: use ExperimentsCallback as well, or instead, for stops."""

    def __init__(self, epochs: Optional[int] = None) -> None:
        super().__init__()
        self.epochs = epochs

    # Parts of the directory for checkpoints, when it is the only logger: they stay where they are without one.
    name = version = ""

    @rank_zero_only
    def log_metrics(self, metrics: Dict[str, float], step: Optional[int] = None) -> None:
        metrics = dict(metrics)
        experiments.report(epoch=metrics.pop("epoch", None), step=step, epochs=self.epochs, metrics=metrics)

    @rank_zero_only
    def log_hyperparams(self, params: Union[Dict[str, Any], Namespace], *args: Any, **kwargs: Any) -> None:
        values = vars(params) if isinstance(params, Namespace) else params
        experiments.parameters({name: value if isinstance(value, (bool, int, float, str, type(None))) else str(value)
                                for name, value in values.items()})

    @rank_zero_only
    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        # The best is not always the one just written, but that has no public name.
        path = getattr(checkpoint_callback, "_last_checkpoint_saved", "") or checkpoint_callback.best_model_path
        if path:
            experiments.report(checkpoint=str(path))


class ExperimentsCallback(Callback):
    """Adds an ExperimentsLogger to the trainer's loggers; a stop request ends the training after the batch that runs."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        epochs = trainer.max_epochs if (trainer.max_epochs or 0) > 0 else None
        loggers = [logger for logger in trainer.loggers if isinstance(logger, ExperimentsLogger)]
        if not loggers:
            loggers = [ExperimentsLogger()]
            trainer.loggers = [*trainer.loggers, *loggers]
        for logger in loggers:
            logger.epochs = epochs

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any,
                           batch_idx: int) -> None:
        # All ranks have to agree, which costs them a message: not after every batch.
        if trainer.world_size == 1 or (batch_idx + 1) % (trainer.log_every_n_steps or 50) == 0:
            self._stop(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._stop(trainer)

    @staticmethod
    def _stop(trainer: Trainer) -> None:
        if trainer.strategy.reduce_boolean_decision(experiments.should_stop(), all=False):
            trainer.should_stop = True
