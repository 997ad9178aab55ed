"""The C reporter, as tests/conformance finds it, and what it makes of proto/vectors."""

import subprocess
import sys

import pytest

from agent.harness import clean_environment
from c_programs import HERE, SANITIZE
from conforming import vectors


def test_it_keeps_to_the_protocol(programs):
    client = programs("conform.c", *SANITIZE)
    done = subprocess.run([sys.executable, HERE.parents[1] / "conformance", client], capture_output=True, text=True,
                          env=clean_environment())
    assert done.returncode == 0, done.stdout + done.stderr


def meanings():
    """What agents say, and what it means."""
    for vector in vectors.read_all("from-agent"):
        said = b""
        for step in vector.steps_in("json"):
            if step.action == "send":
                said += step.value
            else:
                yield pytest.param(said, step.value, id=f"{vector.name}-{step.line}")
                said = b""


@pytest.mark.parametrize("said, meaning", list(meanings()))
def test_what_an_agent_says_means_this(drive, fake, said, meaning):
    driver = drive()
    assert driver.ask("report epoch=1") == 0
    connection = fake.accept()
    connection.socket.sendall(said)
    kept = (meaning.get("kept") or {}).get("number") or (meaning.get("welcome") or {}).get("kept") or 0
    stop = meaning.get("stop", (meaning.get("welcome") or {}).get("stop"))
    rejected = meaning.get("rejected")
    unspoken = rejected is not None and rejected["code"] == "version-not-spoken"
    assert driver.ask("flush 0") == (-107 if unspoken else 0 if kept else -110)
    assert driver.ask("should_stop") == (stop is not None)
    if stop is not None:
        assert driver.ask_text("stop_reason")[0] == f"{stop.get('reason') or ''}|{stop.get('deadline') or -1:.3f}"
    assert driver.ask_text("rejected")[0].partition(":")[0] == (rejected["code"] if rejected else "")
