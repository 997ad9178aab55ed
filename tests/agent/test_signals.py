"""Signals and clocks: the end in its time, what is no end, and what may happen to a process meanwhile."""

import os
import select
import signal
import socket
import subprocess

import pytest

from harness import AGENT, append, clean_environment, curve, run, wait_for_kept, wait_for_line


@pytest.fixture
def clock(tmp_path):
    """set(text) writes a line to the agent's test clock; set.env is what the agent is to be started with."""
    path = tmp_path / "clock"
    os.mkfifo(path)

    def set_clock(text):
        path.write_text(f"{text}\n")

    set_clock.env = {"EXPERIMENTS_TEST_CLOCK": str(path)}
    return set_clock


@pytest.fixture
def deaf_server():
    """The flags for a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield ["--server", f"http://127.0.0.1:{server.getsockname()[1]}"]


# --- the end ---


def test_the_end_is_within_the_grace_period(start, clock, deaf_server):
    agent = start("--grace", "3s", *deaf_server, env=clock.env)
    append(agent.dir / "metrics.jsonl", {"epoch": 1, "loss": 1})
    agent.wait_for_accepted(1)
    agent.process.terminate()
    agent.wait_for_log("reading what is left")
    clock(3)
    assert agent.process.wait() == 0
    assert "did not get through in time" in agent.log.read_text()


def test_half_of_it_is_for_the_last_report(start, clock, deaf_server):
    """The server is asked for the trainer's exit code, and does not answer."""
    agent = start("--grace", "1.5s", *deaf_server, env={**clock.env, "POD_NAME": "job-1-x"})
    append(agent.dir / "metrics.jsonl", {"epoch": 1, "loss": 1}, {"end": True})
    agent.wait_for_accepted(1)
    agent.process.terminate()
    agent.wait_for_log("half of the grace period is over")
    assert agent.process.wait() == 0
    assert agent.status["phase"] == "Succeeded"


def test_a_second_signal_ends_it_at_once(start, deaf_server):
    agent = start("--grace", "10h", *deaf_server)
    append(agent.dir / "metrics.jsonl", {"epoch": 1, "loss": 1})
    agent.wait_for_accepted(1)
    agent.process.terminate()
    agent.wait_for_log("reading what is left")
    agent.process.terminate()
    assert agent.process.wait() == 0
    assert "leaving at once" in agent.log.read_text()


@pytest.mark.parametrize("value", ["0", "-1s", "soon", "5x"])
def test_a_grace_period_is_a_duration(value):
    done = run("--grace", value)
    assert done.returncode == 2 and "--grace: expected a duration such as 20s" in done.stderr


# --- no end ---


def test_a_hangup_is_no_end(start):
    agent = start()
    append(agent.dir / "metrics.jsonl", {"epoch": 1, "loss": 1})
    agent.wait_for_accepted(1)
    agent.process.send_signal(signal.SIGHUP)
    agent.wait_for_log("SIGHUP: credentials are read again")
    append(agent.dir / "metrics.jsonl", {"epoch": 2, "loss": 0.5})
    agent.wait_for_accepted(2)
    assert agent.stop()["agent"]["accepted"] == 2


def test_stopped_and_continued_it_goes_on(start):
    agent = start()
    append(agent.dir / "metrics.jsonl", {"epoch": 1, "loss": 1})
    agent.wait_for_accepted(1)
    for epoch in range(2, 6):
        agent.process.send_signal(signal.SIGSTOP)
        assert os.WIFSTOPPED(os.waitpid(agent.process.pid, os.WUNTRACED)[1])
        append(agent.dir / "metrics.jsonl", {"epoch": epoch, "loss": 1 / epoch})
        agent.process.send_signal(signal.SIGCONT)
        agent.wait_for_accepted(epoch)
    assert list(curve(agent.stop(), "loss")) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("jump", ["86400", "-86400", "1e9", "-1e9"])
def test_the_wall_clock_may_jump(start, clock, jump):
    """What is due is due all the same, and later."""
    agent = start("--interval", "1m,1m", env=clock.env)
    append(agent.dir / "metrics.jsonl", {"epoch": 1, "loss": 1})
    agent.wait_for_accepted(1)
    for epoch in (2, 3):
        clock(f"wall {jump}")
        append(agent.dir / "metrics.jsonl", {"epoch": epoch, "loss": 1 / epoch})
        wait_for_kept(agent.dir, epoch)
        clock(60)
        agent.wait_for_accepted(epoch)
    clock(f"wall {jump}")
    status = agent.stop()
    assert list(curve(status, "loss")) == [1, 2, 3]
    assert status["startTime"] and status["lastReportTime"] and status["completionTime"]


# --- as the first process of a container ---


def read_pid(path):
    with open(path) as fifo:
        return int(fifo.read())


def test_as_process_1_it_reaps_what_it_did_not_make(tmp_path):
    """A child of a shell that has ended is given to process 1; when it ends, nothing of it is left."""
    experiments, results, log = tmp_path / "experiments", tmp_path / "results", tmp_path / "log"
    experiments.mkdir()
    for fifo in ("pids", "orphan"):
        os.mkfifo(tmp_path / fifo)
    # The first word of /proc/self/stat is the number in the namespace that /proc was mounted in: ours.
    orphan = 'read -r pid rest </proc/self/stat; echo $pid >"$0/pids"; read -r line <"$0/orphan"'
    script = f"(sh -c '{orphan}' \"$0\" &); exec \"$@\""
    with open(log, "ab") as errors:
        process = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--pid", "--fork", "sh", "-c", script, tmp_path,
             AGENT, "--dir", experiments, "--to", results, "--job", "job-1"],
            stderr=errors, env=clean_environment())
    pid = read_pid(tmp_path / "pids")
    pidfd = os.pidfd_open(pid)
    try:
        append(experiments / "metrics.jsonl", {"epoch": 1, "loss": 1})
        wait_for_line(log, process, "following")
        (tmp_path / "orphan").write_text("end\n")
        select.select([pidfd], [], [])
        while os.path.exists(f"/proc/{pid}"):  # readable a moment before the kernel has taken it away
            os.sched_yield()
        with open(f"/proc/{process.pid}/task/{process.pid}/children") as children:
            (agent,) = children.read().split()
        os.kill(int(agent), signal.SIGTERM)
        assert process.wait() == 0
    finally:
        os.close(pidfd)
        if process.poll() is None:
            process.kill()
    assert "done" in log.read_text()
