"""An agent that a test plays."""

import json
import os
import socket


class FakeAgent:
    """The test plays the agent."""

    def __init__(self, path):
        self.path = path
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind(str(path))
        self.listening.listen()

    def accept(self):
        connection, _ = self.listening.accept()
        return Connection(connection)

    def close(self):
        self.listening.close()
        if os.path.exists(self.path):
            os.unlink(self.path)


class Connection:
    def __init__(self, connection):
        self.socket = connection
        self.lines = connection.makefile("rb")

    def hear_line(self):
        return self.lines.readline()

    def hear(self):
        return json.loads(self.hear_line())

    def say(self, *messages):
        self.socket.sendall(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    def keep(self, number):
        self.say({"kept": {"number": number}})

    def close(self):
        self.lines.close()
        self.socket.close()
