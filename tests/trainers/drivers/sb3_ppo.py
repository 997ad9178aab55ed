"""Stable-Baselines3: progress.csv, progress.json, log.txt, events, monitor.csv and boxes on stdout."""

import gymnasium
import stable_baselines3
from stable_baselines3.common import logger, monitor

from truth import Truth


class Recorder(logger.KVWriter):
    """What each writer of the logger is told: {name: [(total_timesteps, value)]}."""

    def __init__(self):
        self.rows = []

    def write(self, key_values, key_excluded, step=0):
        self.rows.append((step, {name: value for name, value in key_values.items() if not isinstance(value, str)}))

    def close(self):
        pass


truth = Truth("stable-baselines3")
recorder = Recorder()
(truth.dir / "run").mkdir()
environment = monitor.Monitor(gymnasium.make("CartPole-v1"), str(truth.dir / "run"))
model = stable_baselines3.PPO("MlpPolicy", environment, n_steps=64, batch_size=32, n_epochs=2, seed=0, device="cpu", verbose=1)
run = logger.configure(str(truth.dir / "run"), ["stdout", "csv", "json", "log", "tensorboard"])
run.output_formats.append(recorder)
model.set_logger(run)
model.learn(448)
run.close()
curves = {}
for step, row in recorder.rows:
    for name, value in row.items():
        if not name.startswith("time/"):
            curves.setdefault(name, []).append((step, value))
optional = ["time/iterations", "train/n_updates"]
truth.source("run/progress.csv", "step", curves, digits="float32", optional=optional)
truth.source("run/progress.json", "step", curves, digits="float32", optional=optional)
truth.source("run/events.out.tfevents.*", "step", curves, digits="float32", optional=optional)
for path in ("run/log.txt", "stdout.log"):
    truth.source(path, "step", curves, digits={"": "%.3g", "train/approx_kl": "float32"}, optional=optional)
truth.source("run/monitor.csv", "row", {"r": enumerate(environment.get_episode_rewards()),
                                        "l": enumerate(environment.get_episode_lengths())}, digits="%.6f")
truth.result("run/progress.csv", optional=["r", "l"])
truth.write()
