"""A client as PROTOCOL.md has it, with one thread and plain sockets: what tests/conformance is tried with.

    python3 reference_client.py [--proto]
"""

import collections
import json
import os
import pathlib
import secrets
import select
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from conforming.messages import Reader, encode  # noqa: E402

BUFFER_MESSAGES = 5000  # what is not acknowledged; beyond it numbers are left out
PAUSE_S = 1             # between two connections
CHUNK_BYTES = 65536


class Client:
    pause = PAUSE_S

    def __init__(self, encoding):
        self.encoding = encoding
        self.id = secrets.token_hex(8)
        self.number = 0
        self.unkept = collections.deque()  # (number, message), not acknowledged
        self.sent = 0                      # of these, on this connection
        self.out = b""
        self.socket, self.tried = None, float("-inf")
        self.has_welcome = self.is_refused = self.is_at_end = False
        self.rest = b""                    # of the input

    def encode(self, message):
        return encode("ClientMessage", self.encoding, message)

    # --- the connection ---

    def new_socket(self):
        new = socket.socket(socket.AF_UNIX)
        new.setblocking(False)
        return new

    def is_due(self):
        return not self.socket and self.unkept and not self.is_refused and time.monotonic() >= self.tried + self.pause

    def connect(self):
        self.tried = time.monotonic()
        self.socket = self.new_socket()
        try:
            self.socket.connect(os.environ["EXPERIMENTS_SOCKET"])
        except OSError:  # also EAGAIN: its queue is full
            self.disconnect()
            return
        self.begin()

    def hello(self):
        return self.encode({"hello": {"client": self.id, "program": "reference", "pid": os.getpid()}})

    def begin(self):
        """The connection is new: all that is not acknowledged is sent on it, when the welcome says what that is."""
        self.out, self.sent, self.has_welcome, self.is_taken = self.hello(), 0, False, False
        self.reader = Reader("AgentMessage", self.encoding)

    def disconnect(self):
        self.socket.close()
        self.socket = None

    # --- what the agent says ---

    def forget(self, number):
        while self.unkept and self.unkept[0][0] <= number:
            self.unkept.popleft()
            self.sent = max(0, self.sent - 1)

    def hear(self, message):
        if "welcome" in message:
            self.has_welcome = True
            self.forget(message["welcome"].get("kept", 0))
        elif "kept" in message:
            self.forget(message["kept"].get("number", 0))
        elif "rejected" in message:
            self.is_refused = message["rejected"].get("code") == "version-not-spoken"
            self.is_taken = message["rejected"].get("code") == "client-id-taken"
        stop = message.get("stop", message.get("welcome", {}).get("stop"))
        if stop is not None:
            print(f"stop: {stop.get('reason', '')}", flush=True)

    def read(self):
        try:
            data = self.socket.recv(CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data[:1] == b"{" and not self.reader.pending:
            self.reader.encoding = "json"  # it is turned away
        for message, _ in self.reader.push(data):
            self.hear(message)
        if not data or self.is_refused or self.is_taken:
            self.disconnect()

    def write(self):
        while self.has_welcome and len(self.out) < CHUNK_BYTES and self.sent < len(self.unkept):
            self.out += self.encode(self.unkept[self.sent][1])
            self.sent += 1
        try:
            self.out = self.out[self.socket.send(self.out):]
        except BlockingIOError:
            pass
        except OSError:
            self.disconnect()

    # --- what the training says ---

    def say(self, line):
        said = {key: line.pop(key) for key in ("epoch", "step") if key in line}
        if line:
            said["metrics"] = {name: float(value) for name, value in line.items()}
        self.number += 1
        if len(self.unkept) < BUFFER_MESSAGES:
            self.unkept.append((self.number, {"report": {"number": self.number, **said}}))

    def take_input(self):
        data = os.read(0, CHUNK_BYTES)
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            self.say(json.loads(line))
        self.is_at_end = not data

    # --- all of it ---

    def wants_to_write(self):
        return self.socket and (self.out or (self.has_welcome and self.sent < len(self.unkept)))

    def wait(self):
        readable = ([] if self.is_at_end else [0]) + ([self.socket] if self.socket else [])
        is_to_connect = not self.socket and self.unkept and not self.is_refused
        timeout = max(0, self.tried + self.pause - time.monotonic()) if is_to_connect else None
        return select.select(readable, [self.socket] if self.wants_to_write() else [], [], timeout)[0]

    def is_done(self):
        return self.is_at_end and (self.is_refused or not self.unkept)

    def run(self):
        while not self.is_done():
            readable = self.wait()
            if 0 in readable:
                self.take_input()
            if self.socket in readable:
                self.read()
            if self.is_due():
                self.connect()
            if self.wants_to_write():
                self.write()


if __name__ == "__main__":
    Client("proto" if "--proto" in sys.argv[1:] else "json").run()
