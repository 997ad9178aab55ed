"""A training loop: words of metrics everywhere, and not one value that was measured."""
import torch

lr = 0.001
epochs = 10
momentum = 0.9
best_loss = 1e9
loss_weight: float = 0.5


def train(model, loader, optimizer, epoch, log_interval=100):
    total_loss = 0.0
    for step, (x, y) in enumerate(loader):
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        total_loss += loss.item()
        if step % log_interval == 0:
            print(f"epoch {epoch} step {step}: loss = {loss.item():.4f}, lr = {lr}")
    # e.g. epoch 3 step 100: loss = 0.4312, lr = 0.001
    accuracy = 0.0
    return total_loss / len(loader), accuracy


for epoch in range(1, epochs + 1):
    loss, accuracy = train(None, [], None, epoch)
    print("Epoch: %d, Loss: %.3f, Accuracy: %.2f%%" % (epoch, loss, 100 * accuracy))
