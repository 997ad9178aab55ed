import os
import warnings

import lightning
import torch
from sklearn.datasets import load_digits

from experiments.lightning import ExperimentsCallback
from told import EPOCHS, tell

warnings.filterwarnings("ignore")


class Model(lightning.LightningModule):
    def __init__(self, width=16, rate=0.01):
        super().__init__()
        self.save_hyperparameters()
        self.net = torch.nn.Sequential(torch.nn.Linear(64, width), torch.nn.ReLU(), torch.nn.Linear(width, 10))

    def training_step(self, batch, index):
        loss = torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1])
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch, index):
        self.log("val_loss", torch.nn.functional.cross_entropy(self.net(batch[0]), batch[1]))

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=self.hparams.rate)


class History(lightning.Callback):
    """The metrics of the trainer at the end of each epoch, by the trainer's own count of epochs."""

    def __init__(self):
        self.curves = {}

    def on_train_epoch_end(self, trainer, module):
        for name, value in trainer.callback_metrics.items():
            self.curves.setdefault(name, []).append((trainer.current_epoch, value.item()))


lightning.seed_everything(0, verbose=False)
x, y = (torch.tensor(array) for array in load_digits(return_X_y=True))
data = torch.utils.data.TensorDataset(x.float() / 16, y)
train, valid = (torch.utils.data.DataLoader(torch.utils.data.Subset(data, part), 100)
                for part in (range(600), range(600, 900)))
history, checkpoint = History(), lightning.pytorch.callbacks.ModelCheckpoint()
trainer = lightning.Trainer(max_epochs=EPOCHS, accelerator="cpu", devices=int(os.environ.get("WORLD_SIZE", 1)),
                            log_every_n_steps=4, num_sanity_val_steps=0, logger=False, enable_progress_bar=False,
                            enable_model_summary=False, callbacks=[ExperimentsCallback(), checkpoint, history])
trainer.fit(Model(), train, valid)
assert os.path.dirname(checkpoint.best_model_path) == os.path.abspath("checkpoints")  # as without the adapter
epoch = history.curves["val_loss"][-1][0]
tell("epoch", history.curves, n_batches=trainer.global_step, epoch=epoch, totalEpochs=EPOCHS,
     checkpoint={"path": checkpoint.best_model_path, "epoch": epoch}, job_parameters={"width": 16, "rate": 0.01})
