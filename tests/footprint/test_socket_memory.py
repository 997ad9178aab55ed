"""What clients of the socket take of the agent's memory, by number and by what they say."""

import os

import pytest

from agent.talk import Client, json_line
from footprint.measure import Peak, memory

MORE_KIB_MAX = 1024
A_CONNECTION_KIB = 1.5
MESSAGE_BYTES_MAX = 128 * 1024


@pytest.fixture
def agent(start, tmp_path):
    link = f"/tmp/socket-memory-{os.getpid()}"  # a path that is short enough for a socket
    os.symlink(tmp_path, link)
    agent = start("--verbose", "--socket", f"{link}/experiments/agent.sock")
    agent.wait_for_log("listening")
    agent.wait_for(lambda status: True)
    yield agent
    os.unlink(link)


def report(number, epoch, **metrics):
    return {"report": {"number": number, "epoch": epoch, "metrics": metrics}}


def anonymous(agent):
    return memory(agent.process.pid)["Anonymous"]


def test_memory_of_a_thousand_clients(agent):
    before = anonymous(agent)
    clients = [Client(agent.dir) for _ in range(1000)]
    for i, client in enumerate(clients):
        client.say({"hello": {"client": f"c{i}"}}, report(1, 1 + i % 10, loss=i))
    for client in clients:
        assert client.ask() == 1
    assert anonymous(agent) - before <= 1000 * A_CONNECTION_KIB
    for client in clients:
        client.socket.close()


def test_memory_of_unfinished_messages(agent):
    """4 MiB of them, whoever sends how much, and its half again while buffers grow; all of it is given back."""
    before = anonymous(agent)
    half = b'{"epoch": 1, "a": "' + b"x" * (MESSAGE_BYTES_MAX - 100)
    with Peak(agent.process.pid) as peak:
        clients = [Client(agent.dir) for _ in range(200)]
        for client in clients:
            client.socket.sendall(half)
        refused = 0
        for client in clients:
            try:
                client.socket.sendall(b'", "loss": 1}\n')
                client.ask()
            except ConnectionError:
                refused += 1
    assert refused >= 200 - 4 * 1024 // 128
    assert peak.kib - before <= 6 * 1024 + MORE_KIB_MAX, peak.kib - before
    for client in clients:
        client.socket.close()
    with Client(agent.dir) as client:
        client.ask()
        assert anonymous(agent) - before <= MORE_KIB_MAX


def test_memory_of_a_line_that_never_ends(agent):
    before = anonymous(agent)
    with Peak(agent.process.pid) as peak, Client(agent.dir) as client:
        client.socket.sendall(b'{"epoch": 1, "a": "')
        for _ in range(64):
            client.socket.sendall(b"x" * 1_000_000)
        assert client.hear()["rejected"]["code"] == "message-too-long"
        client.socket.sendall(b'"}\n')
        client.ask()
    assert peak.kib - before <= MORE_KIB_MAX


def test_memory_of_who_does_not_read(agent):
    before = anonymous(agent)
    with Peak(agent.process.pid) as peak, Client(agent.dir) as mute, Client(agent.dir) as other:
        mute.say({"hello": {"client": "mute"}})
        for number in range(1, 20_001):
            mute.socket.sendall(json_line(report(number, 1, loss=1)) + b'{"report": {"epoch": -1}}\n')
        other.ask()
        agent.wait_for_accepted(20_000)
    assert peak.kib - before <= MORE_KIB_MAX


@pytest.mark.parametrize("names", [1, 1000])
def test_memory_of_all_that_is_said(agent, names):
    """More epochs than are kept, or 300,000 names."""
    before = anonymous(agent)
    with Peak(agent.process.pid) as peak, Client(agent.dir) as client:
        client.say({"hello": {"client": "c"}})
        for number in range(1, 3001 if names == 1 else 301):
            client.say(report(number, number, **{f"metric_{number * (names > 1)}_{i}": i for i in range(names)}))
        client.ask()
    assert peak.kib - before <= 2 * MORE_KIB_MAX, peak.kib - before
