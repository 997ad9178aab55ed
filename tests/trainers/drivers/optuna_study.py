"""Optuna: one log line a trial, on stderr; the x is the trial's number."""

import optuna

from truth import Truth

truth = Truth("optuna")
study = optuna.create_study(study_name="sphere", sampler=optuna.samplers.RandomSampler(seed=0))
study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2 + trial.suggest_int("k", 0, 3), n_trials=8)
truth.source("stdout.log", "trial", {"value": [(trial.number, trial.value) for trial in study.trials]})
truth.write()
