"""Flags, variables, and wrong use."""

import json
import os

import pytest

from harness import append, run


@pytest.mark.parametrize("arguments, flag, expected", [
    (["--metrics"], "--metrics", "an argument"),
    (["--job"], "--job", "an argument"),
    (["--bogus"], "--bogus", "no such flag"),
    (["extra"], "'extra'", "expected a flag"),
    (["--job", "Not_A_Name"], "--job", "the name of a Job"),
    (["--namespace", "-x"], "--namespace", "the name of a namespace"),
    (["--server", "ftp://host"], "--server", "https://HOST"),
    (["--interval", "9,1"], "--interval", "MIN[,MAX]"),
    (["--interval", "soon"], "--interval", "MIN[,MAX]"),
    (["--interval", "0"], "--interval", "MIN[,MAX]"),
    (["--axis", "time"], "--axis", "auto, epoch, step, trial or row"),
    (["--aggregate", "loss=median"], "--aggregate", "last, mean, min or max"),
    (["--objective", ""], "--objective", "METRIC"),
    (["--owner", "pod"], "--owner", "auto, experiment, job or none"),
    (["--log-format", "xml"], "--log-format", "text or json"),
    (["--dir", ""], "--dir", "not empty"),
    (["--to", "."], "--job", "NAME"),
    (["--to", ".", "--dir", ".", "--job", "a"], "--to", "a directory of its own"),
    (["--filter", "(a+?)=(b)"], "--filter", "no lazy quantifiers"),
    (["--filter", r"\b(a)=(b)"], "--filter", r"no \b"),
    (["--filter", "(?P<n>a)=(b)"], "--filter", "no named groups"),
    (["--filter", "(a)=b"], "--filter", "a group for the name and one for the value"),
    (["--filter", "(a)=(b"], "--filter", "a ) for each ("),
    (["--filter", "(a)(b)"] * 9, "--filter", "at most 8"),
    (["parse", "--filter", "(a+?)=(b)", "x"], "--filter", "no lazy quantifiers"),
    (["parse"], "parse", "FILE"),
    (["parse", "--bogus", "x"], "--bogus", ""),
])
def test_wrong_use_is_one_line_that_says_what_was_expected(arguments, flag, expected, tmp_path):
    done = run(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert flag in done.stderr and expected in done.stderr


def test_a_wrong_variable_is_named_as_such():
    done = run("--job", "a", env={"EXPERIMENTS_AXIS": "time"})
    assert done.returncode == 2
    assert "EXPERIMENTS_AXIS" in done.stderr and "epoch" in done.stderr


def test_a_flag_that_is_given_repairs_nothing_silently():
    """The variable is wrong whether or not a flag beats it: it says so."""
    assert run("--axis", "step", "--job", "a", env={"EXPERIMENTS_AXIS": "time"}).returncode == 2


def test_help_and_version_go_to_stdout():
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: experiments-agent")
    done = run("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("experiments-agent 0.")


@pytest.mark.parametrize("flag, variables, job", [
    ([], {"JOB_NAME": "original"}, "original"),
    ([], {"JOB_NAME": "original", "EXPERIMENTS_JOB": "variable"}, "variable"),
    (["--job", "flag"], {"JOB_NAME": "original", "EXPERIMENTS_JOB": "variable"}, "flag"),
    (["-j", "flag"], {"EXPERIMENTS_JOB": "variable"}, "flag"),
])
def test_a_flag_beats_a_variable_and_both_the_originals(flag, variables, job, start):
    agent = start(*flag, job=job, name_job=False, env=variables)
    append(agent.dir / "metrics.jsonl", {"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25})
    agent.wait_for_accepted(2)
    assert os.listdir(agent.to) == [f"{job}.json"]
    assert agent.result["metadata"]["name"] == job


def test_the_log_as_json(start):
    agent = start("--log-format", "json", "--verbose")
    append(agent.dir / "metrics.jsonl", {"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}, "broken {")
    agent.wait_for(lambda status: status["agent"].get("rejected") == 1)
    agent.stop()
    lines = [json.loads(line) for line in agent.log.read_text().splitlines()]
    assert lines
    assert any("metrics.jsonl:3:1: expected a JSON object" in json.dumps(line) for line in lines)
