"""fastText's progress: one line redrawn until the end of training; no API returns its loss."""

import random

import fasttext

from truth import Truth

truth = Truth("fasttext-wheel")
random.seed(0)
text = "".join(f"__label__{'ab'[i % 2]} " + " ".join(random.choice(("red blue sky", "tax bank loan")[i % 2].split())
                                                    for _ in range(12)) + "\n" for i in range(3000))
(truth.dir.parent / "train.txt").write_text(text)
model = fasttext.train_supervised(str(truth.dir.parent / "train.txt"), epoch=400, lr=0.1, dim=16, thread=1, verbose=2)
n, precision, recall = model.test(str(truth.dir.parent / "train.txt"))
print("N", n)
print(f"P@1 {precision:.3f}")
print(f"R@1 {recall:.3f}")
truth.source("stdout.log", "row", {}, optional=["avg.loss", "lr", "P@1", "R@1"])
truth.write()
