"""What one client of the socket does is bounded, and changes nothing for others (proto/PROTOCOL.md, "Limits and
fairness"). Turns of the agent are counted, not seconds."""

import contextlib
import os
import select
import signal
import socket
import time

import pytest

from agent.harness import Agent
from agent.talk import Client, json_line, protobuf
from footprint.measure import wakeups

CONNECTIONS_MAX = 1024
RATE_BYTES_MAX = 32 * 1024 * 1024
PENDING_BYTES_MAX = 4 * 1024 * 1024
NOBODY = 65534


def report(number, epoch=None, **metrics):
    return {"report": {"number": number, "epoch": epoch or number, "metrics": metrics or {"loss": number}}}


def hello(client):
    return {"hello": {"client": client, "pid": 17}}


@pytest.fixture
def start(tmp_path):
    agents = []
    os.symlink(tmp_path, link := f"/tmp/socket-bounds-{os.getpid()}")  # a path that is short enough for a socket

    def start_agent(*flags, **kwargs):
        agents.append(agent := Agent(tmp_path, "--verbose", "--socket", f"{link}/experiments/agent.sock", *flags, **kwargs))
        agent.wait_for_log("listening")
        return agent

    yield start_agent
    for agent in agents:
        agent.close()
    os.unlink(link)


# --- floods, and those that are slow ---

def test_who_floods_does_not_starve_others(start):
    """While the others' buffers are always full, each further report takes a few turns of the agent."""
    agent = start()
    flood = json_line({"epoch": 1, "loss": 0.5}) * 1000
    flooders = [Client(agent.dir) for _ in range(8)]
    with Client(agent.dir) as client:
        client.say(hello("c"))
        assert "welcome" in client.hear()
        for number in range(1, 6):
            for flooder in flooders:
                flooder.fill(flood)
            client.say(report(number, 1000 + number))
            sent = 0
            while not select.select([client.socket], [], [], 0)[0]:
                sent += sum(flooder.fill(flood) for flooder in flooders)
            # A turn reads 64 KiB of each; acknowledged is what was read at least 10 ms ago, at 32 MiB a second each.
            assert client.hear() == {"kept": {"number": number}}
            assert sent < len(flooders) * (4 * 1024 * 1024), sent
    for flooder in flooders:
        flooder.socket.close()


def test_who_does_not_read_is_bounded_and_counts(start):
    """One kept and 16 rejected wait for it; the rest is left out, and its reports count."""
    agent = start()
    with Client(agent.dir) as mute, Client(agent.dir) as other:
        mute.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        mute.say(hello("mute"))
        n = 20_000
        for first in range(1, n + 1, 100):
            mute.say(*(message for number in range(first, first + 100)
                       for message in (report(number, 1), {"report": {"epoch": -number}})))
        other.say(hello("other"), report(1, 2), {"ping": {}})
        assert "welcome" in other.hear() and other.hear() == {"kept": {"number": 1}}
        agent.wait_for_accepted(n + 1)
        assert mute.ask() <= n
        rejected = 0
        while (answer := mute.hear()) != {"kept": {"number": n}}:
            rejected += "rejected" in answer
    assert agent.stop()["agent"]["rejected"] == n


def test_one_byte_and_then_nothing(start):
    agent = start()
    clients = [Client(agent.dir) for _ in range(100)]
    for i, client in enumerate(clients):
        client.socket.sendall(b"{" if i % 2 else b"\0")
    with Client(agent.dir) as other:
        other.say(hello("other"), report(1))
        assert other.ask() == 1
    before = wakeups(agent.process.pid)
    for client in clients[1::2]:
        client.socket.sendall(b'"epoch": 3, "loss": 1}')
        client.socket.shutdown(socket.SHUT_WR)
        assert client.hear() is None
    for client in clients[::2]:
        client.socket.shutdown(socket.SHUT_WR)
        assert client.hear()["rejected"]["code"] == "malformed"
        assert client.hear() is None
    assert wakeups(agent.process.pid) - before < 1000
    assert agent.stop()["agent"]["accepted"] == 51


def test_a_line_that_never_ends(start):
    agent = start()
    with Client(agent.dir) as client:
        client.socket.sendall(b'{"epoch": 1, "a": "')
        for _ in range(64):
            client.socket.sendall(b"x" * 1_000_000)
        assert client.hear()["rejected"]["code"] == "message-too-long"
        client.socket.sendall(b'"}\n')
        client.say({"epoch": 2, "loss": 1})
        client.ask()
    assert agent.stop()["x"] == [2]


def test_who_shuts_down_its_writing_side_still_hears(start):
    agent = start()
    for encode in (json_line, protobuf):
        with Client(agent.dir) as client:
            client.say(hello(encode.__name__), report(1), report(2), encode=encode)
            client.socket.shutdown(socket.SHUT_WR)
            assert "welcome" in client.hear()
            assert client.hear() == {"kept": {"number": 2}}
            assert client.hear() is None


# --- numbers of connections ---

def test_one_connection_more_than_may_be(start):
    agent = start()
    clients = [Client(agent.dir) for _ in range(CONNECTIONS_MAX)]
    clients[-1].say(hello("last"), report(1))
    assert clients[-1].ask() == 1
    for _ in range(2):
        with Client(agent.dir) as one_more:
            assert one_more.hear()["rejected"]["code"] == "too-many-clients"
            assert one_more.hear() is None
    clients.pop(0).socket.close()
    clients[-1].ask()  # the agent knows that one is gone
    with Client(agent.dir) as client:
        client.say(hello("new"), report(1))
        assert client.ask() == 1
    for client in clients:
        client.socket.close()
    assert agent.stop()["agent"]["accepted"] == 2


def test_a_thousand_that_say_nothing_cost_no_wake_up(start):
    agent = start(clock=True)
    clients = [Client(agent.dir) for _ in range(1000)]
    for i, client in enumerate(clients):
        client.say(hello(f"c{i}"))
        assert "welcome" in client.hear()
    clients[0].say(report(1))
    clients[0].ask()
    agent.advance(10)  # all that was to be saved and synced is
    clients[0].ask()
    agent.wait_for_accepted(1)
    before = wakeups(agent.process.pid)
    for _ in range(10):
        agent.advance(0.5)
    clients[0].ask()
    assert wakeups(agent.process.pid) - before < 40
    for client in clients:
        client.socket.close()


# --- room, and rate ---

def test_who_has_the_most_unfinished_gives_room(start):
    agent = start()
    half = b'{"epoch": 1, "a": "' + b"x" * 60_000  # less than is read at once
    clients = [Client(agent.dir) for _ in range(PENDING_BYTES_MAX // len(half))]
    for client in clients:
        client.socket.sendall(half)
    with Client(agent.dir) as largest, Client(agent.dir) as other:
        largest.socket.sendall(half * 2)
        assert largest.hear()["rejected"]["code"] == "no-room"
        assert largest.hear() is None
        other.say(hello("other"), report(1))
        assert other.ask() == 1
    for client in clients:
        client.socket.sendall(b'", "loss": 1}\n')
        client.ask()
        client.socket.close()
    assert agent.stop()["agent"]["accepted"] == len(clients) + 1


def test_who_is_too_fast_is_read_later(start):
    """An agent on a slow machine is slower than that, never faster; and others are read meanwhile."""
    agent = start()
    with Client(agent.dir) as fast, Client(agent.dir) as other:
        line = json_line({"epoch": 1, "loss": 0.5, "note": "x" * 60_000})
        started = time.monotonic()
        for _ in range(2 * RATE_BYTES_MAX // len(line)):
            fast.socket.sendall(line)
        other.say(hello("other"), report(1))
        assert other.ask() == 1
        fast.ask()
        assert time.monotonic() - started > 1.5
    assert agent.stop()["agent"]["accepted"] == 2 * RATE_BYTES_MAX // len(line) + 1


# --- what is not well ---

class FullDisk:
    """A directory on a file system of its own that others cannot see, as mount namespaces have it, and its agent."""

    PREFIX = ["unshare", "--mount", "--map-root-user", "sh", "-c",
              'mount -t tmpfs -o size=1m none "$0" && exec "$@"']

    def __init__(self, start, tmp_path):
        self.state = tmp_path / "state"
        self.state.mkdir()
        self.agent = start("--state", self.state, prefix=[*self.PREFIX, self.state])
        self.path = f"/proc/{self.agent.process.pid}/root{self.state}/filler"

    def fill(self):
        with open(self.path, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))

    def empty(self):
        os.unlink(self.path)


def test_what_cannot_be_kept_is_acknowledged_later(start, tmp_path):
    disk = FullDisk(start, tmp_path)
    with Client(disk.agent.dir) as client, Client(disk.agent.dir) as other:
        client.say(hello("c"))
        assert "welcome" in client.hear()
        disk.fill()
        client.say(*(report(number) for number in range(1, 3001)), {"ping": {}})
        disk.agent.wait_for_log("state cannot be kept: No space left on device")
        other.say({"epoch": 9999, "loss": 1})
        other.socket.shutdown(socket.SHUT_WR)
        disk.agent.wait_for_accepted(3001)  # it is reported meanwhile
        assert not select.select([client.socket], [], [], 0)[0]
        disk.empty()
        assert client.hear() == {"kept": {"number": 3000}}
        assert other.hear() is None
        disk.agent.wait_for_log("state is kept again")


def test_those_that_have_gone_cost_nothing_while_nothing_can_be_kept(start, tmp_path):
    disk = FullDisk(start, tmp_path)
    with Client(disk.agent.dir) as client:
        client.say(*({"epoch": number, "loss": 1} for number in range(1, 3001)))
        client.ask()
    disk.fill()
    for epoch in range(CONNECTIONS_MAX + 10):
        with Client(disk.agent.dir) as client:
            client.say({"epoch": 4000 + epoch, "loss": 1})
    disk.agent.wait_for_accepted(3000 + CONNECTIONS_MAX + 10)
    with Client(disk.agent.dir) as client:
        client.say(hello("c"))
        assert "welcome" in client.hear()
        before = wakeups(disk.agent.process.pid)
        for _ in range(20):
            client.say({"hello": {"client": "c"}})
            assert client.hear()["rejected"]["code"] == "hello-repeated"
        assert wakeups(disk.agent.process.pid) - before < 100


def in_a_process_of(user, function):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setuid(user)
            function()
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(pid, 0)[1] == 0


@pytest.mark.parametrize("user", [os.getuid(), *([NOBODY] if os.getuid() == 0 else [])])
def test_a_client_of_any_user(start, user):
    """The socket lets everybody in, whatever the agent's umask."""
    agent = start(prefix=["sh", "-c", 'umask 077 && exec "$@"', "sh"])
    os.chdir(agent.dir)  # what is above it is the test's own

    def client():
        with Client(".") as client:
            client.say(hello("c"), report(1))
            assert client.ask() == 1

    in_a_process_of(user, client)
    assert agent.stop()["agent"]["accepted"] == 1


def test_all_that_was_said_before_the_end_is_kept(start):
    agent = start()
    clients = [Client(agent.dir) for _ in range(100)]
    for i, client in enumerate(clients):
        client.say(hello(f"c{i}"))
        assert "welcome" in client.hear()
    agent.process.send_signal(signal.SIGSTOP)
    agent.process.send_signal(signal.SIGTERM)
    for i, client in enumerate(clients):
        client.say(*(report(number, 1000 * i + number) for number in range(1, 101)))
    agent.process.send_signal(signal.SIGCONT)
    for client in clients:
        assert client.hear() == {"kept": {"number": 100}}
        assert client.hear() is None
    assert agent.process.wait() == 0
    assert agent.status["agent"]["accepted"] == 10_000
