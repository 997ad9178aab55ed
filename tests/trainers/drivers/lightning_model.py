"""What both Lightning drivers train, and a callback that keeps what the loggers are given."""

import warnings

import lightning
import torch
from sklearn.datasets import load_digits

warnings.filterwarnings("ignore")


class Model(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10))

    def step(self, batch):
        output = self.net(batch[0])
        return (torch.nn.functional.cross_entropy(output, batch[1]),
                (output.argmax(1) == batch[1]).float().mean())

    def training_step(self, batch, index):
        loss, _ = self.step(batch)
        self.log("train_loss", loss, on_step=True, on_epoch=True, prog_bar=True)
        return loss

    def validation_step(self, batch, index):
        loss, accuracy = self.step(batch)
        self.log("val_loss", loss, prog_bar=True)
        self.log("val_acc", accuracy, prog_bar=True)

    def configure_optimizers(self):
        return torch.optim.Adam(self.parameters(), lr=0.01)


class History(lightning.Callback):
    """The metrics of the trainer at the end of each epoch, by the trainer's own count of epochs."""

    def __init__(self):
        self.curves = {}

    def on_train_epoch_end(self, trainer, module):
        for name, value in trainer.callback_metrics.items():
            self.curves.setdefault(name, []).append((trainer.current_epoch, value.item()))


class Recorder(lightning.pytorch.loggers.Logger):
    """What every logger of the run is told: {name: [(step, value)]}."""

    name, version = "recorder", 0

    def __init__(self):
        super().__init__()
        self.curves = {}

    def log_hyperparams(self, params):
        pass

    def log_metrics(self, metrics, step=None):
        for name, value in metrics.items():
            self.curves.setdefault(name, []).append((step, value))


def fit(root, callbacks, loggers, epochs=4):
    lightning.seed_everything(0, verbose=False)
    x, y = (torch.tensor(array) for array in load_digits(return_X_y=True))
    data = torch.utils.data.TensorDataset(x.float() / 16, y)
    load = torch.utils.data.DataLoader
    history = History()
    lightning.Trainer(max_epochs=epochs, accelerator="cpu", default_root_dir=root, log_every_n_steps=5,
                      num_sanity_val_steps=0, enable_checkpointing=False, callbacks=[history, *callbacks], logger=loggers
                      ).fit(Model(), load(torch.utils.data.Subset(data, range(1500)), 100, shuffle=True),
                            load(torch.utils.data.Subset(data, range(1500, 1797)), 100))
    return history
