"""LightGBM: lightgbm.train(..., callbacks=[ExperimentsCallback()]), the same with lightgbm.cv and the estimators"""

from typing import Any, Dict

import lightgbm
from lightgbm.callback import CallbackEnv, EarlyStopException

import experiments


class ExperimentsCallback:
    """Reports the evaluation of each iteration, counted from 1 as LightGBM prints it; a stop request ends the training."""

    before_iteration = False

    def __init__(self) -> None:
        # LightGBM looks for it in the instance. After log_evaluation (10) and record_evaluation (20), so that they
        # have what is reported; before early_stopping (30), whose exception leaves out those that come later.
        self.order = 25

    def __call__(self, env: CallbackEnv) -> None:
        metrics: Dict[str, Any] = {}
        for data, metric, value, _, *deviation in env.evaluation_result_list or ():
            if isinstance(env.model, lightgbm.CVBooster):
                metrics[f"{data} {metric}-mean"], metrics[f"{data} {metric}-stdv"] = value, deviation[0]
            else:
                metrics[f"{data}'s {metric}"] = value
        experiments.report(step=env.iteration + 1, metrics=metrics)
        if experiments.should_stop():
            # The best iteration is the last: all trees that there are count.
            raise EarlyStopException(env.iteration, env.evaluation_result_list or [])
