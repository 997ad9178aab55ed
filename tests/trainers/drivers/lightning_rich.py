"""Lightning's rich bar: off a terminal only the last frame is there."""

from lightning.pytorch.callbacks import RichProgressBar

from lightning_model import fit
from truth import Truth

truth = Truth("lightning")
history = fit(truth.dir, [RichProgressBar()], False)
history.curves.pop("train_loss", None)
truth.source("stdout.log", "epoch", {name: curve[-1:] for name, curve in history.curves.items()}, digits="%.3f")
truth.write()
