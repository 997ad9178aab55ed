"""Lightning with CSVLogger: values of steps, epochs and validation in rows of their own."""

from lightning.pytorch.loggers import CSVLogger

from lightning_model import Recorder, fit
from truth import Truth

truth = Truth("lightning")
recorder = Recorder()
fit(truth.dir, [], [CSVLogger(truth.dir), recorder])
epochs = dict(recorder.curves.pop("epoch"))
curves = {name: [(int(epochs[step]), value) for step, value in curve] for name, curve in recorder.curves.items()}
truth.source("lightning_logs/version_0/metrics.csv", "epoch", curves, digits="float32")
truth.write()
