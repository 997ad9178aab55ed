"""tests/conformance finds nothing in a client that is right, and finds each mistake."""

import pathlib
import subprocess
import sys

import pytest

from conforming import checks, main, vectors
from conforming.client_role import difference
from conforming.messages import Reader
from conforming.wrong_clients import WRONG

HERE = pathlib.Path(__file__).resolve().parent
SHORT_S = 3  # for what a wrong client will never do


def fail(is_well, name, title, *details):
    assert is_well, (name, title, *details)


@pytest.mark.parametrize("encoding", ["--json", "--proto"])
def test_a_client_that_is_right(encoding):
    assert main.try_client([sys.executable, HERE / "reference_client.py", encoding], patience=60, tell=fail) == []


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_found(name):
    found = WRONG[name].__doc__
    only, patience = ((found, "hello-and-numbers"), 60) if name == "SameIdInEachProcess" else ((found,), SHORT_S)
    assert main.try_client([sys.executable, HERE / "wrong_clients.py", name], only, patience, lambda *_: None) == [found]


def test_what_is_found_is_told_with_its_section():
    run = subprocess.run([sys.executable, HERE.parent / "conformance", "--patience", str(SHORT_S), "--only", "rejected",
                          sys.executable, HERE / "wrong_clients.py", "DiesOfRejected"],
                         stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert run.returncode == 1
    assert "FAIL  rejected:" in run.stdout and "expected: " in run.stdout and "it exited with 3" in run.stdout
    assert 'see:      proto/PROTOCOL.md, "Numbers, and what kept means"' in run.stdout


def test_what_fails_everywhere_is_told_once():
    assert main.try_client([sys.executable, HERE / "wrong_clients.py", "SaysNoHello"], (), SHORT_S, lambda *_: None) == [checks.FIRST]


def test_a_field_of_another_type_is_shown():
    told = []
    main.try_client([sys.executable, HERE / "wrong_clients.py", "ListsItsMetrics"], (), SHORT_S, lambda *line: told.append(line))
    assert len(told) == 1 and any("metrics: expected an object, not [1.0]" in detail for detail in told[0][3:])


@pytest.mark.parametrize("arguments", [["--only", "no-check", sys.executable], ["./not-there"], []])
def test_nothing_looked_at_is_not_well(arguments):
    run = subprocess.run([sys.executable, HERE.parent / "conformance", *arguments],
                         stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert run.returncode == 2 and "expected" in run.stderr and not run.stdout


@pytest.mark.parametrize("vector", vectors.read_all("from-agent"), ids=lambda vector: vector.name)
@pytest.mark.parametrize("encoding", vectors.ENCODINGS)
def test_what_the_agent_says_means_this(vector, encoding):
    reader = Reader("AgentMessage", encoding)
    heard = []
    for step in vector.steps_in(encoding):
        if step.action == "send":
            heard += [message for message, _ in reader.push(step.value)]
        else:
            message = next(iter(heard), {})
            assert not difference(step.value, message) and bool(message) == bool(step.value), step
            heard = []
    assert not reader.pending
