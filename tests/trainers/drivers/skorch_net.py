"""skorch's table on stdout; train_loss and valid_* with colours for the best so far."""

import torch
from sklearn.datasets import load_digits
from skorch import NeuralNetClassifier

from truth import Truth

truth = Truth("skorch")
torch.manual_seed(0)
x, y = load_digits(return_X_y=True)
net = NeuralNetClassifier(torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10)),
                          criterion=torch.nn.CrossEntropyLoss, lr=0.1, max_epochs=6, device="cpu")
net.fit(x.astype("float32") / 16, y)
truth.source("stdout.log", "epoch", {name: [(row["epoch"], row[name]) for row in net.history]
                                     for name in ("train_loss", "valid_acc", "valid_loss")}, digits="%.4f")
truth.write()
