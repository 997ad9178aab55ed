"""SummaryWriter: add_scalar, add_scalars (a folder for each of its curves), add_hparams (a folder)."""

import torch
from torch.utils.tensorboard import SummaryWriter

from truth import Truth

truth = Truth("torch")
torch.manual_seed(0)
x = torch.randn(200, 5)
y = x @ torch.arange(5.0) + 0.1 * torch.randn(200)
model = torch.nn.Linear(5, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
writer = SummaryWriter(truth.dir / "runs/exp1")
train, valid, weight = [], [], []
for epoch in range(8):
    optimizer.zero_grad()
    loss = (model(x[:150])[:, 0] - y[:150]).square().mean()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        val = (model(x[150:])[:, 0] - y[150:]).square().mean()
    writer.add_scalar("Loss/train", loss, epoch)
    writer.add_scalar("Loss/val", val, epoch)
    writer.add_scalars("both", {"train": loss, "val": val}, epoch)
    writer.add_histogram("weights", model.weight, epoch)
    train.append(loss.item())
    valid.append(val.item())
writer.add_text("note", "epoch 3: loss 0.5")
writer.add_hparams({"lr": 0.1, "optimizer": "sgd"}, {"hparam/loss": valid[-1]}, run_name="hparams")
writer.close()
truth.source("runs/exp1/events.out.tfevents.*", "step",
             {"Loss/train": enumerate(train), "Loss/val": enumerate(valid)}, digits="float32")
truth.source("runs/exp1/both_train/events.out.tfevents.*", "step", {"both/train": enumerate(train)}, digits="float32")
truth.source("runs/exp1/both_val/events.out.tfevents.*", "step", {"both/val": enumerate(valid)}, digits="float32")
truth.source("runs/exp1/hparams/events.out.tfevents.*", "step", {}, digits="float32", optional=["hparam/loss"])
truth.write()
