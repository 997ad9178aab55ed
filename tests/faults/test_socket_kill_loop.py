"""The agent is killed at random, again and again, and so are the clients that report to it on its socket; what
was acknowledged is in the Result, and all that was reported is in it once.

EXPERIMENTS_FAULTS_CYCLES: how many agents (100).
EXPERIMENTS_FAULTS_SEED: only this one, as a failure names it."""

import json
import os
import pathlib
import random
import secrets
import select
import shutil
import signal
import subprocess
import tempfile

from agent.harness import AGENT, clean_environment
from faults.reporters import Reporter
from faults.world import HANGS_S, TOOLS

CYCLES = int(os.environ.get("EXPERIMENTS_FAULTS_CYCLES", "100"))
SEED = os.environ.get("EXPERIMENTS_FAULTS_SEED")
CYCLES_A_RUN = 20  # so many agents for one Result: it is to be published in full
CALLS = 400        # about so many does an agent make in a cycle
CLIENTS = 6
ROWS_A_CLIENT = 50
KILLED = -9


class Loop:
    """One run of some clients under agents that come and go."""

    def __init__(self, base, seed):
        self.rng = rng = random.Random(seed)
        self.dir, self.results, self.log = base / "x", base / "to", base / "log"
        self.dir.mkdir()
        self.process = None
        self.n_replaced = 0
        self.acks, acks = os.pipe2(os.O_NONBLOCK)
        self.clients = [Reporter(i, CLIENTS, str(self.dir / "agent.sock"), rng.choice(["json", "protobuf"]),
                                 rng.choice([1, 1, 40]), acks) for i in range(CLIENTS)]
        for client in self.clients:
            client.start(rng.random())

    def close(self):
        self.kill()
        for client in self.clients:
            client.kill()

    # --- the agent ---

    def start(self, *wrapper):
        """Waits until it listens, or was killed before."""
        command = [*wrapper, AGENT, "--dir", self.dir, "--to", self.results, "--job", "j", "--interval", "10ms,10ms", "--verbose"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, env=clean_environment())
        lines = []
        for line in self.process.stderr:
            lines.append(line)
            if b"listening" in line:
                break
        with open(self.log, "ab") as log:
            log.writelines(lines)
        for client in self.clients:
            client.wake()

    def reap(self):
        with open(self.log, "ab") as log:
            log.write(self.process.stderr.read())
        self.process.stderr.close()
        status = self.process.wait()
        self.process = None
        return status

    def kill(self):
        if self.process:
            self.process.kill()
            assert self.reap() == KILLED, self.log.read_text()

    def wait(self, n):
        """Waits for n acknowledgements or so; False: the agent is dead."""
        pidfd = os.pidfd_open(self.process.pid)
        try:
            while n > 0 and not all(client.is_done() for client in self.clients):
                ready, _, _ = select.select([self.acks, pidfd, self.process.stderr], [], [], HANGS_S)
                assert ready, "nothing is acknowledged any more, but all is said:\n" + "\n".join(map(str, self.clients))
                if self.process.stderr in ready:
                    with open(self.log, "ab") as log:
                        log.write(os.read(self.process.stderr.fileno(), 65536))
                if pidfd in ready:
                    return False
                if self.acks in ready:
                    n -= len(os.read(self.acks, n))
            return True
        finally:
            os.close(pidfd)

    # --- one cycle ---

    def add(self):
        client = self.rng.choice(self.clients)
        room = ROWS_A_CLIENT * client.numbers_an_epoch - client.record.target - 1
        if room > 0:
            client.add(self.rng.randint(1, min(room, 4 * client.numbers_an_epoch)))

    def replace(self):
        client = self.rng.choice(self.clients)
        client.kill()
        client.start(self.rng.random())
        self.n_replaced += 1

    def cycle(self):
        if self.rng.random() < 0.3:
            self.start()
        else:
            self.start(TOOLS / "at_call", "--kill", "--at", str(self.rng.randint(1, CALLS)))
        for _ in range(self.rng.randint(2, 12)):
            if self.rng.random() < 0.6:
                self.add()
            elif self.rng.random() < 0.5:
                self.replace()
            elif not self.wait(self.rng.randint(1, 4)):
                break
        self.kill()

    def finish(self):
        """The last agent acknowledges all, and ends in peace."""
        self.start()
        assert self.wait(1 << 30), self.log.read_text()
        self.process.send_signal(signal.SIGTERM)
        assert self.reap() == 0, self.log.read_text()
        self.check(json.loads((self.results / "j.json").read_text())["status"])

    def check(self, status):
        rows, accepted, rejected, dropped = zip(*(client.wanted() for client in self.clients))
        [metric] = status["metrics"]
        published = dict(zip(status["x"], metric["values"]))
        wanted = {x: value for part in rows for x, value in part.items()}
        assert published == wanted
        counts = status["agent"]
        assert (counts["accepted"], counts["dropped"]) == (sum(accepted), sum(dropped))
        # A message that was cut off by the end of its client is rejected as well, and has no number.
        assert 0 <= counts["rejected"] - sum(rejected) <= self.n_replaced


def run(seed):
    base = pathlib.Path(tempfile.mkdtemp())  # whose path is short enough for a socket
    loop = Loop(base, seed)
    try:
        for _ in range(CYCLES_A_RUN):
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
    first = secrets.randbelow(1 << 32)
    return range(first, first + max(1, CYCLES // CYCLES_A_RUN))


def test_exactly_once_whoever_is_killed():
    for seed in seeds():
        run(seed)
