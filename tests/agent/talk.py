"""Both encodings of proto/PROTOCOL.md, as far as tests speak them: messages to bytes, bytes to answers."""

import json
import os
import socket
import struct

HANGS_S = 60  # no agent computes for so long

# Of proto/agent.proto: name to field number and type.
CLIENT_MESSAGES = {"hello": 1, "report": 2, "parameters": 3, "end": 4, "ping": 5}
FIELDS = {
    "hello": {"version": (1, int), "client": (2, str), "program": (3, str), "pid": (4, int), "rank": (5, int)},
    "report": {"number": (1, int), "epoch": (2, float), "step": (3, float), "time": (4, float)},
    "parameters": {"number": (1, int)},
    "end": {"number": (1, int), "exitStatus": (2, int)},
    "ping": {},
}
AGENT_MESSAGES = {
    1: ("welcome", {1: "version", 2: "agent", 3: "job", 4: "result", 5: "kept", 7: "stop"}),
    2: ("kept", {1: "number"}),
    3: ("stop", {1: "reason", 2: "deadline"}),
    4: ("rejected", {1: "number", 2: "code", 3: "message"}),
}


def varint(n):
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def _bytes(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def _field(number, kind, value):
    if kind is int:
        return varint(number << 3) + varint(value)
    if kind is float:
        return varint(number << 3 | 1) + struct.pack("<d", value)
    return _bytes(number, value.encode())


def protobuf(message):
    """One frame of a message that is given as for JSON."""
    [(name, content)] = message.items()
    fields = FIELDS[name]
    body = b"".join(_field(*fields[key], value) for key, value in content.items() if key in fields)
    for metric, value in content.get("metrics", {}).items():
        body += _bytes(5, _field(1, str, metric) + _field(2, float, value))
    frame = _bytes(CLIENT_MESSAGES[name], body)
    return struct.pack(">I", len(frame)) + frame


def json_line(message):
    return json.dumps(message).encode() + b"\n"


ENCODINGS = {"json": json_line, "protobuf": protobuf}


def _unpacked(data):
    at = 0

    def take_varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = take_varint()
        if key & 7 == 0:
            yield key >> 3, take_varint()
        elif key & 7 == 1:
            yield key >> 3, struct.unpack("<d", data[at:at + 8])[0]
            at += 8
        else:
            size = take_varint()
            yield key >> 3, data[at:at + size]
            at += size


def _answer(frame):
    [(number, content)] = _unpacked(frame)
    name, fields = AGENT_MESSAGES[number]
    values = {fields[key]: value for key, value in _unpacked(content) if key in fields}
    return {name: {key: value.decode() if isinstance(value, bytes) and key != "stop" else value
                   for key, value in values.items()}}


class Answers:
    """Bytes of the agent's, as they come, to its answers."""

    def __init__(self):
        self._pending = b""

    def push(self, data):
        """The answers that are whole now."""
        self._pending += data
        while True:
            if self._pending[:1] == b"{":
                line, newline, rest = self._pending.partition(b"\n")
                if not newline:
                    return
                answer = json.loads(line)
            else:
                size = int.from_bytes(self._pending[:4], "big")
                if len(self._pending) < max(4, 4 + size):
                    return
                answer, rest = _answer(self._pending[4:4 + size]), self._pending[4 + size:]
            self._pending = rest
            yield answer


class Client:
    """A connection whose path may be longer than a socket's."""

    def __init__(self, directory):
        directory = os.open(directory, os.O_PATH)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(HANGS_S)
        self.socket.connect(f"/proc/self/fd/{directory}/agent.sock")
        os.close(directory)
        self.answers, self.heard = Answers(), []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def say(self, *messages, encode=json_line):
        self.socket.sendall(b"".join(map(encode, messages)))

    def hear(self):
        """The next answer; None: the agent closed."""
        while not self.heard:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:  # it closed without having read all
                return None
            if not data:
                return None
            self.heard += self.answers.push(data)
        return self.heard.pop(0)

    def fill(self, data):
        """Sends until nothing more is taken; how many bytes."""
        self.socket.setblocking(False)
        n = 0
        try:
            while True:
                n += self.socket.send(data)
        except BlockingIOError:
            return n
        finally:
            self.socket.settimeout(HANGS_S)

    def ask(self):
        """Waits until all that was said before is kept."""
        self.say({"ping": {}})
        while "kept" not in (answer := self.hear() or {}):
            if not answer:
                raise ConnectionResetError
        return answer["kept"].get("number", 0)
