"""A client of the agent's socket that does a little at a time, and waits for nothing."""

import json
import os
import socket

from agent.talk import Answers


class Client:
    """Sends again on another connection what was not acknowledged on one that broke."""

    def __init__(self, base, name, encode):
        """The socket is agent.sock in base, whose path may be longer than a socket's."""
        self._base = os.open(base, os.O_PATH)
        self.name, self.encode = name, encode
        self.connection = None
        self.messages = []  # not acknowledged
        self.number = self.acked = 0

    def __del__(self):
        os.close(self._base)

    def say(self, oracle, n):
        """The next n lines of the oracle, as reports."""
        for line in oracle.lines(n).splitlines():
            values = json.loads(line)
            self.number += 1
            self.messages.append({"report": {"number": self.number, "epoch": values.pop("epoch"), "metrics": values}})
            self._send(self.messages[-1:])
            if not self.connection:
                self.connect()

    def go_on(self):
        """Hears what was answered; True: all is acknowledged."""
        if self.messages and not self.connection:
            self.connect()
        try:
            while self.connection:
                data = self.connection.recv(65536)
                if not data:
                    raise ConnectionResetError
                for answer in self.answers.push(data):
                    self._hear(answer)
        except BlockingIOError:
            pass
        except ConnectionError:
            self._close()
        return not self.messages

    def _hear(self, answer):
        [(name, content)] = answer.items()
        assert name in ("welcome", "kept"), answer
        kept = content.get("kept", 0) if name == "welcome" else content["number"]
        assert self.acked <= kept <= self.number, f"{self.acked} was acknowledged, and now {kept}, of {self.number}"
        self.acked = kept
        self.messages = [message for message in self.messages if message["report"]["number"] > kept]

    def connect(self):
        self.connection = socket.socket(socket.AF_UNIX)
        self.connection.setblocking(False)
        self.answers = Answers()
        try:
            self.connection.connect(f"/proc/self/fd/{self._base}/agent.sock")
        except OSError:
            self._close()
        self._send([{"hello": {"client": self.name, "pid": 17}}, *self.messages])

    def _send(self, messages):
        """Little enough for the socket's buffer."""
        try:
            if self.connection:
                self.connection.send(b"".join(map(self.encode, messages)))
        except ConnectionError:
            self._close()

    def _close(self):
        self.connection.close()
        self.connection = None
