"""logging's prefix with time and level, `key=value` and percent, on stderr; nothing on stdout."""

import logging

import torch
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler

from truth import Truth

logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s:%(lineno)d %(message)s")
log = logging.getLogger("train")
truth = Truth("torch")
torch.manual_seed(0)
x, y = load_breast_cancer(return_X_y=True)
x, y = torch.tensor(StandardScaler().fit_transform(x)).float(), torch.tensor(y).float()
model = torch.nn.Linear(30, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
curves = {"train_loss": [], "val_loss": [], "val_acc": [], "lr": []}
log.info("torch %s, 569 samples, 30 features, host 10.1.2.3:29500", torch.__version__)
for epoch in range(1, 7):
    optimizer.zero_grad()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(model(x[:400])[:, 0], y[:400])
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        output = model(x[400:])[:, 0]
        val = torch.nn.functional.binary_cross_entropy_with_logits(output, y[400:]).item()
        acc = ((output > 0) == (y[400:] > 0)).float().mean().item() * 100
    log.info("epoch=%d train_loss=%.6f val_loss=%.6f val_acc=%.2f%% lr=%.1e", epoch, loss.item(), val, acc, 0.5)
    for curve, value in zip(curves.values(), (loss.item(), val, acc, 0.5)):
        curve.append((epoch, value))
truth.source("stdout.log", "epoch", curves, digits={"": "%.6f", "val_acc": "%.2f", "lr": "%.1e"})
truth.write()
