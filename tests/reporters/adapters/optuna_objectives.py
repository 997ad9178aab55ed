"""A study with two objectives, one curve each."""

import optuna

from experiments.optuna import ExperimentsCallback
from told import EPOCHS, tell

study = optuna.create_study(directions=["minimize", "maximize"], sampler=optuna.samplers.RandomSampler(seed=0))
study.optimize(lambda trial: (trial.suggest_float("x", -1, 1) ** 2, trial.suggest_float("y", 0, 1)), n_trials=EPOCHS,
               callbacks=[ExperimentsCallback()])
tell("step", {f"values_{i}": [(trial.number, trial.values[i]) for trial in study.trials] for i in (0, 1)})
