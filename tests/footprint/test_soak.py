"""Following for a long time, with rotation of every kind: memory, descriptors and inotify watches stay flat.
EXPERIMENTS_SOAK_SECONDS says how long (20; half an hour in the test "soak" of `ctest -C Long`)."""

import json
import os
import time

from footprint.measure import descriptors, inotify_watches, memory

SECONDS = float(os.environ.get("EXPERIMENTS_SOAK_SECONDS", 20))
LINES = 200  # a generation
WARM_UP = 0.25  # of the time
GROWTH_KIB_MAX = 128


class Trainer:
    """Writes generations of one file, each put aside in another way; the agent keeps up."""

    def __init__(self, agent):
        self.agent, self.path, self.epoch, self.generation = agent, agent.dir / "metrics.jsonl", 0, 0

    def write(self):
        with open(self.path, "a") as file:
            for _ in range(LINES):
                self.epoch += 1
                file.write(json.dumps({"epoch": self.epoch, "loss": 1 / self.epoch, "acc": self.epoch / 7}) + "\n")
        self.agent.wait_for_accepted(self.epoch)

    def rotate(self):
        self.generation += 1
        kind = self.generation % 4
        if kind == 0:
            os.rename(self.path, f"{self.path}.1")
        elif kind == 1:
            os.truncate(self.path, 0)
        elif kind == 2:
            os.unlink(self.path)
        else:
            os.makedirs(self.agent.dir / "sub", exist_ok=True)
            (self.agent.dir / "sub" / "notes").write_text(f"generation {self.generation}\n")


def taken(agent):
    pid = agent.process.pid
    return memory(pid)["Anonymous"], descriptors(pid), inotify_watches(pid)


def test_memory_descriptors_and_watches_stay_flat(start):
    agent = start()
    trainer = Trainer(agent)
    started = time.monotonic()
    warm = []
    later = []
    while (elapsed := time.monotonic() - started) < SECONDS or not later:
        for _ in range(4):  # a round of all kinds: what is taken is compared at the same point
            trainer.write()
            trainer.rotate()
        (warm if elapsed < WARM_UP * SECONDS else later).append(taken(agent))
    for name, most_before, most_after, more in zip(("KiB", "descriptors", "watches"), map(max, zip(*warm)),
                                                   map(max, zip(*later)), (GROWTH_KIB_MAX, 1, 1)):
        assert most_after <= most_before + more, f"{name}: {warm[-1]} became {later[-1]}"
    status = agent.stop()
    assert status["agent"]["accepted"] == trainer.epoch
    assert status["epoch"] == trainer.epoch
