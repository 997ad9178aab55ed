"""d3rlpy: one CSV a metric without a header (epoch, step, value), named by its path."""

import d3rlpy
import numpy
from d3rlpy.logging import CombineAdapterFactory, FileAdapterFactory, LoggerAdapter, LoggerAdapterFactory

from truth import Truth

truth = Truth("d3rlpy")
curves = {}


class Recorder(LoggerAdapter):
    def write_params(self, params): pass
    def before_write_metric(self, epoch, step): pass
    def after_write_metric(self, epoch, step): pass
    def save_model(self, epoch, algo): pass
    def close(self): pass
    def watch_model(self, *more): pass

    def write_metric(self, epoch, step, name, value):
        curves.setdefault(name, []).append((epoch, value))


class RecorderFactory(LoggerAdapterFactory):
    def create(self, *more):
        return Recorder()


generator = numpy.random.default_rng(0)
observations = generator.normal(size=(200, 4)).astype("float32")
terminals = numpy.zeros(200)
terminals[49::50] = 1
dataset = d3rlpy.dataset.MDPDataset(observations, observations[:, :2] * 0.5, observations.sum(1), terminals)
d3rlpy.seed(0)
d3rlpy.algos.BCConfig(batch_size=32).create(device="cpu:0").fit(
    dataset, n_steps=40, n_steps_per_epoch=10, experiment_name="bc", with_timestamp=False, save_interval=100,
    logger_adapter=CombineAdapterFactory([FileAdapterFactory(str(truth.dir / "d3rlpy_logs")), RecorderFactory()]))
for name, curve in curves.items():
    if not name.startswith("time_"):
        truth.source(f"d3rlpy_logs/bc/{name}.csv", "epoch", {name: curve})
truth.source("stdout.log", "epoch", {"loss": curves["loss"]})
gradients = [path.stem for path in (truth.dir / "d3rlpy_logs/bc").glob("*_grad.csv")]
truth.result("d3rlpy_logs/bc/loss.csv", optional=[f"{name}/{part}" for name in gradients for part in ("min", "max", "mean", "std")])
truth.write()
