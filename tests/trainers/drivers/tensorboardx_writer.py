"""tensorboardX beside scikit-learn: all events in one write at the end."""

from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from tensorboardX import SummaryWriter

from truth import Truth

truth = Truth("tensorboardX")
x, y = load_digits(return_X_y=True)
model = SGDClassifier(random_state=0)
writer = SummaryWriter(str(truth.dir / "runs"))
scores = {"train/accuracy": [], "val/accuracy": []}
for step in range(1, 9):
    model.partial_fit(x[:1500] / 16, y[:1500], classes=range(10))
    for name, part in zip(scores, (slice(1500), slice(1500, None))):
        score = model.score(x[part] / 16, y[part])
        writer.add_scalar(name, score, step)
        scores[name].append((step, score))
writer.close()
truth.source("runs/events.out.tfevents.*", "step", scores, digits="float32")
truth.write()
