import torch
from fastai.callback.tracker import SaveModelCallback
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.metrics import accuracy
from sklearn.datasets import load_digits

from experiments.fastai import ExperimentsCallback
from told import EPOCHS, tell

torch.manual_seed(0)
x, y = (torch.tensor(array) for array in load_digits(return_X_y=True))
data = torch.utils.data.TensorDataset(x.float() / 16, y)
parts = [torch.utils.data.DataLoader(torch.utils.data.Subset(data, part), 100)
         for part in (range(600), range(600, 900))]
saving = SaveModelCallback(every_epoch=True)
learner = Learner(DataLoaders(*parts), torch.nn.Linear(64, 10), loss_func=torch.nn.functional.cross_entropy,
                  metrics=accuracy, path="saved", cbs=[saving, ExperimentsCallback()])
with learner.no_bar(), learner.no_logging():
    learner.fit(EPOCHS, 0.01)
names, rows = ("train_loss", "valid_loss", "accuracy"), list(enumerate(learner.recorder.values))
# Of training that was cut short there is no loss in the row.
tell("epoch", {name: [(epoch, row[column - len(names)]) for epoch, row in rows if column >= len(names) - len(row)]
               for column, name in enumerate(names)},
     n_batches=learner.train_iter, epoch=rows[-1][0], totalEpochs=EPOCHS,
     checkpoint={"path": str(saving.last_saved_path.absolute()), "epoch": rows[-1][0]})
