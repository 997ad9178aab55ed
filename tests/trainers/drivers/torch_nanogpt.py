"""nanoGPT's prints: evaluation every 10 steps, a line an iteration with time and mfu."""

import time

import torch

from truth import Truth

truth = Truth("torch")
torch.manual_seed(0)
text = (torch.arange(4000) * 7 + torch.arange(4000) // 13) % 31
model = torch.nn.Sequential(torch.nn.Embedding(31, 32), torch.nn.ReLU(), torch.nn.Linear(32, 31))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)


def loss_of(first, last):
    at = torch.randint(first, last, (64,))
    return torch.nn.functional.cross_entropy(model(text[at]), text[at + 1])


print(f"number of parameters: {sum(p.numel() for p in model.parameters()) / 1e6:.2f}M")
print("num decayed parameter tensors: 2, with 1,984 parameters")
curves = {"train loss": [], "val loss": [], "loss": []}
for iter_num in range(31):
    t0 = time.time()
    if iter_num % 10 == 0:
        with torch.no_grad():
            losses = {"train": loss_of(0, 3000), "val": loss_of(3000, 3999)}
        print(f"step {iter_num}: train loss {losses['train']:.4f}, val loss {losses['val']:.4f}")
        curves["train loss"].append((iter_num, losses["train"]))
        curves["val loss"].append((iter_num, losses["val"]))
    loss = loss_of(0, 3000)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    dt = time.time() - t0
    if iter_num % 5 == 0:
        print(f"iter {iter_num}: loss {loss.item():.4f}, time {dt * 1000:.2f}ms, mfu {-100:.2f}%")
        curves["loss"].append((iter_num, loss.item()))
truth.source("stdout.log", "step", curves, digits="%.4f")
truth.write()
