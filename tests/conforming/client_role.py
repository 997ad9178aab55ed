"""Plays the client against an agent: says what the vectors say, compares what is answered, and what the Result has."""

import json
import os
import random
import resource
import signal
import socket
import subprocess
import tempfile

from conforming import vectors
from conforming.api import Api
from conforming.messages import Reader

SLICINGS = ("whole", "bytes", "random")
BYTEWISE_MAX = 4096  # what is longer is cut at random


class Failure(Exception):
    """What was expected, and what came."""


def difference(expected, got, path=""):
    """None, or the first thing in which they differ. Members that are not expected are free, null is absent, and of
    the text that a rejected message has for people a part is enough."""
    if isinstance(expected, dict):
        if not isinstance(got, dict):
            return f"{path or 'all of it'}: expected an object, not {got!r}"
        for key, value in expected.items():
            found = difference(value, got.get(key), f"{path}.{key}".strip("."))
            if found:
                return found
        return None
    if path == "rejected.message":
        return None if expected in (got or "") else f"{path}: expected {expected!r} in {got!r}"
    if isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        return next(filter(None, (difference(*pair, f"{path}[{i}]") for i, pair in enumerate(zip(expected, got)))), None)
    return None if expected == got else f"{path}: expected {json.dumps(expected)}, not {json.dumps(got)}"


class Agent:
    """The agent under test, in a directory of its own."""

    def __init__(self, program, directory, is_to_stop=False):
        self.program, self.directory = program, directory
        self.api = Api() if is_to_stop else None
        os.makedirs(f"{directory}/x", exist_ok=True)
        self.stream, self.datagram = f"{directory}/x/agent.sock", f"{directory}/x/agent.dgram"
        self.log, self.is_ending = [], False
        self.start()

    def start(self):
        to = ["--server", self.api.url, "--namespace", "default", "--interval", "10ms,10ms"] if self.api else \
             ["--to", f"{self.directory}/to"]
        self.process = subprocess.Popen(
            [self.program, "--dir", f"{self.directory}/x", *to, "--job", "vectors", "--verbose"],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            self.log.append(line)
            if "listening" in line:
                return
        raise Failure("expected an agent that listens; it said " + "".join(self.log))

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def last_words(self):
        """What it logged, where it ended before it was asked to."""
        try:
            code = self.process.wait(0.1)
        except subprocess.TimeoutExpired:
            return ""
        return f"\n  the agent ended with {code}: {self.process.stderr.read()}"

    def ask_to_end(self):
        if not self.is_ending:
            self.process.send_signal(signal.SIGTERM)
        self.is_ending = True

    def end(self):
        """The status of the Result."""
        self.ask_to_end()
        self.log += self.process.stderr.readlines()
        if self.process.wait() != 0:
            raise Failure(f"expected the agent to exit with 0, not {self.process.returncode}: {''.join(self.log)}")
        if self.api:
            return self.api.result["status"]
        with open(f"{self.directory}/to/vectors.json", encoding="utf-8") as file:
            return json.load(file)["status"]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        if self.api:
            self.api.close()


class Connection:
    def __init__(self, path, encoding, patience, say):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(patience)
        self.socket.connect(path)
        self.reader = Reader("AgentMessage", encoding)
        self.heard, self.kepts, self.unsent = [], [], b""
        self.say = say
        self.is_closed = False

    def flush(self):
        data, self.unsent = self.unsent, b""
        if not data:
            return
        try:
            self.say(self.socket, data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the agent closed; what it said is there to be read

    def receive(self):
        """Some more. False: the agent closed."""
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        except socket.timeout:
            raise Failure("nothing came") from None
        if not data:
            self.is_closed = True
            return False
        if self.reader.encoding == "proto" and not self.reader.pending and data[:1] == b"{":
            self.reader.encoding = "json"  # who is turned away is told so in JSON, whatever it speaks
        for message, _ in self.reader.push(data):
            if "kept" in message:
                message["kept"].setdefault("number", 0)
            (self.kepts if "kept" in message else self.heard).append(message)
        return True

    def hear(self, expected):
        """Acknowledgements are gathered, so that how many there are is free: those before the expected one are passed
        over, and others than those do not wait for them."""
        is_kept = "kept" in expected
        while True:
            queue = self.kepts if is_kept else self.heard
            while queue:
                message = queue.pop(0)
                found = difference(expected, message)
                if not found:
                    return
                if not is_kept or message["kept"]["number"] > expected["kept"]["number"]:
                    raise Failure(f"{found}\n  came: {json.dumps(message)}")
            if self.is_closed or not self.receive():
                raise Failure("the agent closed the connection")

    def hear_the_end(self):
        while not self.is_closed and self.receive():
            pass
        if self.heard:
            raise Failure(f"nothing more was expected\n  came: {json.dumps(self.heard[0])}")

    def close(self):
        self.socket.close()


class Run:
    """One vector, in one encoding, cut in one way."""

    def __init__(self, agent, vector, encoding, slicing, patience, seed):
        self.agent, self.vector, self.encoding, self.slicing, self.patience = agent, vector, encoding, slicing, patience
        self.random = random.Random(seed)
        self.connections, self.name, self.crowds = {}, "a", []

    def say(self, to, data):
        is_bytewise = self.slicing == "bytes" and len(data) <= BYTEWISE_MAX
        while data:
            n = len(data) if self.slicing == "whole" else 1 if is_bytewise else self.random.choice((1, 3, 17, 4096, 65536))
            to.sendall(data[:n])
            data = data[n:]

    @property
    def connection(self):
        if self.name not in self.connections:
            self.connections[self.name] = Connection(self.agent.stream, self.encoding, self.patience, self.say)
        return self.connections[self.name]

    def send(self, data):
        self.connection.unsent += data

    def hear(self, expected):
        self.connection.hear(expected)

    def on(self, name):
        self.name = name

    def end(self, _):
        self.connection.socket.shutdown(socket.SHUT_WR)

    def close(self, _):
        self.end(_)
        self.closed(_)

    def closed(self, _):
        self.connection.hear_the_end()
        self.connections.pop(self.name).close()

    def kill(self, _):
        self.agent.kill()
        for connection in self.connections.values():
            connection.close()
        self.connections.clear()
        self.agent.start()

    def term(self, _):
        self.agent.ask_to_end()

    def stop(self, reason):
        self.agent.api.request_stop(reason)

    def crowd(self, crowd):
        n, said = crowd
        for _ in range(n):
            client = socket.socket(socket.AF_UNIX)
            self.crowds.append(client)
            client.settimeout(self.patience)
            client.connect(self.agent.stream)
            client.sendall(said)

    def datagram(self, data):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            client.connect(self.agent.datagram)
            client.send(data)

    def result(self, expected):
        for connection in self.connections.values():
            connection.socket.shutdown(socket.SHUT_WR)
            connection.hear_the_end()
        found = difference(expected, self.agent.end())
        if found:
            raise Failure(f"Result: {found}")

    def do(self, step):
        for connection in self.connections.values() if step.action != "send" else ():
            connection.flush()
        getattr(self, step.action)(step.value)

    def close_all(self):
        for connection in [*self.connections.values(), *self.crowds]:
            connection.close()


def allow_descriptors(n=4096):
    """Some vectors take more connections than shells allow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < n:
        resource.setrlimit(resource.RLIMIT_NOFILE, (n if hard == resource.RLIM_INFINITY else min(n, hard), hard))


def play(program, vector, encoding, slicing, patience=60, seed=0):
    """None, or what was wrong."""
    allow_descriptors()
    is_to_stop = any(step.action == "stop" for step in vector.steps)
    with tempfile.TemporaryDirectory() as directory, Agent(program, directory, is_to_stop) as agent:
        run = Run(agent, vector, encoding, slicing, patience, seed)
        try:
            for step in vector.steps_in(encoding):
                try:
                    run.do(step)
                except (Failure, OSError, ValueError) as error:
                    return f"{vector.path.name}:{step.line}: {step.action} {step.value!r:.200}\n  {error}{agent.last_words()}"
        finally:
            run.close_all()
    return None


def play_all(program, names=(), patience=60, seed=0):
    """Yields (vector, encoding, slicing, None or what was wrong)."""
    for vector in vectors.read_all("from-client"):
        for encoding in vector.encodings if not names or vector.name in names else ():
            for slicing in SLICINGS:
                yield vector, encoding, slicing, play(program, vector, encoding, slicing, patience, seed)
