"""CatBoost: its train_dir (TSV, JSON, TensorBoard events) beside its console."""

from catboost import CatBoostClassifier
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

from truth import Truth

truth = Truth("catboost")
xt, xv, yt, yv = train_test_split(*load_breast_cancer(return_X_y=True), random_state=0)
model = CatBoostClassifier(iterations=12, learning_rate=0.3, depth=3, eval_metric="Logloss", custom_metric=["Accuracy"],
                           train_dir=str(truth.dir / "catboost_info"), thread_count=1, random_seed=0)
model.fit(xt, yt, eval_set=(xv, yv), verbose=1)
history = model.get_evals_result()
learn, test = history["learn"], history["validation"]
both = {f"{part}/{name}": list(enumerate(values)) for part, metrics in (("learn", learn), ("test", test))
        for name, values in metrics.items()}
truth.source("catboost_info/catboost_training.json", "step", both, digits="%.10g")
for part in ("learn", "test"):
    curves = {name: curve for name, curve in both.items() if name.startswith(part)}
    truth.source(f"catboost_info/{part}_error.tsv", "step", curves, digits="%.10g")
    truth.source(f"catboost_info/{part}/events.out.tfevents", "step", curves, digits="float32")
truth.source("catboost_info/time_left.tsv", "step", {})
truth.source("stdout.log", "step", {"learn": enumerate(learn["Logloss"]), "test": enumerate(test["Logloss"])}, digits="%.7f")
# The console names the sets alone: those names stay its own.
truth.result("catboost_info/catboost_training.json", optional=["learn", "test"])
truth.write()
