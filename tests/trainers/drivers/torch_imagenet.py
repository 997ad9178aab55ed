"""The ImageNet example's AverageMeter and ProgressMeter: `Epoch: [0][ 1/15] … Loss 2.3e+00 (2.4e+00)`."""

import time

import torch
from sklearn.datasets import load_digits

from truth import Truth


class AverageMeter:
    def __init__(self, name, fmt=":f", summary="{name} {avg:.3f}"):
        self.name, self.fmt, self.summary = name, fmt, summary
        self.val = self.avg = self.sum = self.count = 0

    def update(self, val, n=1):
        self.val = val
        self.sum += val * n
        self.count += n
        self.avg = self.sum / self.count

    def __str__(self):
        return ('{name} {val' + self.fmt + '} ({avg' + self.fmt + '})').format(**self.__dict__)


class ProgressMeter:
    def __init__(self, num_batches, meters, prefix=""):
        digits = len(str(num_batches))
        self.batch_fmtstr = '[{:' + str(digits) + 'd}/' + ('{:' + str(digits) + 'd}').format(num_batches) + ']'
        self.meters, self.prefix = meters, prefix

    def display(self, batch):
        print('\t'.join([self.prefix + self.batch_fmtstr.format(batch), *map(str, self.meters)]))

    def display_summary(self):
        print(' '.join([" *", *(f"{meter.name} {meter.avg:.3f}" for meter in self.meters if "Acc" in meter.name)]))


def accuracy(output, target, topk):
    _, pred = output.topk(max(topk), 1)
    correct = pred.eq(target[:, None])
    return [correct[:, :k].any(1).float().mean().item() * 100 for k in topk]


truth = Truth("torch")
torch.manual_seed(0)
x, y = (torch.tensor(array) for array in load_digits(return_X_y=True))
x = x.float() / 16
model = torch.nn.Linear(64, 10)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
train, valid = torch.arange(1500).split(100), torch.arange(1500, 1797).split(100)
curves = {"Loss": [], "Acc@1": [], "Acc@5": []}
for epoch in range(4):
    for part, batches in (("train", train), ("test", valid)):
        meters = [AverageMeter('Time', ':6.3f'), AverageMeter('Data', ':6.3f'), AverageMeter('Loss', ':.4e'),
                  AverageMeter('Acc@1', ':6.2f'), AverageMeter('Acc@5', ':6.2f')]
        if part == "test":
            del meters[1]
        progress = ProgressMeter(len(batches), meters, prefix="Epoch: [{}]".format(epoch) if part == "train" else "Test: ")
        end = time.time()
        for i, batch in enumerate(batches):
            output = model(x[batch])
            loss = torch.nn.functional.cross_entropy(output, y[batch])
            if part == "train":
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            for meter, value in zip(meters[-3:], (loss.item(), *accuracy(output, y[batch], (1, 5)))):
                meter.update(value, len(batch))
            meters[0].update(time.time() - end)
            end = time.time()
            if i % 5 == 0:
                progress.display(i + 1)
                if part == "train":
                    for meter in meters[-3:]:
                        curves[meter.name].append((epoch, meter.val))
                else:
                    for meter in meters[-3:]:
                        curves.setdefault(f"Test/{meter.name}", []).append((epoch, meter.val))
        if part == "test":
            progress.display_summary()
            curves["Test/Acc@1"].append((epoch, meters[-2].avg))
            curves["Test/Acc@5"].append((epoch, meters[-1].avg))
truth.source("stdout.log", "epoch", curves, digits={"": "%.2f", "Loss": "%.4e", "Test/Loss": "%.4e", "Test/Acc@1": "%.3f", "Test/Acc@5": "%.3f"},
             note="current (average): the current value; the last line of the test loop sums it up")
truth.write()
