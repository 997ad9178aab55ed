"""MLflow's file store: mlruns/<experiment>/<run>/metrics/<name>, no header."""

import os
import warnings

warnings.filterwarnings("ignore")
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"

import mlflow
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier

from truth import Truth

truth = Truth("mlflow")
mlflow.set_tracking_uri((truth.dir / "mlruns").as_uri())
x, y = load_digits(return_X_y=True)
model = SGDClassifier(random_state=0)
with mlflow.start_run() as run:
    mlflow.log_params({"alpha": model.alpha, "epochs": 6})
    for step in range(6):
        model.partial_fit(x[:1500] / 16, y[:1500], classes=range(10))
        mlflow.log_metric("train/accuracy", model.score(x[:1500] / 16, y[:1500]), step=step)
        mlflow.log_metric("val_accuracy", model.score(x[1500:] / 16, y[1500:]), step=step)
history = mlflow.MlflowClient().get_metric_history
for name in ("train/accuracy", "val_accuracy"):
    truth.source(f"mlruns/*/*/metrics/{name}", "step",
                 {name: [(metric.step, metric.value) for metric in history(run.info.run_id, name)]})
truth.write()
