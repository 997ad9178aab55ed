"""torchrl's CSVLogger: scalars/<name>.csv without a header (step, value)."""

import torch
from torchrl.record.loggers.csv import CSVLogger

from truth import Truth

truth = Truth("torchrl")
torch.manual_seed(0)
logger = CSVLogger("exp", str(truth.dir / "logs"))
weight = torch.zeros(3, requires_grad=True)
x = torch.randn(50, 3)
y = x.sum(1)
curves = {"loss": [], "train_reward": []}
for step in range(0, 80, 10):
    loss = (x @ weight - y).square().mean()
    loss.backward()
    with torch.no_grad():
        weight -= 0.1 * weight.grad
        weight.grad = None
    for name, value in (("loss", loss.item()), ("train_reward", -2 * loss.item())):
        logger.log_scalar(name, value, step=step)
        curves[name].append((step, value))
for name, curve in curves.items():
    truth.source(f"logs/exp/scalars/{name}.csv", "step", {name: curve})
truth.write()
