"""A stop that is requested in a Result's spec, on its way to the trainer: by the socket, and as the file `stop`."""

import json
import socket
import tempfile

import pytest

from agent.harness import append

REASON = "median rule"


@pytest.fixture
def path():
    """A path that is short enough for a socket, wherever the test's own directory is."""
    with tempfile.TemporaryDirectory() as directory:
        yield f"{directory}/agent.sock"


class Client:
    """Speaks JSON lines, and waits for what it hears."""

    def __init__(self, path, *messages):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.lines = self.socket.makefile("r")
        self.say(*messages)

    def say(self, *messages):
        self.socket.sendall(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    def hear(self, kind):
        """The next answer of that kind."""
        for line in self.lines:
            (heard, fields), = json.loads(line).items()
            if heard == kind:
                return fields
        raise AssertionError(f"the agent closed before it said {kind}")

    def close(self):
        self.lines.close()
        self.socket.close()


@pytest.fixture
def connect(path):
    clients = []

    def connected(name, **more):
        client = Client(path, {"hello": {"client": name, **more}})
        clients.append(client)
        return client

    yield connected
    for client in clients:
        client.close()


def request_stop(api, results, name, **more):
    patch = {"spec": {"stop": {"requested": True, "reason": REASON, **more}}}
    assert api.patch(f"{results.path}/{name}", patch).status == 200


def test_with_a_watch_every_client_hears_of_it_and_a_late_one_too(start, results, api, path, connect):
    """The agent's clock stands still: nothing but the watch can have told it."""
    agent = start("watched", "--watch", "--socket", path)
    agent.wait_for_log("listening")
    clients = [connect(f"client{i}") for i in range(5)]
    deaf = connect("deaf", wishes={"noStop": True})
    for client in (*clients, deaf):
        assert "stop" not in client.hear("welcome")
    clients[0].say({"report": {"number": 1, "epoch": 1, "metrics": {"loss": 1}}})
    results.wait_for_accepted("watched", 1)
    request_stop(api, results, "watched")
    for client in clients:
        assert client.hear("stop") == {"reason": REASON}
    assert connect("late").hear("welcome")["stop"] == {"reason": REASON}
    assert (agent.dir / "stop").read_text() == REASON + "\n"
    deaf.say({"ping": {}})
    assert "number" in deaf.hear("kept")
    agent.stop()
    assert [json.loads(line) for line in deaf.lines] == []
    assert results.get("watched")["status"]["phase"] == "Stopped"


def test_without_a_watch_it_comes_with_the_next_look(start, results, api, path, connect):
    agent = start("looked", "--socket", path)
    agent.wait_for_log("listening")
    client = connect("client")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("looked", 1)
    request_stop(api, results, "looked")
    agent.advance(31)
    assert client.hear("stop") == {"reason": REASON}
    agent.stop()


def test_an_agent_that_was_killed_tells_it_again(start, results, api, path, connect):
    agent = start("killed", "--watch", "--socket", path)
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("killed", 1)
    request_stop(api, results, "killed")
    agent.wait_for_log("a stop was requested")
    agent.process.kill()
    agent.process.wait()
    agent.log_file.write_text("")
    again = start("killed", "--watch", "--socket", path)
    again.wait_for_log("listening")
    client = connect("client")
    if "stop" not in client.hear("welcome"):
        assert client.hear("stop") == {"reason": REASON}
    assert (again.dir / "stop").read_text() == REASON + "\n"
    again.stop()


def test_the_stop_of_an_earlier_run_is_none_of_this_one(start, results):
    agent = start("first", "--socket", "none")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("first", 1)
    agent.stop()
    (agent.dir / "stop").write_text("worse than the median\n")
    other = start("second", "--socket", "none")
    other.wait_for_log("stop: is of an earlier run, and was removed")
    assert not (other.dir / "stop").exists()
    other.stop()


def test_a_directory_that_cannot_be_written_does_not_keep_clients_from_hearing_it(start, results, api, path, connect):
    agent = start("readonly", "--watch", "--socket", path)
    (agent.dir / "stop.tmp").mkdir()
    agent.wait_for_log("listening")
    client = connect("client")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("readonly", 1)
    request_stop(api, results, "readonly")
    assert client.hear("stop") == {"reason": REASON}
    agent.wait_for_log("stop: cannot be written: Is a directory; a trainer that looks for it does not learn of the stop")
    agent.stop()
