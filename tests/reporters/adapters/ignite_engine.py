import os

import ignite.distributed as idist
import torch
from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
from ignite.handlers import ModelCheckpoint
from ignite.metrics import Accuracy, Loss
from sklearn.datasets import load_digits

from experiments.ignite import ExperimentsLogger
from told import EPOCHS, tell

torch.manual_seed(0)
x, y = (torch.tensor(array) for array in load_digits(return_X_y=True))
data = torch.utils.data.TensorDataset(x.float() / 16, y)
train, valid = (torch.utils.data.DataLoader(torch.utils.data.Subset(data, part), 100)
                for part in (range(600), range(600, 900)))
model, criterion = torch.nn.Linear(64, 10), torch.nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
if "WORLD_SIZE" in os.environ:
    idist.initialize("gloo")
    model = idist.auto_model(model)
trainer = create_supervised_trainer(model, optimizer, criterion)
evaluator = create_supervised_evaluator(model, {"loss": Loss(criterion), "accuracy": Accuracy()})
checkpoint = ModelCheckpoint("saved", n_saved=1)
trainer.add_event_handler(Events.EPOCH_COMPLETED, checkpoint, {"model": model})

logger = ExperimentsLogger(trainer, checkpoint=checkpoint)
logger.attach_output_handler(evaluator, Events.COMPLETED, tag="val", metric_names="all")
logger.attach_output_handler(trainer, Events.EPOCH_COMPLETED, tag="train", output_transform=lambda loss: {"loss": loss})
logger.attach_opt_params_handler(trainer, Events.EPOCH_COMPLETED, optimizer=optimizer)

curves = {}


@trainer.on(Events.EPOCH_COMPLETED)
def evaluate():
    metrics = evaluator.run(valid).metrics
    for name, value in (("val/loss", metrics["loss"]), ("val/accuracy", metrics["accuracy"]),
                        ("train/loss", trainer.state.output), ("lr/group_0", 0.01)):
        curves.setdefault(name, []).append((trainer.state.epoch, value))


trainer.run(train, max_epochs=EPOCHS)
tell("epoch", curves, epoch=trainer.state.epoch, step=trainer.state.iteration, totalEpochs=EPOCHS,
     n_batches=trainer.state.iteration,
     checkpoint={"path": str(checkpoint.last_checkpoint.absolute()), "epoch": trainer.state.epoch})
