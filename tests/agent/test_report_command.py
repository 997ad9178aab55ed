"""experiments-agent report: one moment of a training, from a script, to the real agent."""

import json
import pathlib
import re
import socket
import subprocess
import tempfile
import threading

import pytest

from harness import AGENT, clean_environment, run

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def agent(start, tmp_path):
    """An agent, and report(*arguments) to it: a Unix socket's path is short."""
    with tempfile.TemporaryDirectory() as short:
        path = f"{short}/agent.sock"
        agent = start("--socket", path, "--verbose")
        agent.wait_for_log("listening")
        agent.report = lambda *arguments, **env: run("report", *arguments, env={"EXPERIMENTS_SOCKET": path, **env})
        agent.socket = path
        yield agent


def test_what_is_reported_is_kept_when_it_returns(agent):
    told = agent.report("--epoch", "3", "--step", "900", "--epochs", "10", "--output", "/mnt/run", "--checkpoint",
                        "/mnt/run/3.pt", "loss=0.21", "val/acc=0.93", "a=b=1e-3")
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
    agent.process.kill()
    agent.process.wait()
    kept = json.loads(run("state", "--output", "json", agent.dir).stdout)["state"]["fold"]
    assert kept["accepted"] == 1
    agent.close()


def test_each_field_arrives(agent):
    assert agent.report("--epoch", "3", "--epochs", "10", "--output", "/mnt/run", "--checkpoint", "/mnt/run/3.pt",
                        "-p", "lr=0.01", "--parameter", "note=a=b", "loss=0.21", "a=b=1e-3", "bad=nan").returncode == 0
    assert agent.report("--end", "0").returncode == 0
    status = agent.stop()
    assert (status["epoch"], status["totalEpochs"], status["phase"]) == (3, 10, "Succeeded")
    assert status["values"] == {"loss": 0.21, "a=b": 0.001} and status["nonFinite"] == {"bad": 1}
    assert status["job_parameters"] == {"lr": 0.01, "note": "a=b"}
    assert "/mnt/run" in json.dumps(status) and "/mnt/run/3.pt" in json.dumps(status)


def test_steps_alone_and_a_failed_end(agent):
    for step in (100, 200):
        assert agent.report("--step", str(step), "--time", "1700000000.5", f"loss={1 / step}").returncode == 0
    assert agent.report("--end", "3").returncode == 0
    status = agent.stop()
    assert (status["axis"], status["x"], status["phase"], status["attempt"]["exitCode"]) == ("step", [100, 200], "Failed", 3)


def test_a_rejection_says_its_code_and_why(agent):
    told = agent.report("--epoch", "1", "x" * 1025 + "=1")
    assert told.returncode == 1
    assert told.stderr.startswith("experiments-agent report: rejected: name-too-long: ") and told.stderr.count("\n") == 1


def test_a_message_that_is_too_long(agent):
    told = agent.report(*(f"{i:0>1000}=1" for i in range(140)))
    assert (told.returncode, told.stderr) == (1, "experiments-agent report: this is too long for one message\n")


def test_every_rank_reports(agent):
    assert agent.report("--epoch", "1", "loss=1", RANK="3").returncode == 0
    assert agent.stop()["values"] == {"rank3/loss": 1}


def test_without_an_agent_it_fails_at_once():
    with tempfile.TemporaryDirectory() as short:
        missing = run("report", "loss=1", env={"EXPERIMENTS_DIR": short})
        with socket.socket(socket.AF_UNIX) as nobody:
            nobody.bind(f"{short}/agent.sock")
            refused = run("report", "--socket", f"{short}/agent.sock", "loss=1")
    assert (missing.returncode, refused.returncode) == (1, 1)
    assert missing.stderr == f"experiments-agent report: no agent at {short}/agent.sock: No such file or directory\n"
    assert refused.stderr == f"experiments-agent report: no agent at {short}/agent.sock: Connection refused\n"


@pytest.mark.parametrize("wait", [[], ["--wait", "60"]])
def test_where_the_socket_is_none_nothing_is_reported(wait):
    told = run("report", *wait, "loss=1", env={"EXPERIMENTS_SOCKET": "none"})
    assert (told.returncode, told.stderr) == (1, 'experiments-agent report: the socket is "none": nothing is reported\n')


def test_it_waits_for_an_agent_that_is_not_there_yet(start):
    with tempfile.TemporaryDirectory() as short:
        path = f"{short}/agent.sock"
        told = subprocess.Popen([AGENT, "report", "--socket", path, "--wait", "1000", "--epoch", "1", "loss=1"],
                                env=clean_environment(), stderr=subprocess.PIPE, text=True)
        agent = start("--socket", path)
        assert told.wait() == 0 and told.stderr.read() == ""
        told.stderr.close()
        assert agent.stop()["values"] == {"loss": 1}


def test_an_agent_that_does_not_answer():
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as silent:
        silent.bind(f"{short}/agent.sock")
        silent.listen()
        told = run("report", "--socket", f"{short}/agent.sock", "--wait", "0.2", "loss=1")
        never = run("report", "--socket", f"{short}/not", "--wait", "0.2", "loss=1")
    assert (told.returncode, told.stderr) == (1, f"experiments-agent report: the agent at {short}/agent.sock does not answer\n")
    assert (never.returncode, never.stderr) == (1, f"experiments-agent report: no agent at {short}/not: No such file or directory\n")


def test_an_agent_that_dies_before_it_has_kept_it_gets_it_again():
    """The first one takes the report and closes without an answer; the second acknowledges."""
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{short}/agent.sock")
        listening.listen()
        told = subprocess.Popen([AGENT, "report", "--socket", f"{short}/agent.sock", "--wait", "1000", "loss=1"],
                                env=clean_environment())
        heard = []
        for answer in (b"", b'{"kept": {"number": 1}}\n'):
            client, _ = listening.accept()
            with client, client.makefile("rb") as lines:
                heard.append([json.loads(lines.readline()), json.loads(lines.readline())])
                client.sendall(answer)
                if answer:
                    assert told.wait() == 0
    (hello, report), again = heard
    assert again == [hello, report] and report["report"]["metrics"] == {"loss": 1}


def test_a_version_that_is_not_spoken():
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{short}/agent.sock")
        listening.listen()

        def refuse():
            for _ in range(2):  # the first looks whether anybody is there
                client, _ = listening.accept()
                with client, client.makefile("rb") as lines:
                    if lines.readline():
                        client.sendall(b'{"rejected": {"code": "version-not-spoken", "message": "2 and 3 are"}}\n')
                        lines.read()

        thread = threading.Thread(target=refuse)
        thread.start()
        told = run("report", "--socket", f"{short}/agent.sock", "loss=1")
        thread.join()
    assert (told.returncode, told.stderr) == (1, "experiments-agent report: rejected: version-not-spoken: 2 and 3 are\n")


@pytest.mark.parametrize("arguments, text", [
    ([], "nothing to tell: expected NAME=VALUE"),
    (["--time", "3"], "nothing to tell: expected"),
    (["loss"], "loss: expected NAME=VALUE"),
    (["=1"], "=1: expected NAME=VALUE"),
    (["loss=low"], "loss=low: expected a number as VALUE"),
    (["--epoch", "-1", "loss=1"], "--epoch: expected a number, 0 or more"),
    (["--epoch", "nan", "loss=1"], "--epoch: expected a number, 0 or more"),
    (["--epochs", "0", "loss=1"], "--epochs: expected a number above 0"),
    (["--end", "256"], "--end: expected an exit status"),
    (["--end"], "--end: expected an argument"),
    (["--wait", "x", "loss=1"], "--wait: expected seconds"),
    (["--parameter", "lr"], "--parameter: expected NAME=VALUE"),
    (["--ephoc", "1"], "--ephoc: expected a flag that there is"),
    (["--socket", "x" * 108, "loss=1"], "the socket's path: expected at most 107 bytes"),
    ([f"m{i}=1" for i in range(1025)], "expected at most 1024 metrics"),
])
def test_wrong_use(arguments, text):
    told = run("report", *arguments)
    assert told.returncode == 2 and text in told.stderr and told.stderr.count("\n") == 1


def test_help_names_every_flag():
    told = run("report", "--help")
    assert told.returncode == 0 and "Usage: experiments-agent report" in told.stdout
    completion = subprocess.run(["bash", "-c", f"source {ROOT}/agent/experiments-agent.bash; COMP_WORDS=(experiments-agent report -) "
                                 "COMP_CWORD=2; _experiments_agent; printf '%s\n' \"${COMPREPLY[@]}\""],
                                capture_output=True, text=True, check=True).stdout.split()
    manual = (ROOT / "agent/experiments-agent.1").read_text().replace("\\-", "-").partition(".SS Of report")[2].partition(".S")[0]
    flags = re.findall(r"^ +(?:-\w, )?(--[a-z]+)", told.stdout, re.M)
    assert "--epoch" in flags and sorted(flags) == sorted(completion)
    assert sorted(flags) == sorted(["--help", *re.findall(r"\\fB(--[a-z]+)", manual)])
