"""DVCLive: one TSV a metric, named by its path; metrics.json has the latest values."""

from dvclive import Live
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier

from truth import Truth

truth = Truth("dvclive")
x, y = load_digits(return_X_y=True)
model = SGDClassifier(random_state=0)
curves = {"train/accuracy": [], "val/accuracy": [], "loss": []}
with Live(str(truth.dir / "dvclive"), save_dvc_exp=False, report=None) as live:
    live.log_param("alpha", model.alpha)
    for step in range(6):
        model.partial_fit(x[:1500] / 16, y[:1500], classes=range(10))
        values = (model.score(x[:1500] / 16, y[:1500]), model.score(x[1500:] / 16, y[1500:]), 1 / (step + 1))
        for (name, curve), value in zip(curves.items(), values):
            live.log_metric(name, value)
            curve.append((step, value))
        live.next_step()
for name, curve in curves.items():
    truth.source(f"dvclive/plots/metrics/{name}.tsv", "step", {name: curve})
truth.result(*truth.content["sources"])
truth.write()
