"""The agent is killed at random, again and again, under writers of every style; its state is torn at times.

EXPERIMENTS_FAULTS_CYCLES: how many agents, over all styles (200).
EXPERIMENTS_FAULTS_SEED: only this one, as a failure names it."""

import os
import random
import secrets
import select
import shutil
import signal
import subprocess

import pytest

from agent.harness import AGENT, Directory, clean_environment
from faults.world import HANGS_S, TOOLS
from faults.writers import WRITERS

CYCLES = int(os.environ.get("EXPERIMENTS_FAULTS_CYCLES", "200"))
SEED = os.environ.get("EXPERIMENTS_FAULTS_SEED")
CYCLES_A_RUN = 20   # so many agents for one Result: it is to be published in full
CALLS = 600         # about so many does an agent make that follows for a while
KILLED = -9


class Loop:
    """One run of a writer under agents that come and go."""

    def __init__(self, base, writer, seed):
        self.rng = random.Random(seed)
        self.dir = base / "experiments"
        self.dir.mkdir(parents=True)
        self.results = base / "results"
        self.result = self.results / "job-1.json"
        self.log = base / "agent.log"
        self.published = Directory(self.results)
        self.writer = writer(self.dir, self.rng)
        self.process = None

    def close(self):
        self.kill()
        self.writer.close()
        self.published.close()

    # --- the agent ---

    def start(self, *wrapper):
        self.published.forget()
        command = [*wrapper, AGENT, "--dir", self.dir, "--to", self.results, "--job", "job-1", "--interval", "10ms,10ms"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stderr=log, env=clean_environment())

    def kill(self):
        if self.process:
            self.process.kill()
            assert self.process.wait() == KILLED, self.log.read_text()
            self.process = None

    def wait(self):
        """Waits for something to be published; False: the agent ended before."""
        pidfd = os.pidfd_open(self.process.pid)
        try:
            ready, _, _ = select.select([self.published.fd, pidfd], [], [], HANGS_S)
        finally:
            os.close(pidfd)
        if not ready:
            self.writer.oracle.check(self.result)
        assert ready, "nothing is published any more, but all is there"
        if self.published.fd in ready:
            self.published.wait()
        return pidfd not in ready

    def wait_for_news(self):
        """The same, if there is anything that is not published yet."""
        return not self.writer.oracle.differences_of(self.result) or self.wait()

    def settle(self):
        """Waits until all that was written is published, with another agent if this one is killed meanwhile."""
        while self.writer.oracle.differences_of(self.result):
            if not self.process or not self.wait():
                self.kill()
                self.start()
        if self.rng.random() < 0.5:
            self.kill()

    # --- one cycle ---

    def cycle(self):
        if self.rng.random() < 0.5:
            self.start()
        else:
            self.start(TOOLS / "at_call", "--kill", "--at", str(self.rng.randint(1, CALLS)))
        for _ in range(self.rng.randint(0, 8)):
            self.writer.act(self.settle)
            if self.process and self.rng.random() < 0.4 and not self.wait_for_news():
                break
        self.kill()
        if not self.writer.destroys and self.rng.random() < 0.3:
            self.tear()

    def tear(self):
        """The newest generation of the state is damaged, or gone; at times all of them."""
        generations = sorted((self.dir / ".agent").glob("state.*"), key=lambda path: path.stat().st_mtime_ns)
        for path in generations if self.rng.random() < 0.2 else generations[-1:]:
            self.rng.choice([self.cut, self.clear, self.flip, self.delete])(path)

    def cut(self, path):
        os.truncate(path, self.rng.randrange(path.stat().st_size + 1))

    def clear(self, path):
        path.write_bytes(bytes(path.stat().st_size))

    def flip(self, path):
        content = bytearray(path.read_bytes())
        if content:
            content[self.rng.randrange(len(content))] ^= 1 << self.rng.randrange(8)
        path.write_bytes(content)

    def delete(self, path):
        path.unlink()

    def finish(self):
        """The last agent ends in peace; what it says last is right."""
        self.start()
        assert self.wait(), self.log.read_text()  # from its first report on, signals are its own
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait() == 0, self.log.read_text()
        self.process = None
        self.writer.oracle.check(self.result)


def run(base, writer, seed, cycles):
    loop = Loop(base, writer, seed)
    try:
        for _ in range(cycles):
            loop.cycle()
        loop.finish()
    except AssertionError as error:
        raise AssertionError(f"EXPERIMENTS_FAULTS_SEED={seed}, {base}:\n{error}") from None
    finally:
        loop.close()
    shutil.rmtree(base)


def seeds():
    if SEED:
        return [int(SEED)]
    n = max(1, CYCLES // len(WRITERS) // CYCLES_A_RUN)
    first = secrets.randbelow(1 << 32)
    return range(first, first + n)


@pytest.mark.parametrize("writer", WRITERS)
def test_killed_at_random(tmp_path, writer):
    for seed in seeds():
        run(tmp_path / str(seed), WRITERS[writer], seed, CYCLES_A_RUN)
