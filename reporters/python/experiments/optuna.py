"""Optuna: study.optimize(..., callbacks=[ExperimentsCallback()]) and create_study(pruner=ExperimentsPruner())"""

from typing import Dict, Optional

import optuna
from optuna.pruners import BasePruner, NopPruner
from optuna.trial import FrozenTrial, TrialState

import experiments


def _end(study: optuna.Study) -> None:
    """No further trial begins. Of a loop that the user wrote, with ask and tell, Optuna knows no end."""
    try:
        study.stop()
    except RuntimeError:
        pass


def _values(study: optuna.Study, trial: FrozenTrial) -> Dict[str, float]:
    """By the names of Study.set_metric_names, else those of Study.trials_dataframe."""
    values = trial.values or []
    names = study.metric_names or (["value"] if len(values) == 1 else [f"values_{i}" for i in range(len(values))])
    return dict(zip(names, values))


class ExperimentsCallback:
    """For a run that is a whole study: reports the values of each trial by its number; a stop request ends the study
    after the trial that runs (at once: see ExperimentsPruner)."""

    def __call__(self, study: optuna.Study, trial: FrozenTrial) -> None:
        if trial.state == TrialState.COMPLETE:
            experiments.report(step=trial.number, metrics=_values(study, trial))
        if experiments.should_stop():
            _end(study)


class ExperimentsPruner(BasePruner):
    """A stop request prunes the trial that runs and ends the study; otherwise the pruner that is given decides. For a
    run that is one trial it reports the intermediate values; with report=False for one that is a whole study, where those
    of all trials would have the same steps."""

    def __init__(self, pruner: Optional[BasePruner] = None, *, report: bool = True) -> None:
        self.pruner, self.report = pruner or NopPruner(), report

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        if self.report and trial.last_step is not None:
            experiments.report(step=trial.last_step, intermediate_value=trial.intermediate_values[trial.last_step])
        if experiments.should_stop():
            _end(study)
            return True
        return self.pruner.prune(study, trial)
