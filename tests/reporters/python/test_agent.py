"""The package with the real agent: what trainers report is in the Result, each report once."""

import json
import os
import random
import signal
import time

import pytest

from agent.harness import curve

from experiments import Reporter, connection

IMPORT = "import experiments, os, sys, threading, signal\n"


def accepted(status):
    return status["agent"]["accepted"], status["agent"]["dropped"], status["agent"]["rejected"]


def test_one_call_and_nothing_else(start, train):
    agent = start()
    train("""
        import experiments
        experiments.report(epoch=3, loss=0.21)
    """).end()
    status = agent.stop()
    assert (status["phase"], status["x"], status["values"]) == ("Succeeded", [3], {"loss": 0.21})
    assert accepted(status) == (2, 0, 0)


def test_everything_that_can_be_said(start, train):
    agent = start()
    train("""
        import experiments
        with experiments.log(epochs=90, output="/mnt/out", parameters={"lr": 0.1, "optimizer": "adam"}) as log:
            log.report(epoch=1, loss=0.5, metrics={"val/acc": 0.75}, checkpoint="/mnt/out/1")
            log.report(epoch=2, loss=float("nan"), metrics={"val/acc": 0.875})
            print(experiments.flush(60), experiments.dropped(), experiments.should_stop())
    """).end()
    status = agent.stop()
    assert curve(status, "val/acc") == {1: 0.75, 2: 0.875} and curve(status, "loss") == {1: 0.5, 2: None}
    assert status["job_parameters"] == {"lr": 0.1, "optimizer": "adam"} and status["nonFinite"] == {"loss": 1}
    assert (status["phase"], status["totalEpochs"], status["checkpoint"]["path"]) == ("Succeeded", 90, "/mnt/out/1")
    assert accepted(status)[2] == 0


@pytest.mark.parametrize("code, exit_status, phase, exit_code", [
    ("raise ValueError('no data')", 1, "Failed", 1),
    ("raise KeyboardInterrupt", -signal.SIGINT, "Failed", 130),
    ("experiments.end(3, 'no data')", 0, "Failed", 3),
    ("with experiments.log(): sys.exit(4)", 4, "Failed", 4),
    ("with experiments.log(): 1 / 0", 1, "Failed", 1),
    ("with experiments.log(): sys.exit()", 0, "Succeeded", None),
    ("os._exit(0)", 0, "Interrupted", None),
    ("os.kill(os.getpid(), 9)", -9, "Interrupted", None),
])
def test_how_it_ended(start, train, code, exit_status, phase, exit_code):
    agent = start()
    train(IMPORT + "experiments.report(epoch=1, loss=1)\nexperiments.flush(60)\n" + code).end(exit_status)
    status = agent.stop()
    assert (status["phase"], status["attempt"].get("exitCode")) == (phase, exit_code)
    assert status["x"] == [1]


def test_the_agent_starts_after_the_trainer(start, train, here):
    (here / "experiments").mkdir()
    trainer = train(IMPORT + """if True:
        for epoch in range(100):
            experiments.report(epoch=epoch, loss=epoch)
        print("reported", flush=True)
        input()
        experiments.report(epoch=100, loss=100)
        print(experiments.flush(60), experiments.dropped(), flush=True)
    """)
    assert trainer.hear() == "reported"
    agent = start("--verbose")
    agent.wait_for_log("listening")
    trainer.say()
    assert trainer.hear() == "True 0"
    trainer.end()
    status = agent.stop()
    assert curve(status, "loss") == {epoch: epoch for epoch in range(101)} and accepted(status) == (102, 0, 0)
    assert not list((here / "experiments").glob("reported*"))


def test_an_agent_that_is_killed_at_random_counts_each_report_once(start, here, monkeypatch):
    monkeypatch.setattr(connection, "RETRY_SECONDS", 0.001)
    chance = random.Random(7)
    (here / "experiments").mkdir()
    reporter = Reporter(str(here / "experiments/agent.sock"))
    epoch = 0
    for _ in range(25):
        agent = start()
        for _ in range(chance.randrange(200)):
            reporter.report(epoch=epoch, loss=epoch)
            epoch += 1
            if chance.random() < 0.1:
                reporter.flush(chance.random() / 50)
        agent.process.kill()
        agent.process.wait()
        for _ in range(chance.randrange(20)):
            reporter.report(epoch=epoch, loss=epoch)
            epoch += 1
    agent = start()
    assert reporter.flush(60)
    status = agent.stop()
    assert accepted(status) == (epoch, 0, 0) and reporter.dropped() == reporter.unconfirmed() == 0
    assert all(x == value for x, value in curve(status, "loss").items()) and status["epoch"] == epoch - 1


def test_a_trainer_that_is_killed_loses_nothing_that_was_sent(start, train):
    agent = start()
    trainer = train(IMPORT + """if True:
        for epoch in range(50):
            experiments.report(epoch=epoch, loss=epoch)
        os.kill(os.getpid(), 9)
    """)
    trainer.end(-9)
    assert agent.wait_for_accepted(50)["x"] == list(range(50))


def test_a_child_of_fork_is_a_client_of_its_own(start, train):
    agent = start()
    err, out = train(IMPORT + """if True:
        experiments.report(epoch=1, loss=1)
        for _ in range(2):
            if os.fork() == 0:
                experiments.report(epoch=2, child=2)
                sys.exit()  # says no end: the training goes on
        os.wait()
        os.wait()
        experiments.report(epoch=3, loss=3)
        print(experiments.flush(60), flush=True)
        os._exit(0)
    """).end()
    assert (err, out) == ("", "True\n")
    status = agent.stop()
    assert curve(status, "loss") == {1: 1, 2: None, 3: 3} and curve(status, "child") == {1: None, 2: 2, 3: None}
    assert accepted(status) == (4, 0, 0) and status["phase"] == "Interrupted"


def test_a_fork_while_threads_report(start, train):
    """The lock may be taken when the child is made, and the parent's stream must not be torn."""
    agent = start()
    train(IMPORT + """if True:
        def work():
            for step in range(3000):
                experiments.report(step=step, thread=step)
        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for i in range(20):
            if os.fork() == 0:
                experiments.report(step=i, child=i)
                os._exit(not experiments.flush(60))
            assert os.wait()[1] == 0
        for thread in threads:
            thread.join()
        assert experiments.flush(60) and experiments.dropped() == 0
    """).end()
    assert accepted(agent.stop()) == (6000 + 20 + 1, 0, 0)


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_workers_of_multiprocessing(start, train, here, method):
    """As the workers of a DataLoader: they have the parent's memory, live beside it, and end without atexit."""
    agent = start()
    script = here / "train.py"
    script.write_text(IMPORT + f"""
import multiprocessing, runpy

def worker(i, batches):
    for batch in range(20):
        experiments.report(step=batch, metrics={{f"worker{{i}}": batch}})
        batches.put(batch)
    assert experiments.flush(60)

if __name__ == "__main__":
    context = multiprocessing.get_context("{method}")
    experiments.report(step=0, loss=0)
    batches = context.Queue()
    workers = [context.Process(target=worker, args=(i, batches)) for i in range(3)]
    for one in workers:
        one.start()
    for step in range(60):
        batches.get()
        experiments.report(step=step, loss=step)
    for one in workers:
        one.join()
        assert one.exitcode == 0
""")
    err, _ = train(f"import runpy, sys; sys.path.insert(0, {str(here)!r}); sys.argv[0] = {str(script)!r}\n"
                   f"import os; os.execv(sys.executable, [sys.executable, {str(script)!r}])").end()
    assert err == ""
    status = agent.stop()
    assert accepted(status) == (1 + 60 + 60 + 1, 0, 0) and status["phase"] == "Succeeded"
    assert [status["values"][name] for name in ("worker0", "worker1", "worker2", "loss")] == [19, 19, 19, 59]


@pytest.mark.parametrize("variables, expected", [
    ({"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2"}, {"loss": 0}),
    ({"RANK": "1", "LOCAL_RANK": "1"}, {}),
    ({"RANK": "8", "LOCAL_RANK": "0"}, {}),
    ({"LOCAL_RANK": "1"}, {}),
    ({"SLURM_PROCID": "3"}, {}),
    ({"OMPI_COMM_WORLD_RANK": "1"}, {}),
    ({"OMPI_COMM_WORLD_RANK": "1", "SLURM_PROCID": "0"}, {}),  # mpirun in a batch script
    ({"PMI_RANK": "1"}, {}),
    ({"PMI_RANK": "none"}, {"loss": 0}),
    ({"RANK": "3", "EXPERIMENTS_RANKS": "all"}, {"rank3/loss": 0}),
])
def test_only_rank_0_reports_unless_told(start, train, variables, expected):
    agent = start()
    err, out = train("""
        import experiments
        experiments.report(epoch=1, loss=0)
        experiments.report(epoch=1, loss=0)
        experiments.parameters({"lr": 1})
        print(experiments.flush(60), experiments.should_stop())
    """, **variables).end()
    assert (err, out) == ("", "True False\n")
    status = agent.stop()
    assert (status or {"values": {}})["values"] == expected
    assert ("job_parameters" in (status or {})) == bool(expected)


def test_a_rank_that_is_named_reports(start, train):
    agent = start()
    train(IMPORT + "r = experiments.Reporter(rank=2)\nr.report(epoch=1, loss=1)\nprint(r.flush(60))", RANK="2").end()
    assert agent.stop()["values"] == {"rank2/loss": 1}


def test_the_rank_that_torch_distributed_knows(start, train):
    """Processes of torch.multiprocessing.spawn have no rank in their environment."""
    agent = start()
    train("""
        import sys, types
        module = types.ModuleType("torch.distributed")
        module.is_available = module.is_initialized = lambda: True
        module.get_rank = lambda: 1
        sys.modules["torch.distributed"] = module
        import experiments
        experiments.report(epoch=1, loss=0)
    """).end()
    agent.stop()
    assert not (agent.to / "job-1.json").exists() or agent.status["agent"]["accepted"] == 0


def test_reports_from_signal_handlers(start, train):
    agent = start()
    trainer = train(IMPORT + """if True:
        handled = []
        def handler(*_):
            handled.append(True)  # in one step: handlers interrupt each other, too
            experiments.report(step=len(handled), handler=1)
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        step = 0
        while len(handled) < 200:
            step += 1
            experiments.report(step=step, loss=step)
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert experiments.flush(60) and experiments.dropped() == 0
        print(step + len(handled))
    """)
    err, out = trainer.end()
    assert accepted(agent.stop()) == (int(out) + 1, 0, 0) and err == ""


def test_no_agent_and_no_directory(train):
    err, out = train("""
        import experiments, time
        for epoch in range(3):
            experiments.report(epoch=epoch, loss=0.5)
        experiments.parameters({"lr": 1})
        print(experiments.should_stop(), experiments.stop_reason(), experiments.flush(60), experiments.dropped())
    """, directory="/nowhere").end()
    assert out == "False None True 0\n"
    assert err == "experiments: nothing is reported: EXPERIMENTS_SOCKET is not set, and there is no directory /nowhere\n"


def test_where_the_socket_is_none_nothing_is_reported(start, train, here):
    agent = start()
    err, out = train("import experiments\nexperiments.report(epoch=1, loss=1)\nprint(experiments.flush(60))",
                     EXPERIMENTS_SOCKET="none").end()
    assert (err, out) == ("", "True\n")
    assert (agent.stop() or {"values": {}})["values"] == {}
    assert not (here / "experiments/reported.jsonl").exists()


def test_a_directory_without_an_agent_gets_the_metrics_file(start, train, here):
    (here / "experiments").mkdir()
    err, out = train("""
        import experiments
        for epoch in range(3):
            experiments.report(epoch=epoch, loss=epoch / 4, nan=float("nan"), checkpoint=f"/c/{epoch}", metrics={"val/acc": 1})
        experiments.report(epochs=3)
    """).end()
    assert err == ""
    lines = [json.loads(line) for line in (here / "experiments/reported.jsonl").read_text().splitlines()]
    assert abs(lines[0].pop("time") - time.time()) < 3600
    assert lines[0] == {"epoch": 0, "loss": 0, "nan": "NaN", "checkpoint": "/c/0", "val/acc": 1} and lines[-1] == {"end": True}
    agent = start()
    agent.wait_for_accepted(5)
    status = agent.stop()
    assert curve(status, "loss") == {0: 0, 1: 0.25, 2: 0.5} and status["phase"] == "Succeeded" and status["totalEpochs"] == 3


def test_a_file_of_a_rank_and_all_that_can_be_in_it(start, here, clock, monkeypatch):
    (here / "experiments").mkdir()
    monkeypatch.setenv("EXPERIMENTS_DIR", str(here / "experiments"))
    told = dict(epoch=1, step=10, epochs=9, output='/out/"metrics":{', checkpoint="/c")
    for rank in (0, 3):
        reporter = Reporter(rank=rank)
        reporter.report(**told, loss=0.5, metrics={'"metrics":{': 0.25})
        reporter.report(epoch=2)
        clock.now += 10
        reporter.report(**{**told, "epoch": 3}, loss=0.75)
    agent = start()
    agent.wait_for_accepted(1)
    status = agent.stop()
    assert curve(status, "loss") == curve(status, "rank3/loss") == {1: 0.5, 3: 0.75}
    assert status["values"]['"metrics":{'] == 0.25
    assert (status["totalEpochs"], status["outputPath"], status["checkpoint"]["path"]) == (9, '/out/"metrics":{', "/c")


def test_a_trainer_that_writes_the_file_goes_on_with_it_when_the_agent_comes(start, here, clock, monkeypatch):
    (here / "experiments").mkdir()
    monkeypatch.setenv("EXPERIMENTS_DIR", str(here / "experiments"))
    reporter = Reporter()
    for epoch in range(5):
        reporter.report(epoch=epoch, loss=epoch)
    assert not (here / "experiments/reported.jsonl").exists()
    clock.now += 10
    reporter.report(epoch=5, loss=5)
    agent = start("--verbose")
    agent.wait_for_log("listening")
    clock.now += 10
    reporter.report(epoch=6, loss=6)
    assert reporter.flush(0)
    (here / "experiments/stop").write_text("preempted\n")
    assert reporter.should_stop() and reporter.stop_reason() == "preempted"
    status = agent.stop()
    assert curve(status, "loss") == {epoch: epoch for epoch in range(7)} and accepted(status) == (7, 0, 0)


def test_a_trainer_that_once_had_the_agent_writes_no_file(start, here, clock, monkeypatch):
    monkeypatch.setenv("EXPERIMENTS_DIR", str(here / "experiments"))
    agent = start("--verbose")
    agent.wait_for_log("listening")
    reporter = Reporter()
    reporter.report(epoch=1, loss=1)
    assert reporter.flush(60)
    agent.process.kill()
    agent.process.wait()
    for epoch in range(2, 5):
        clock.now += 100
        reporter.report(epoch=epoch, loss=epoch)
    assert not reporter.flush(0)
    agent = start()
    agent.wait_for_report()
    clock.now += 1
    reporter.should_stop()
    while not reporter.flush(1):
        clock.now += 1
    assert accepted(agent.stop()) == (4, 0, 0)
    assert not list((here / "experiments").glob("reported*"))


def test_a_directory_that_cannot_be_written(here, clock, monkeypatch, caplog):
    (here / "experiments").mkdir()
    (here / "experiments/reported.jsonl").mkdir()  # mode bits hold back no root
    monkeypatch.setenv("EXPERIMENTS_DIR", str(here / "experiments"))
    reporter = Reporter()
    reporter.report(epoch=1, loss=1)
    clock.now += 10
    reporter.report(epoch=2, loss=2)
    reporter.report(epoch=3, loss=3)
    assert not reporter.flush(0) and reporter.dropped() == 0
    [record] = caplog.records
    assert "no agent listens" in record.getMessage() and "Is a directory" in record.getMessage()


def test_a_disk_that_is_full(here, clock, monkeypatch, caplog):
    (here / "experiments").mkdir()
    (here / "experiments/reported.jsonl").symlink_to("/dev/full")
    monkeypatch.setenv("EXPERIMENTS_DIR", str(here / "experiments"))
    reporter = Reporter()
    reporter.report(epoch=1)
    clock.now += 10
    reporter.report(epoch=2)
    reporter.report(epoch=3)
    assert reporter.dropped() == 3 and len(caplog.records) == 1 and "No space left" in caplog.text


def test_an_exit_without_the_agent_takes_two_seconds_at_most_and_is_told(start, train):
    agent = start()
    trainer = train(IMPORT + """if True:
        experiments.report(epoch=1, loss=1)
        print(experiments.flush(60), flush=True)
        input()
        experiments.report(epoch=2, loss=2)
    """)
    assert trainer.hear() == "True"
    agent.process.kill()
    agent.process.wait()
    trainer.say()
    err, _ = trainer.end()
    assert err == "experiments: 2 messages are not acknowledged by the agent at the end\n"


def test_a_stopped_agent_holds_nobody_up(start, train):
    """SIGSTOP: it is connected and reads nothing."""
    agent = start()
    trainer = train(IMPORT + """if True:
        experiments.report(epoch=0, loss=0)
        print(experiments.flush(60), flush=True)
        input()
        for epoch in range(1, 5001):
            experiments.report(epoch=epoch, loss=epoch)
        print(experiments.dropped(), flush=True)
        input()
    """)
    assert trainer.hear() == "True"
    os.kill(agent.process.pid, signal.SIGSTOP)
    trainer.say()
    assert trainer.hear() == "0"
    os.kill(agent.process.pid, signal.SIGCONT)
    trainer.say()
    trainer.end()
    assert accepted(agent.stop()) == (5002, 0, 0)
