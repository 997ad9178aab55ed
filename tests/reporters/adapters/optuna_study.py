"""A run that is a study: one value a trial. A trial that is pruned has none."""

import optuna

from experiments.optuna import ExperimentsCallback
from told import EPOCHS, tell


def objective(trial):
    x = trial.suggest_float("x", -1, 1)
    if trial.number == 1:
        raise optuna.TrialPruned
    return x ** 2


study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
study.optimize(objective, n_trials=EPOCHS, callbacks=[ExperimentsCallback()])
tell("step", {"value": [(trial.number, trial.value) for trial in study.trials if trial.value is not None]})
