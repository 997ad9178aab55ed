"""XGBoost: xgboost.train(..., callbacks=[ExperimentsCallback()]), the same with xgboost.cv and the estimators"""

from typing import Any, Dict, Iterator, List, Tuple

import numpy
import xgboost

import experiments


def _last_values(evals_log: Any) -> Iterator[Tuple[str, float]]:
    """By the names that XGBoost prints, validation_0-logloss; of cv as the columns of what it returns."""
    for data, metrics in evals_log.items():
        for metric, values in metrics.items():
            if isinstance(values[-1], tuple):
                yield f"{data}-{metric}-mean", values[-1][0]
                yield f"{data}-{metric}-std", values[-1][1]
            else:
                yield f"{data}-{metric}", values[-1]


def _stop_is_requested() -> bool:
    """Of one worker it is of all: those that went on would wait for it for ever."""
    stop = experiments.should_stop()
    if xgboost.collective.get_world_size() > 1:
        stop = bool(xgboost.collective.allreduce(numpy.array([int(stop)]), xgboost.collective.Op.MAX)[0])
    return stop


class ExperimentsCallback(xgboost.callback.TrainingCallback):
    """Reports the evaluation of each round, counted from 0 as XGBoost does; a stop request ends the training."""

    def after_iteration(self, model: Any, epoch: int, evals_log: Dict[str, Dict[str, List[Any]]]) -> bool:
        if xgboost.collective.get_rank() == 0:
            experiments.report(step=epoch, metrics=dict(_last_values(evals_log)))
        stop = _stop_is_requested()
        if stop and not isinstance(model, xgboost.Booster) and model.attr("best_iteration") is None:
            model.set_attr(best_iteration=str(epoch))  # up to which cv returns its history when it ends early
        return stop
