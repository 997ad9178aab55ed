"""fastai: its table on stdout and CSVLogger's history.csv."""

import pathlib

import torch
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.metrics import accuracy
from fastai.callback.progress import CSVLogger
from sklearn.datasets import load_digits

from truth import Truth

truth = Truth("fastai")
torch.manual_seed(0)
x, y = (torch.tensor(array) for array in load_digits(return_X_y=True))
data = torch.utils.data.TensorDataset(x.float() / 16, y)
parts = [torch.utils.data.DataLoader(torch.utils.data.Subset(data, part), 100) for part in (range(1500), range(1500, 1797))]
learner = Learner(DataLoaders(*parts), torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10)),
                  loss_func=torch.nn.functional.cross_entropy, metrics=accuracy, path=truth.dir,
                  cbs=CSVLogger())
learner.fit(5, 0.01)
names = ("train_loss", "valid_loss", "accuracy")
curves = {name: [(epoch, row[column]) for epoch, row in enumerate(learner.recorder.values)] for column, name in enumerate(names)}
truth.source("history.csv", "epoch", curves)
truth.source("stdout.log", "epoch", curves, digits="%.6f")
truth.write()
