"""What the pruner that was given decides holds, also where the loop is the user's own, with ask and tell."""

import optuna

from experiments.optuna import ExperimentsPruner
from told import EPOCHS, tell

study = optuna.create_study(pruner=ExperimentsPruner(optuna.pruners.ThresholdPruner(upper=1.5)))
trial = study.ask()
for step in range(EPOCHS):
    trial.report(step, step)
    if trial.should_prune():
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        break
assert study.trials[0].last_step == 2
tell("step", {"intermediate_value": study.trials[0].intermediate_values.items()})
