"""Clients that exist, on agent.dgram: of dogstatsd, of statsd, and of sd_notify."""

import errno
import os
import socket

import pytest
import sdnotify
import statsd
from datadog.dogstatsd.base import DogStatsd

from agent.harness import Agent, curve



@pytest.fixture
def agent(tmp_path):
    os.symlink(tmp_path, link := f"/tmp/datagram-{os.getpid()}")  # a path that is short enough for a socket
    agent = Agent(tmp_path, "--verbose", "--dir", f"{link}/experiments")
    agent.wait_for_log("listening")
    agent.socket = f"{link}/experiments/agent.dgram"
    yield agent
    agent.close()
    os.unlink(link)


@pytest.mark.parametrize("buffered", [False, True])
def test_dogstatsd(agent, buffered):
    """What is no gauge, and what the client says of itself, is no curve."""
    with DogStatsd(socket_path=agent.socket, disable_buffering=not buffered, constant_tags=["env:test"]) as client:
        for epoch in range(1, 11):
            client.gauge("loss", 1 / epoch, tags=[f"epoch:{epoch}", "host:a"])
            client.gauge("val.acc", epoch / 10, tags=[f"epoch:{epoch}"], sample_rate=1)
            client.increment("batches", 100)
            client.timing("batch.time", 17)
            client.histogram("grad", 0.5)
            client.set("hosts", "a")
        client.event("title", "text")
        client.service_check("trainer", 0)
        client.flush()
    status = agent.stop()
    assert curve(status, "loss") == pytest.approx({epoch: 1 / epoch for epoch in range(1, 11)}, rel=1e-3)
    assert status["values"] == {"loss": 0.1, "val.acc": 1}
    assert status["agent"]["rejected"] == 0


def test_statsd_gauges_have_no_epoch(agent):
    """The bytes that the client statsd sends by UDP, handed on: it has no tags, and so the values alone."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as inet, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unix:
        inet.bind(("127.0.0.1", 0))
        unix.connect(agent.socket)
        client = statsd.StatsClient("127.0.0.1", inet.getsockname()[1], prefix="train")
        client.gauge("loss", 0.5)
        client.incr("batches")
        client.timing("batch", 3.5)
        with client.pipeline() as pipe:
            pipe.gauge("loss", 0.25)
            pipe.gauge("acc", 0.75)
        for _ in range(4):
            unix.send(inet.recv(65536))
        client.close()
    status = agent.stop()
    assert status["values"] == {"train.loss": 0.25, "train.acc": 0.75}
    assert status["agent"]["rejected"] == 0


def test_statsd_over_a_unix_socket_is_a_stream(agent):
    """So that client cannot speak to agent.dgram, and says why."""
    client = statsd.UnixSocketStatsClient(agent.socket)
    with pytest.raises(OSError) as error:
        client.connect()
    assert error.value.errno == errno.EPROTOTYPE


def test_sd_notify(agent, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", agent.socket)
    notifier = sdnotify.SystemdNotifier(debug=True)
    notifier.notify("READY=1")
    notifier.notify("STATUS=epoch 1 of 3")
    for epoch in (1, 2, 3):
        notifier.notify(f"EPOCH={epoch}\nloss={1 / epoch:.3f}\nWATCHDOG=1")
    notifier.notify("STOPPING=1")
    status = agent.stop()
    assert curve(status, "loss") == {1: 1, 2: 0.5, 3: 0.333}
    assert status["phase"] == "Interrupted" and status["agent"]["rejected"] == 0
