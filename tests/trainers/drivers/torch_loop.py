"""The loop of a tutorial: one print an epoch."""

import torch
from sklearn.datasets import load_digits

from truth import Truth

truth = Truth("torch")
torch.manual_seed(0)
x, y = (torch.tensor(array) for array in load_digits(return_X_y=True))
x = x.float() / 16
model = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
epochs, losses, accuracies = 6, [], []
for epoch in range(epochs):
    for batch in torch.randperm(1500).split(100):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x[batch]), y[batch])
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        accuracy = (model(x[1500:]).argmax(1) == y[1500:]).float().mean().item()
    print(f"Epoch {epoch + 1}/{epochs}: loss {loss.item():.4f}, val_acc {accuracy:.4f}")
    losses.append(loss.item())
    accuracies.append(accuracy)
truth.source("stdout.log", "epoch", {"loss": enumerate(losses, 1), "val_acc": enumerate(accuracies, 1)}, digits="%.4f")
truth.write()
