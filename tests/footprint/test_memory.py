"""The agent's own memory is bounded whatever comes: no more than 1 MiB above what it had at its start."""

import socket

import pytest

from footprint import loads
from footprint.measure import Peak, memory

MORE_KIB_MAX = 1024


def has_come(records, rejects):
    return lambda status: status["agent"]["accepted"] >= records and status["agent"]["rejected"] >= rejects


def started(agent):
    """The anonymous memory of an agent that has published once."""
    agent.wait_for(lambda status: True)
    return memory(agent.process.pid)["Anonymous"]


@pytest.mark.parametrize("load", loads.ALL, ids=lambda load: load.__name__)
def test_memory_is_bounded(start, load):
    agent = start()
    before = started(agent)
    with Peak(agent.process.pid) as peak:
        agent.wait_for(has_come(*load(agent.dir)))
    assert peak.kib - before <= MORE_KIB_MAX


def test_memory_is_bounded_while_the_api_server_is_down(start):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    agent = start("--server", f"https://127.0.0.1:{port}")
    agent.wait_for_log("publish")
    before = started(agent)
    with Peak(agent.process.pid) as peak:
        agent.wait_for(has_come(*loads.json_lines(agent.dir)))
    assert peak.kib - before <= MORE_KIB_MAX


def test_memory_of_a_document_is_given_back(start):
    agent = start()
    before = started(agent)
    with open(agent.dir / "history.json", "w") as file:
        file.write('{"loss": [' + ", ".join(f"0.{n}" for n in range(1_000_000)) + "]}")
    agent.wait_for(lambda status: status["agent"]["accepted"] >= 1_000_000)
    assert memory(agent.process.pid)["Anonymous"] - before <= MORE_KIB_MAX
