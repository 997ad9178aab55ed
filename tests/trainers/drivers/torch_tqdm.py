"""tqdm with a postfix: each epoch is one line of many frames; the last frame holds its values."""

import torch
from sklearn.datasets import load_digits
from tqdm import tqdm

from truth import Truth

truth = Truth("torch")
torch.manual_seed(0)
x, y = (torch.tensor(array) for array in load_digits(return_X_y=True))
x = x.float() / 16
model = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
epochs, losses, accuracies = 5, [], []
for epoch in range(epochs):
    bar = tqdm(torch.randperm(1500).split(50), desc=f"Epoch {epoch + 1}/{epochs}", mininterval=0)
    correct = seen = total = 0
    for batch in bar:
        optimizer.zero_grad()
        output = model(x[batch])
        loss = torch.nn.functional.cross_entropy(output, y[batch])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(batch)
        correct += (output.argmax(1) == y[batch]).sum().item()
        seen += len(batch)
        bar.set_postfix(loss=total / seen, acc=correct / seen)
    losses.append(total / seen)
    accuracies.append(correct / seen)
truth.source("stdout.log", "epoch", {"loss": enumerate(losses, 1), "acc": enumerate(accuracies, 1)}, digits="%.3g")
truth.write()
