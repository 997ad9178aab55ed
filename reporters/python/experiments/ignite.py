"""ignite: a logger as ignite's own ones are

    logger = ExperimentsLogger(trainer)
    logger.attach_output_handler(evaluator, Events.COMPLETED, tag="val", metric_names="all")
"""

import os
from typing import Any, Callable, Optional

import ignite.distributed as idist
from ignite.engine import Engine, Events
from ignite.handlers.base_logger import BaseLogger, BaseOptimizerParamsHandler, BaseOutputHandler

import experiments


def _stop_is_requested() -> bool:
    """A stop of one process is a stop of all: those that went on would wait for it for ever."""
    stop = experiments.should_stop()
    return bool(idist.all_reduce(int(stop), "MAX")) if idist.get_world_size() > 1 else stop


class OutputHandler(BaseOutputHandler):
    """The metrics and outputs of an engine, as tag/name."""

    def __call__(self, engine: Engine, logger: "ExperimentsLogger", event_name: Any) -> None:
        logger.report(self._setup_output_metrics_state_attrs(engine, key_tuple=False))


class OptimizerParamsHandler(BaseOptimizerParamsHandler):
    """A parameter of each group of an optimizer, as tag/lr/group_0."""

    def __call__(self, engine: Engine, logger: "ExperimentsLogger", event_name: Any) -> None:
        prefix = f"{self.tag}/" if self.tag else ""
        logger.report({f"{prefix}{self.param_name}/group_{i}": float(group[self.param_name])
                       for i, group in enumerate(self.optimizer.param_groups)})


class ExperimentsLogger(BaseLogger):
    """Reports by the epoch and iteration of the trainer, counted from 1 as ignite does, and what checkpoint, a handler of
    ignite's, has saved. A stop request terminates the epoch after the iteration that runs, and then the trainer: what is
    done at the end of an epoch, such as a checkpoint, still is."""

    def __init__(self, trainer: Engine, checkpoint: Optional[Any] = None) -> None:
        self.trainer, self.checkpoint, self._reported_path = trainer, checkpoint, None
        trainer.add_event_handler(Events.ITERATION_COMPLETED, self._end_epoch)
        trainer.add_event_handler(Events.EPOCH_COMPLETED, self._end)

    def report(self, metrics: Any) -> None:
        if idist.get_rank() == 0:
            state = self.trainer.state
            experiments.report(epoch=state.epoch, step=state.iteration, epochs=state.max_epochs, metrics=metrics,
                               checkpoint=self._new_checkpoint())

    def _new_checkpoint(self) -> Optional[str]:
        path = self.checkpoint and self.checkpoint.last_checkpoint
        if not path or path == self._reported_path:
            return None
        self._reported_path = path
        return os.path.abspath(path) if isinstance(path, os.PathLike) else path  # not of a disk: a name

    def _end_epoch(self, engine: Engine) -> None:
        # Several processes have to agree, which costs them a message: not after every iteration.
        if (idist.get_world_size() == 1 or engine.state.iteration % 50 == 0) and _stop_is_requested():
            engine.terminate_epoch()

    def _end(self, engine: Engine) -> None:
        if _stop_is_requested():
            engine.terminate()

    def _create_output_handler(self, *args: Any, **kwargs: Any) -> Callable[..., None]:
        return OutputHandler(*args, **kwargs)

    def _create_opt_params_handler(self, *args: Any, **kwargs: Any) -> Callable[..., None]:
        return OptimizerParamsHandler(*args, **kwargs)
