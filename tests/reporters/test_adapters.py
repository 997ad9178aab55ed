"""The adapters of the Python reporter: the real framework, and what the agent publishes is the framework's own history.

Each of adapters/ trains for seconds and leaves that history (adapters/told.py). Small ones need tests/trainers/small.txt,
large ones all of make test-trainers; -k chooses, and none is left out when its framework is missing."""

import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading

import pytest

from agent.harness import Agent, clean_environment

HERE = pathlib.Path(__file__).resolve().parent
REPORTER = HERE.parent.parent / "reporters/python"

# {driver: x of the last report after a stop was requested at the report with x 2}
SMALL = {"keras_fit": 2, "xgboost_train": 2, "xgboost_cv": 2, "xgboost_classifier": 2, "lightgbm_train": 2, "lightgbm_cv": 2,
         "sklearn_mlp": 2, "sklearn_sgd": 2, "optuna_study": 2, "optuna_objectives": 2, "optuna_trial": 2}
LARGE = {"lightning_fit": 2, "transformers_trainer": 2.25, "fastai_learner": 2, "ignite_engine": 3}
ONLY_CURVES = ["lightgbm_early_stopping", "optuna_pruned"]


def parameters(*sets):
    """Named small-… or large-…, and the first value."""
    rows = [(size, row if isinstance(row, tuple) else (row,)) for size, rows in sets for row in rows]
    return [pytest.param(*row, id=f"{size}-{row[0]}") for size, row in rows]


def train(driver, work, epochs, sock, launcher=(), **more):
    """Runs it to its end; what it tells of its training."""
    done = subprocess.run([sys.executable, *launcher, HERE / f"adapters/{driver}.py"], cwd=work, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=clean_environment({
                              "PYTHONPATH": str(REPORTER), "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(work),
                              "OMP_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu", "HF_HUB_OFFLINE": "1", "LC_ALL": "C.UTF-8",
                              "EXPERIMENTS_SOCKET": str(sock), "EXPERIMENTS_TEST_EPOCHS": str(epochs), **more}))
    assert done.returncode == 0, done.stdout[-4000:]
    return json.loads((work / "truth.json").read_text())


@pytest.fixture
def work():
    """Short enough a path for a socket."""
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory, "work")
        work.mkdir()
        yield work


def published(status):
    return {column["name"]: [[x, value] for x, value in zip(status["x"], column["values"]) if value is not None]
            for column in status["metrics"]}


@pytest.mark.parametrize("driver", parameters(("small", [*SMALL, *ONLY_CURVES]), ("large", LARGE)))
def test_the_result_is_the_history(driver, work):
    agent = Agent(work.parent, "--verbose")
    try:
        agent.wait_for_log("listening")
        truth = train(driver, work, 4, agent.dir / "agent.sock")
        status = agent.stop()
    finally:
        agent.close()
    assert published(status) == truth["curves"]
    assert status["axis"].lower() == truth["axis"]
    assert {name: status.get(name) for name in truth["status"]} == truth["status"]
    assert (status["agent"]["rejected"], status["agent"]["dropped"]) == (0, 0)


# --- a stop ---

class ScriptedAgent(threading.Thread):
    """Acknowledges everything. Before the acknowledgement of the report with this x it requests a stop, of that client."""

    def __init__(self, path, x):
        super().__init__(daemon=True)
        self.reports, self.asked, self.x, self.path, self.talks = [], False, x, path, []
        self.listener = socket.create_server(str(path), family=socket.AF_UNIX)
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.talks.append(threading.Thread(target=self.talk, args=[client], daemon=True))
            self.talks[-1].start()

    def talk(self, client):
        with client, client.makefile("r", encoding="utf-8") as lines:
            for line in lines:
                answers = [json.dumps(answer) + "\n" for answer in self.answers(json.loads(line))]
                client.sendall("".join(answers).encode())

    def answers(self, message):
        [(name, content)] = message.items()
        if name == "hello":
            yield {"welcome": {"version": 1, "job": "j", "result": "j"}}
            return
        if name == "report":
            self.reports.append(content)
            if content.get("epoch", content.get("step", -1)) >= self.x and not self.asked:
                self.asked = True
                yield {"stop": {"reason": "worse than the median"}}
        yield {"kept": {"number": content.get("number", 0)}}

    def close(self):
        """When the clients have ended: all that they said is in reports."""
        self.listener.shutdown(socket.SHUT_RDWR)
        for thread in (self, *self.talks):
            thread.join()
        self.listener.close()


@pytest.mark.parametrize("driver, last", parameters(("small", SMALL.items()), ("large", LARGE.items())))
def test_a_stop_ends_the_training(driver, last, work):
    agent = ScriptedAgent(work / "agent.sock", 2)
    truth = train(driver, work, 1000, agent.path, EXPERIMENTS_TEST_WAIT="1")
    agent.close()
    assert agent.asked
    assert {curve[-1][0] for curve in truth["curves"].values()} == {last}
    assert [report for report in agent.reports if report.get("metrics")][-1][truth["axis"]] == last
    checkpoints = [report["checkpoint"] for report in agent.reports if "checkpoint" in report]
    assert checkpoints[-1:] == [truth["status"]["checkpoint"]["path"] for _ in checkpoints[-1:]]


@pytest.mark.parametrize("driver", parameters(("small", SMALL), ("large", LARGE)))
def test_a_stop_in_an_epoch_does_not_wait_for_its_end(driver, work):
    """It was requested before the training: one batch is trained on, or one round or trial."""
    agent = ScriptedAgent(work / "agent.sock", -1)
    truth = train(driver, work, 1000, agent.path, EXPERIMENTS_TEST_WAIT="1")
    agent.close()
    assert truth["curves"] and {len(curve) for curve in truth["curves"].values()} == {1}
    assert truth["n_batches"] in (None, 1)


TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


@pytest.mark.parametrize("driver, launcher", parameters(
    ("small", [("xgboost_workers", [])]),
    ("large", [(driver, TORCHRUN) for driver in ("lightning_fit", "transformers_trainer", "ignite_engine")])))
def test_a_stop_of_one_process_is_one_of_all(driver, launcher, work):
    """Otherwise those that go on wait for the one that ended, and it for them."""
    agent = ScriptedAgent(work / "agent.sock", 2)
    truth = train(driver, work, 1000, agent.path, launcher, EXPERIMENTS_TEST_WAIT="1")
    agent.close()
    assert agent.asked
    assert {curve[-1][0] for curve in truth["curves"].values()} <= {2, 2.5, 3}
