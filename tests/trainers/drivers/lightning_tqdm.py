"""Lightning's tqdm bar on its own, no logger: epochs from 0, each ends with its validation."""

from lightning.pytorch.callbacks import TQDMProgressBar

from lightning_model import fit
from truth import Truth

truth = Truth("lightning")
history = fit(truth.dir, [TQDMProgressBar()], False)
history.curves.pop("train_loss", None)
truth.source("stdout.log", "epoch", history.curves, digits="%.3g")
truth.write()
