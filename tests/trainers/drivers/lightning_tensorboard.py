"""Lightning with TensorBoardLogger: its tag `epoch` counts epochs, the events count steps; the Result shows epochs."""

from lightning.pytorch.loggers import TensorBoardLogger

from lightning_model import Recorder, fit
from truth import Truth

truth = Truth("lightning")
recorder = Recorder()
fit(truth.dir, [], [TensorBoardLogger(truth.dir), recorder])
truth.source("lightning_logs/version_0/events.out.tfevents.*", "step",
             {name: curve for name, curve in recorder.curves.items() if name != "epoch"}, digits="float32",
             optional=["epoch"])
STEPS = 15  # an epoch
truth.result(axis="epoch", digits="float32", optional=["epoch"],
             curves={name: [(step // STEPS, value) for step, value in curve]
                     for name, curve in recorder.curves.items() if name != "epoch"})
truth.write()
