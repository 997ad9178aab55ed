"""A run that is one trial: its intermediate values. A stop request prunes it, and no further trial begins."""

import optuna

from experiments.optuna import ExperimentsPruner
from told import EPOCHS, tell


def objective(trial):
    x = trial.suggest_float("x", 0.5, 1)
    for step in range(EPOCHS):
        trial.report(x / (step + 1), step)
        if trial.should_prune():
            raise optuna.TrialPruned
    return x / EPOCHS


study = optuna.create_study(pruner=ExperimentsPruner(), sampler=optuna.samplers.RandomSampler(seed=0))
study.optimize(objective, n_trials=1)
[trial] = study.trials
assert (trial.state.name == "PRUNED") == (trial.last_step < EPOCHS - 1)
tell("step", {"intermediate_value": trial.intermediate_values.items()})
