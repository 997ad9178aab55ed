"""timm.utils.update_summary: summary.csv as train.py writes it."""

from collections import OrderedDict

import torch
from sklearn.datasets import load_digits
from timm.utils import AverageMeter, accuracy, update_summary

from truth import Truth

truth = Truth("timm")
torch.manual_seed(0)
x, y = (torch.tensor(array) for array in load_digits(return_X_y=True))
x = x.float() / 16
model = torch.nn.Linear(64, 10)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
curves = {}
(truth.dir / "output/train").mkdir(parents=True)
for epoch in range(5):
    meter = AverageMeter()
    for batch in torch.randperm(1500).split(100):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x[batch]), y[batch])
        loss.backward()
        optimizer.step()
        meter.update(loss.item(), len(batch))
    with torch.no_grad():
        output = model(x[1500:])
        top1, top5 = accuracy(output, y[1500:], topk=(1, 5))
        metrics = OrderedDict(loss=torch.nn.functional.cross_entropy(output, y[1500:]).item(), top1=top1.item(), top5=top5.item())
    update_summary(epoch, OrderedDict(loss=meter.avg), metrics, str(truth.dir / "output/train/summary.csv"), lr=0.1,
                   write_header=epoch == 0)
    for name, value in {"train_loss": meter.avg, "lr": 0.1, **{f"eval_{name}": v for name, v in metrics.items()}}.items():
        curves.setdefault(name, []).append((epoch, value))
truth.source("output/train/summary.csv", "epoch", curves)
truth.write()
