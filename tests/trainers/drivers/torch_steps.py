"""Two levels, `Epoch [1/3], Step [5/15], Loss: 2.3`: the epoch's last step is its value; then a test."""

import torch
from sklearn.datasets import load_digits

from truth import Truth

truth = Truth("torch")
torch.manual_seed(0)
x, y = (torch.tensor(array) for array in load_digits(return_X_y=True))
x = x.float() / 16
model = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
num_epochs, history = 4, []
batches = torch.arange(1500).split(100)
for epoch in range(num_epochs):
    for i, batch in enumerate(batches):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x[batch]), y[batch])
        loss.backward()
        optimizer.step()
        if (i + 1) % 5 == 0:
            print('Epoch [{}/{}], Step [{}/{}], Loss: {:.4f}'
                  .format(epoch + 1, num_epochs, i + 1, len(batches), loss.item()))
            history.append((epoch + 1, loss.item()))
correct = (model(x[1500:]).argmax(1) == y[1500:]).sum().item()
print('Accuracy of the model on the {} test images: {} %'.format(len(x) - 1500, 100 * correct / (len(x) - 1500)))
truth.source("stdout.log", "epoch", {"Loss": history}, digits="%.4f")
truth.write()
