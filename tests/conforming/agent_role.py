"""Plays the agent for one client: a socket in a directory of its own, the client's process, and what both said."""

import json
import os
import re
import socket
import subprocess
import tempfile
import threading
import time

from conforming.messages import Reader, WrongType, encode, plain

WELCOME = {"version": 1, "agent": "conformance", "job": "job-1", "result": "default/job-1",
           "limits": {"messageBytes": 131072, "metrics": 1024, "nameBytes": 1024, "unacknowledgedBytes": 262144}}
PIECE = 4096  # of the client's input at once
LOOK_S = 0.05  # between two looks at whether the client is still there
EXIT_S = 1     # for a client that closed, to be gone, so that it is told what it said
NUMBERS = "Numbers, and what kept means"


class Failure(Exception):
    """What was expected, and what came; and the section of PROTOCOL.md, where that is not the one of the check."""

    def __init__(self, expected, came, section=None):
        super().__init__(f"expected {expected}; {came}")
        self.expected, self.came, self.section = expected, came, section


def shown(message):
    text = json.dumps(plain(message), ensure_ascii=False)
    return text if len(text) < 300 else text[:300] + "…"


def as_line(report):
    """A report as the line that it was made of, all numbers as doubles."""
    values = {key: report[key] for key in ("epoch", "step") if key in report}
    values.update(report.get("metrics", {}))
    return {key: plain(float(value)) for key, value in values.items()}


class Peer:
    """One connection of the client."""

    def __init__(self, trial, connection):
        self.trial, self.socket = trial, connection
        self.socket.settimeout(trial.patience)
        self.reader = Reader("ClientMessage")
        self.waiting = []
        self.has_hello, self.last = False, 0
        self.awaited = "something from the client"

    def receive(self, n=65536):
        """Some bytes; none when the client closed."""
        try:
            return self.socket.recv(n)
        except ConnectionResetError:
            return b""
        except socket.timeout:
            raise Failure(self.awaited, f"nothing came in {self.trial.patience:g} s{self.trial.last_words()}") from None

    def hear(self, n=65536):
        """The next message, or None when the client closed. Pings are answered."""
        while True:
            while self.waiting:
                message = self.waiting.pop(0)[0]
                if "ping" in message:
                    self.say({"kept": {"number": self.trial.kept}})
                elif message:
                    self.check(message)
                    return message
            data = self.receive(n)
            if not data:
                return None
            try:
                self.waiting = self.reader.push(data)
            except ValueError as error:
                section = "Messages" if isinstance(error, WrongType) else "Framing"
                raise Failure("messages, each in one line of JSON or in one protobuf frame", str(error), section) from None

    def check(self, message):
        kind, = message
        said = message[kind]
        if not self.has_hello:
            self.check_hello(kind, said, message)
        elif kind == "hello":
            raise Failure("one hello a connection", f"another came: {shown(message)}")
        else:
            self.check_number(kind, said, message)

    def check_hello(self, kind, said, message):
        if kind != "hello":
            raise Failure("a hello first on each connection", f"came: {shown(message)}", "From the client")
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", said.get("client", "")):
            raise Failure("hello.client with 1 to 64 of A-Z a-z 0-9 . _ -", f"came: {shown(message)}", "From the client")
        if said.get("version", 1) != 1:
            raise Failure("hello.version 1, or none", f"came: {shown(message)}", "From the client")
        self.trial.meet(said["client"])
        self.has_hello = True

    def check_number(self, kind, said, message):
        number = said.get("number") if kind in ("report", "parameters", "end") else None
        if number is None:
            raise Failure("messages with a number", f"came: {shown(message)}", NUMBERS)
        if number <= self.last:
            raise Failure(f"numbers that rise on a connection: more than {self.last}", f"came: {shown(message)}", NUMBERS)
        self.last = number
        self.trial.record(number, kind, said, message)

    def say(self, *messages):
        self.send(b"".join(encode("AgentMessage", self.reader.encoding, message) for message in messages))

    def send(self, data, at_once=65536):
        """In pieces of at most at_once bytes. A client that is gone does not hear it."""
        try:
            for at in range(0, len(data), at_once):
                self.socket.sendall(data[at:at + at_once])
        except OSError:
            pass

    def hear_hello(self):
        self.awaited = "a hello"
        if self.hear() is None:
            raise Failure("a hello", f"the client closed the connection{self.trial.last_words(EXIT_S)}")

    def greet(self, **more):
        """Its hello is answered."""
        self.hear_hello()
        self.say({"welcome": {**WELCOME, **more}})

    def take(self, n, at_once=65536):
        """Hears until n different reports came, over all connections."""
        self.awaited = f"{n} reports"
        while len(self.trial.reports) < n:
            if self.hear(at_once) is None:
                raise Failure(f"{n} reports", f"the client closed after {len(self.trial.reports)}{self.trial.last_words(EXIT_S)}")

    def keep(self):
        """All that came is acknowledged."""
        self.trial.kept = max([self.trial.kept, *self.trial.ledger])
        self.say({"kept": {"number": self.trial.kept}})

    def close(self):
        self.socket.close()


class Trial:
    """A client that is being tried."""

    def __init__(self, command, patience):
        self.patience = patience
        self.directory = tempfile.TemporaryDirectory(prefix="conf-")
        self.path = os.path.join(self.directory.name, "agent.sock")
        self.client = None         # its id
        self.ledger = {}           # number: what was said with it
        self.reports = {}          # number: the report as a line
        self.kept = 0              # acknowledged
        self.kept_for_certain = 0  # and the client has read it
        self.fed = []
        self.listener, self.peers, self.fillers = None, [], []
        self.stderr = open(os.path.join(self.directory.name, "stderr"), "w+b")
        self.process = subprocess.Popen(
            command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.stderr,
            env={**os.environ, "EXPERIMENTS_SOCKET": self.path, "EXPERIMENTS_DIR": os.path.join(self.directory.name, "not-here")})
        self.lines, self.news = [], threading.Condition()
        self.output = threading.Thread(target=self._read_output, daemon=True)
        self.output.start()

    # --- the client's process ---

    def _read_output(self):
        for line in self.process.stdout:
            with self.news:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\r\n"))
                self.news.notify_all()

    def feed(self, lines, end=False):
        """What the training says; the client has to take it whatever the agent does."""
        self.fed += lines
        data = "".join(json.dumps(plain(line)) + "\n" for line in lines).encode()
        progress = [0]

        def write():
            try:
                for at in range(0, len(data), PIECE):
                    self.process.stdin.write(data[at:at + PIECE])
                    progress[0] = at
                if end:
                    self.process.stdin.close()
            except OSError:
                pass  # it is gone, which is told where it is waited for

        writer = threading.Thread(target=write, daemon=True)
        writer.start()
        before = -1
        while writer.is_alive() and before != progress[0]:  # a slow one is not one that waits
            before = progress[0]
            writer.join(self.patience)
        if writer.is_alive():
            raise Failure("a client that reads its input whatever becomes of the agent, so that no training waits for it",
                          f"it did not read on for {self.patience:g} s")

    def wait_for_line(self, line):
        with self.news:
            if not self.news.wait_for(lambda: line in self.lines, self.patience):
                raise Failure(f"the line {line!r} on the client's standard output",
                              f"came: {self.lines!r}{self.last_words()}")

    def wait_for_exit(self):
        try:
            return self.process.wait(self.patience)
        except subprocess.TimeoutExpired:
            raise Failure("a client that exits, since its input ended and all is acknowledged",
                          f"it still runs after {self.patience:g} s{self.last_words()}") from None

    def last_words(self, patience=0):
        """What the client said, and how it exited when it has within that time."""
        try:
            exited = f"; it exited with {self.process.wait(patience)}"
        except subprocess.TimeoutExpired:
            exited = ""
        self.stderr.seek(0)
        said = self.stderr.read().decode("utf-8", "replace") + "\n".join(self.lines)
        return exited + (f"; it said: {said.strip()[-1000:]}" if said.strip() else "")

    # --- the socket ---

    def listen(self, backlog=64):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(backlog)

    def accept(self):
        awaited = "another connection, since not all is acknowledged" if self.peers else \
            "a connection to the socket that EXPERIMENTS_SOCKET names"
        self.listener.settimeout(LOOK_S)
        end = time.monotonic() + self.patience
        while True:
            try:
                connection, _ = self.listener.accept()
                break
            except socket.timeout:
                if self.process.poll() is not None:
                    raise Failure(awaited, f"the client is gone{self.last_words()}") from None
                if time.monotonic() > end:
                    raise Failure(awaited, f"none came in {self.patience:g} s{self.last_words()}") from None
        self.peers.append(Peer(self, connection))
        return self.peers[-1]

    def vanish(self):
        """As a killed agent: nobody listens, and the socket is still there."""
        self.listener.close()

    def tidy_up(self):
        os.unlink(self.path)

    # --- what was said ---

    def meet(self, client):
        if self.client not in (None, client):
            raise Failure("the same hello.client on each connection", f"came: {client} after {self.client}")
        self.client = client

    def record(self, number, kind, said, message):
        if number <= self.kept_for_certain:
            raise Failure(f"only what is not acknowledged: numbers above {self.kept_for_certain}, which the client had read",
                          f"came again: {shown(message)}")
        before = self.ledger.setdefault(number, shown(message))
        if before != shown(message):
            raise Failure(f"number {number} as it was: {before}", f"came: {shown(message)}")
        if kind == "report":
            if not {"epoch", "step"}.isdisjoint(said.get("metrics", {})):
                raise Failure("epoch and step as fields of the report, beside its metrics", f"came: {shown(message)}", "From the client")
            self.reports[number] = as_line(said)

    def finish(self, peer, may_drop=False):
        """The client's input ends: all that comes is acknowledged, and it exits."""
        self.feed([], end=True)
        peer.awaited = "a client that exits, since its input ended and all is acknowledged"
        peer.keep()
        while peer.hear() is not None:
            peer.keep()
        peer.close()
        code = self.wait_for_exit()
        if code != 0:
            raise Failure("exit status 0, since all is acknowledged", f"the client is gone{self.last_words()}")
        self.compare(may_drop)

    def compare(self, may_drop):
        came = [self.reports[number] for number in sorted(self.reports)]
        fed = [{key: plain(float(value)) for key, value in line.items()} for line in self.fed]
        rest = iter(fed)
        for i, report in enumerate(came):
            if not (report in rest if may_drop else i < len(fed) and report == fed[i]):
                raise Failure(f"as report {i + 1}: {shown(fed[i]) if i < len(fed) else 'nothing'}", f"came: {shown(report)}")
        if not may_drop and len(came) < len(fed):
            raise Failure(f"{len(fed)} reports", f"{len(came)} came; the first that is missing: {shown(fed[len(came)])}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.output.join(self.patience)
        for thing in [*self.peers, *self.fillers, *filter(None, [self.listener])]:
            thing.close()
        for stream in (self.process.stdin, self.process.stdout, self.stderr):
            try:
                stream.close()
            except OSError:
                pass
        self.directory.cleanup()
