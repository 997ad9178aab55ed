"""The MNIST example's lines: `Train Epoch: 1 [0/1500 (0%)]<tab>Loss: 2.3`, `Test set: Average loss: …`."""

import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

from truth import Truth

truth = Truth("torch")
torch.manual_seed(0)
x, y = (torch.tensor(array) for array in load_digits(return_X_y=True))
x = x.float() / 16
model = torch.nn.Sequential(torch.nn.Linear(64, 10), torch.nn.LogSoftmax(1))
optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
batches = torch.arange(1500).split(64)
train, test, accuracy = [], [], []
for epoch in range(1, 5):
    for batch_idx, batch in enumerate(batches):
        optimizer.zero_grad()
        loss = F.nll_loss(model(x[batch]), y[batch])
        loss.backward()
        optimizer.step()
        if batch_idx % 10 == 0:
            print('Train Epoch: {} [{}/{} ({:.0f}%)]\tLoss: {:.6f}'.format(
                epoch, batch_idx * len(batch), 1500, 100. * batch_idx / len(batches), loss.item()))
            train.append((epoch, loss.item()))
    with torch.no_grad():
        output = model(x[1500:])
        test_loss = F.nll_loss(output, y[1500:]).item()
        correct = (output.argmax(1) == y[1500:]).sum().item()
    print('\nTest set: Average loss: {:.4f}, Accuracy: {}/{} ({:.0f}%)\n'.format(
        test_loss, correct, len(output), 100. * correct / len(output)))
    test.append((epoch, test_loss))
    accuracy.append((epoch, 100 * correct / len(output)))
truth.source("stdout.log", "epoch", {"Loss": train, "Average loss": test, "Accuracy": accuracy},
             digits={"Loss": "%.6f", "Average loss": "%.4f", "Accuracy": "%.0f"})
truth.write()
