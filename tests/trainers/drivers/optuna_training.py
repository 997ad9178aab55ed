"""A classifier a trial, with pruning: the lines of pruned trials hold no value."""

import optuna
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import train_test_split

from truth import Truth

truth = Truth("optuna")
x, y = load_digits(return_X_y=True)
xt, xv, yt, yv = train_test_split(x / 16, y, random_state=0)


def train(trial):
    model = SGDClassifier(alpha=trial.suggest_float("alpha", 1e-6, 10, log=True), random_state=0)
    for step in range(3):
        model.partial_fit(xt, yt, classes=range(10))
        trial.report(model.score(xv, yv), step)
        if trial.should_prune():
            raise optuna.TrialPruned
    return model.score(xv, yv)


study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0),
                            pruner=optuna.pruners.MedianPruner(n_startup_trials=2))
study.optimize(train, n_trials=8)
complete = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
truth.source("stdout.log", "trial", {"value": [(trial.number, trial.value) for trial in complete]})
truth.write()
