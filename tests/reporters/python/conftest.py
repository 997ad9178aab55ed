import importlib
import json
import os
import pathlib
import select
import socket
import subprocess
import sys
import tempfile
import textwrap

import pytest

from agent.harness import Agent, clean_environment

PACKAGE = pathlib.Path(__file__).resolve().parents[3] / "reporters/python"
sys.path.insert(0, str(PACKAGE))


@pytest.fixture
def here():
    """A directory whose path is short enough for a socket, wherever the test's own is."""
    with tempfile.TemporaryDirectory() as directory:
        yield pathlib.Path(directory)


@pytest.fixture
def start(here):
    """start(*flags) starts an agent on here/experiments, again after one that was killed."""
    agents = []

    def start_agent(*flags, **kwargs):
        agents.append(Agent(here, *flags, **kwargs))
        return agents[-1]

    yield start_agent
    for agent in agents:
        agent.close()


class Clock:
    """Takes the place of the reporter's clock."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    for module in ("connection", "delivery"):
        monkeypatch.setattr(importlib.import_module(f"experiments.{module}"), "_now", clock)
    return clock


@pytest.fixture(autouse=True)
def told():
    """Each test is told everything anew; the environment's ranks and places are not those of the machine."""
    from experiments import notices
    notices._told.clear()


@pytest.fixture(autouse=True)
def nothing_at_exit():
    """Reporters of a test say nothing at the end of all."""
    yield
    from experiments import reporter
    for one in list(reporter._reporters):
        one._delivery.abandon()
        one._reported = False


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    from experiments import process
    for name in (*process.RANKS, "EXPERIMENTS_SOCKET", "EXPERIMENTS_DIR", "EXPERIMENTS_RANKS"):
        monkeypatch.delenv(name, raising=False)


class Listener:
    """Plays the agent: nothing is answered but what a test says."""

    def __init__(self, path):
        self.path = str(path)
        self.listener = self.client = None
        self.listen()

    def listen(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()

    def accept(self):
        self.client, _ = self.listener.accept()
        self.client.settimeout(60)
        self.lines = self.client.makefile("r")
        return self

    def hear(self, n):
        """The next n messages as (name, fields)."""
        messages = [json.loads(self.lines.readline()) for _ in range(n)]
        return [next(iter(message.items())) for message in messages]

    def hear_all(self):
        """All messages up to the end of the connection."""
        return [next(iter(json.loads(line).items())) for line in self.lines]

    def is_quiet(self):
        return not select.select([self.client], [], [], 0)[0]

    def say(self, *messages):
        self.client.sendall(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    def welcome(self, **fields):
        self.say({"welcome": {"version": 1, **fields}})

    def kept(self, number):
        self.say({"kept": {"number": number}})

    def hang_up(self):
        self.lines.close()
        self.client.close()
        self.client = None

    def close(self):
        if self.client:
            self.hang_up()
        if self.listener:
            self.listener.close()
            os.unlink(self.path)
            self.listener = None


@pytest.fixture
def listener(here):
    listener = Listener(here / "agent.sock")
    yield listener
    listener.close()


@pytest.fixture
def reporter(listener):
    from experiments import Reporter
    return Reporter(listener.path)


class Trainer:
    """A process of its own that trains: hears what it is told with input(), and says with print()."""

    def __init__(self, code, directory, env, python=sys.executable):
        env = {**clean_environment(), "PYTHONPATH": str(PACKAGE), "PYTHONDONTWRITEBYTECODE": "1",
               "EXPERIMENTS_DIR": str(directory), **env}
        self.process = subprocess.Popen([python, "-c", textwrap.dedent(code)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, env=env)

    def say(self, text=""):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def hear(self):
        return self.process.stdout.readline().rstrip("\n")

    def end(self, status=0):
        """What it wrote to stderr, and to stdout since."""
        out, err = self.process.communicate()
        assert self.process.returncode == status, err
        return err, out

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


@pytest.fixture
def train(here):
    trainers = []

    def start_trainer(code, directory=here / "experiments", **env):
        trainers.append(Trainer(code, directory, env))
        return trainers[-1]

    yield start_trainer
    for trainer in trainers:
        trainer.close()
