"""The agent's sockets, as proto/PROTOCOL.md has them: the real binary and plain sockets."""

import json
import os
import signal
import socket
import subprocess
import tempfile

import pytest

AGENT = os.environ["EXPERIMENTS_AGENT"]


class Agent:
    """An agent on a directory of its own, whose path is short enough for a socket."""

    def __init__(self, directory):
        self.directory = directory
        self.stream, self.datagram = f"{directory}/x/agent.sock", f"{directory}/x/agent.dgram"
        os.makedirs(f"{directory}/x", exist_ok=True)
        self.start()

    def start(self):
        """The socket of a killed agent is there still, so the log says when this one listens."""
        self.process = subprocess.Popen(
            [AGENT, "--dir", f"{self.directory}/x", "--to", f"{self.directory}/to", "--job", "j", "--verbose"],
            stderr=subprocess.PIPE, text=True)
        self.log = []
        for line in self.process.stderr:
            self.log.append(line)
            if "listening" in line:
                return
        raise AssertionError("".join(self.log))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        """SIGTERM; the Result's status."""
        self.process.send_signal(signal.SIGTERM)
        self.log += self.process.stderr.readlines()
        assert self.process.wait() == 0, "".join(self.log)
        with open(f"{self.directory}/to/j.json") as file:
            return json.load(file)["status"]

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(60)
        client.connect(self.stream)
        return client


@pytest.fixture
def agent():
    with tempfile.TemporaryDirectory() as directory:
        agent = Agent(directory)
        yield agent
        if agent.process.poll() is None:
            agent.kill()
        agent.process.stderr.close()


def say(client, *messages):
    client.sendall(b"".join(json.dumps(message).encode() + b"\n" for message in messages))


def report(number, epoch, **metrics):
    return {"report": {"number": number, "epoch": epoch, "metrics": metrics}}


HELLO = {"hello": {"client": "abc", "pid": 17}}


def hear(client, n):
    lines = client.makefile("r")
    return [json.loads(lines.readline()) for _ in range(n)]


def test_a_line_without_a_hello_reports(agent):
    with agent.connect() as client:
        client.sendall(b'{"epoch": 1, "loss": 0.5}\r\n\n{"epoch": 2, "loss": 0.25}')
        client.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b""
    status = agent.end()
    assert status["x"] == [1, 2] and status["metrics"][0]["values"] == [0.5, 0.25]


def test_what_is_kept_survives_a_kill_and_counts_once(agent):
    with agent.connect() as client:
        say(client, HELLO, report(1, 1, loss=0.5), report(2, 2, loss=0.25), {"ping": {}})
        welcome, kept = hear(client, 2)
    assert welcome["welcome"]["job"] == "j" and "kept" not in welcome["welcome"]
    assert kept == {"kept": {"number": 2}}
    agent.kill()
    agent.start()
    with agent.connect() as client:
        say(client, HELLO, report(2, 9, loss=9), report(3, 3, loss=0.125), {"end": {"number": 4}}, {"ping": {}})
        welcome, kept = hear(client, 2)
    assert welcome["welcome"]["kept"] == 2 and kept == {"kept": {"number": 4}}
    status = agent.end()
    assert (status["phase"], status["x"], status["epoch"]) == ("Succeeded", [1, 2, 3], 3)
    assert status["metrics"][0]["values"] == [0.5, 0.25, 0.125]
    assert status["agent"]["accepted"] == 4


@pytest.mark.parametrize("message, code", [
    ({"report": {"number": 1, "epoch": 1}}, "hello-expected"),
    ({"hello": {"client": "a b"}}, "invalid-client-id"),
    ({"hello": {}}, "invalid-client-id"),
    ({"hello": {"client": "a", "version": 2}}, "version-not-spoken"),
    ({"report": {"epoch": -1}}, "invalid-value"),
    ({"report": {"epoch": [1]}}, "invalid-value"),
    ({"report": {"time": 1}}, "nothing-reported"),
    ({"report": {"metrics": {"": 1}}}, "name-empty"),
    ({"report": {"metrics": {"n" * 1025: 1}}}, "name-too-long"),
    ({"report": {"metrics": {f"n{i}": 1 for i in range(1025)}}}, "too-many-metrics"),
    ({"report": {"outputPath": "a\0b"}}, "invalid-utf8"),
    ({"parameters": {"values": {"text": "x" * 3000}}}, "parameters-too-long"),
    ({"end": {"exitStatus": 256}}, "invalid-value"),
    ({"message": "no metric"}, "not-understood"),
])
def test_what_is_wrong_has_a_code_and_the_rest_counts(agent, message, code):
    with agent.connect() as client:
        say(client, message, {"epoch": 1, "loss": 0.5})
        [answer] = hear(client, 1)
    assert answer["rejected"]["code"] == code
    assert agent.end()["values"] == {"loss": 0.5}


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n\r\n", b"\x01\0\0\0", b"\0\2\0\1"])
def test_a_connection_without_framing_is_closed(agent, first):
    with agent.connect() as client:
        client.sendall(first)
        answer = b"".join(iter(lambda: client.recv(1000), b""))
    assert (b"message-too-long" if first[0] == 0 else b"wrong-first-byte") in answer


def test_a_long_line_is_skipped_and_the_next_counts(agent):
    with agent.connect() as client:
        client.sendall(b'{"epoch": 1, "x": "' + b"x" * 200_000 + b'"}\n{"epoch": 2, "loss": 1}\n')
        [answer] = hear(client, 1)
    assert answer["rejected"]["code"] == "message-too-long"
    assert agent.end()["x"] == [2]


def test_protobuf_in_pieces(agent):
    hello, ping = b"\0\0\0\7\x0a\5\x12\3xyz", b"\0\0\0\2\x2a\0"
    with agent.connect() as client:
        for byte in hello + ping:
            client.sendall(bytes([byte]))
        answers = b""
        while not answers.endswith(b"\0\0\0\4\x12\2\x08\0"):  # Kept {number: 0}
            answers += client.recv(1000)
    assert answers[4:5] == b"\x0a"  # Welcome


def test_two_processes_with_one_id(agent):
    with agent.connect() as first, agent.connect() as second, agent.connect() as third:
        say(first, HELLO)
        hear(first, 1)
        say(second, {"hello": {"client": "abc", "pid": 18}})
        assert hear(second, 1)[0]["rejected"]["code"] == "client-id-taken"
        say(third, HELLO)
        assert "welcome" in hear(third, 1)[0]
        assert first.recv(10) == b""


def test_gaps_are_counted_as_dropped(agent):
    with agent.connect() as client:
        say(client, HELLO, report(1, 1, loss=1), report(5, 5, loss=1), {"ping": {}})
        hear(client, 2)
    assert agent.end()["agent"]["dropped"] == 3


def test_parameters_and_an_end_that_failed(agent):
    with agent.connect() as client:
        say(client, HELLO, {"parameters": {"number": 1, "values": {"lr": 0.01, "optimizer": "adam"}}},
            report(2, 1, loss=1), {"end": {"number": 3, "exitStatus": 3}}, {"ping": {}})
        hear(client, 2)
    agent.kill()
    agent.start()
    status = agent.end()
    assert status["job_parameters"] == {"lr": 0.01, "optimizer": "adam"}
    assert (status["phase"], status["attempt"]["exitCode"]) == ("Failed", 3)


def test_a_number_is_kept_that_changes_nothing_else(agent):
    hello = {"hello": {"client": "r", "rank": 3}}
    with agent.connect() as client:
        say(client, hello, report(1, 1, loss=0.5), {"ping": {}})
        hear(client, 2)
        say(client, {"end": {"number": 2}}, {"ping": {}})
        assert hear(client, 1) == [{"kept": {"number": 2}}]
    agent.kill()
    agent.start()
    with agent.connect() as client:
        say(client, hello)
        assert hear(client, 1)[0]["welcome"]["kept"] == 2


def test_ranks_have_names_of_their_own(agent):
    with agent.connect() as client:
        say(client, {"hello": {"client": "r", "rank": 3}}, report(1, 1, loss=0.5), {"ping": {}})
        hear(client, 2)
    assert agent.end()["values"] == {"rank3/loss": 0.5}


def test_datagrams(agent):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(agent.datagram)
        client.send(b"READY=1\nEPOCH=3\nloss=0.21")
        client.send(b"val.acc:0.93|g|#epoch:3,host:a\nrequests:1|c\n")
    status = agent.end()
    assert status["x"] == [3] and status["values"] == {"loss": 0.21, "val.acc": 0.93}


def test_a_thousand_clients_and_one_that_sends_half_a_line(agent):
    clients = [agent.connect() for _ in range(1000)]
    clients[0].sendall(b'{"epoch": 7, ')
    for i, client in enumerate(clients[1:], 1):
        say(client, {"hello": {"client": f"c{i}"}}, report(1, i, loss=i), {"ping": {}})
    for client in clients[1:]:
        assert hear(client, 2)[1] == {"kept": {"number": 1}}
    for client in clients:
        client.close()
    status = agent.end()
    assert status["agent"]["accepted"] == 999 and status["epoch"] == 999


def test_everybody_may_connect_and_the_end_takes_the_sockets_away(agent):
    assert os.stat(agent.stream).st_mode & 0o777 == os.stat(agent.datagram).st_mode & 0o777 == 0o666
    agent.end()
    assert not os.path.exists(agent.stream) and not os.path.exists(agent.datagram)


def test_a_socket_path_that_is_too_long():
    path = "/tmp/" + "x" * 103
    run = subprocess.run([AGENT, "--to", "/tmp", "--dir", "/nowhere", "--job", "j", "--socket", path], capture_output=True, text=True)
    assert run.returncode == 2 and "at most 107 bytes" in run.stderr
