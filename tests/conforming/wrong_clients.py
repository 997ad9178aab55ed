"""The reference client with a mistake each, which tests/conformance has to find.

    python3 wrong_clients.py MISTAKE [--proto]
"""

import collections
import json
import os
import pathlib
import secrets
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from conforming.messages import Reader  # noqa: E402
from conforming.reference_client import Client  # noqa: E402


class IgnoresTheWelcome(Client):
    """kept-in-the-welcome"""

    def hear(self, message):
        if "welcome" in message:
            message["welcome"].pop("kept", None)
        super().hear(message)


class SendsAllAgain(IgnoresTheWelcome):
    """not-what-is-kept"""

    def begin(self):
        super().begin()
        self.unkept = collections.deque(self.all)

    def say(self, line):
        super().say(line)
        self.all = [*getattr(self, "all", []), self.unkept[-1]]


class NumbersNothing(Client):
    """hello-and-numbers"""

    def encode(self, message):
        return super().encode({kind: {key: value for key, value in said.items() if key != "number"}
                               for kind, said in message.items()})


class NumbersFromZeroAgain(Client):
    """closed-before-the-end"""

    def begin(self):
        super().begin()
        self.offset = self.unkept[0][0] - 1 if hasattr(self, "offset") else -5

    def encode(self, message):
        for said in message.values():
            if "number" in said:
                message = {"report": {**said, "number": said["number"] - self.offset}}
        return super().encode(message)


class NumbersAnew(Client):
    """restarted"""

    def begin(self):
        super().begin()
        self.unkept = collections.deque((i, {"report": {**message["report"], "number": i}})
                                        for i, (_, message) in enumerate(self.unkept, 1))
        self.number = len(self.unkept)


class ListsItsMetrics(Client):
    """hello-and-numbers"""

    def encode(self, message):
        metrics = message.get("report", {}).pop("metrics", {})
        line = super().encode(message)
        return line[:-3] + b', "metrics": ' + json.dumps(list(metrics.values())).encode() + b"}}\n" if metrics else line


class TakesTheEpochForAMetric(Client):
    """hello-and-numbers"""

    def encode(self, message):
        report = message.get("report", {})
        if "epoch" in report:
            report.setdefault("metrics", {})["epoch"] = report.pop("epoch")
        return super().encode(message)


class SaysNoHello(Client):
    """hello-and-numbers"""

    def begin(self):
        super().begin()
        self.out, self.has_welcome = b"", True


class NewIdEachTime(Client):
    """closed-before-the-end"""

    def begin(self):
        self.id = secrets.token_hex(8)
        super().begin()


class SameIdInEachProcess(Client):
    """stop-later"""

    def begin(self):
        self.id = "worker"
        super().begin()


class ReadsNothing(Client):
    """stop-in-the-welcome"""

    def read(self):
        self.has_welcome = True


class LosesWhatIsNotKept(Client):
    """closed-before-the-end"""

    def disconnect(self):
        super().disconnect()
        self.unkept = collections.deque(list(self.unkept)[self.sent:])


class DoesNotWait(Client):
    """closed-before-the-end"""

    def is_done(self):
        return self.is_at_end and self.has_welcome and not self.wants_to_write()


class LetsTheTrainingWait(Client):
    """agent-does-not-read"""

    def write(self):
        self.socket.setblocking(True)
        super().write()
        if self.socket:
            self.socket.setblocking(False)


class LetsTheTrainingWaitForAConnection(Client):
    """agent-does-not-accept"""

    def new_socket(self):
        return socket.socket(socket.AF_UNIX)

    def begin(self):
        self.socket.setblocking(False)
        super().begin()


class StopsItsInputWhenItIsFull(Client):
    """agent-does-not-read"""

    def take_input(self):
        while len(self.unkept) > 4000:
            if self.socket:
                self.write()
            if self.socket:
                self.read()
        super().take_input()


class GivesUp(Client):
    """before-the-agent"""

    def connect(self):
        super().connect()
        if not self.socket:
            sys.exit(1)


class GoesOnInTheMiddle(Client):
    """cut-off"""

    def begin(self):
        sent = getattr(self, "sent_before", None)
        super().begin()
        if sent is not None:
            self.out, self.sent, self.has_welcome = b"", sent, True

    def disconnect(self):
        self.sent_before = self.sent
        super().disconnect()


class ConnectsAllTheTime(Client):
    """once-a-second"""

    pause = 0


class DiesOfTheUnknown(Client):
    """unknown-fields-and-messages"""

    def hear(self, message):
        if not message:
            raise ValueError("a message that is not known")
        super().hear(message)


class TakesAnswersForWhole(Client):
    """answers-in-pieces"""

    def read(self):
        self.reader = Reader("AgentMessage", self.encoding)
        super().read()


class EscapesNothing(Client):
    """names-and-values"""

    def encode(self, message):
        if "hello" in message:
            return super().encode(message)
        metrics = ", ".join(f'"{name}": {value}' for name, value in message["report"].pop("metrics", {}).items())
        return (json.dumps(message)[:-2] + f', "metrics": {{{metrics}}}' + "}}\n").encode()


class HasNoNaN(Client):
    """names-and-values"""

    def say(self, line):
        super().say({name: value for name, value in line.items() if value != "NaN"})


class TellsNoStopOfTheWelcome(Client):
    """stop-in-the-welcome"""

    def hear(self, message):
        message.get("welcome", {}).pop("stop", None)
        super().hear(message)


class TellsNoStop(Client):
    """stop-later"""

    def hear(self, message):
        if "stop" not in message:
            super().hear(message)


class DiesOfRejected(Client):
    """rejected"""

    def hear(self, message):
        if "rejected" in message:
            sys.exit(3)
        super().hear(message)


class TakesAnotherIdWhenItsOwnIsTaken(Client):
    """id-taken"""

    def hear(self, message):
        super().hear(message)
        if self.is_taken:
            self.id = secrets.token_hex(8)


class ForgetsWhatIsRejected(Client):
    """id-taken"""

    def begin(self):
        super().begin()
        self.has_welcome = True  # it does not wait for it

    def hear(self, message):
        super().hear(message)
        self.forget(message.get("rejected", {}).get("number", 0))
        self.is_taken = self.is_taken or message.get("rejected", {}).get("code") == "hello-expected"


class WaitsForAVersion(Client):
    """version-not-spoken"""

    def is_done(self):
        return self.is_at_end and not self.unkept


class UnderstandsNoJsonInProtobuf(Client):
    """turned-away"""

    def __init__(self, encoding):
        super().__init__("proto")

    def read(self):
        if self.socket.recv(1, socket.MSG_PEEK) == b"{":
            raise ValueError("no frame")
        super().read()


WRONG = {client.__name__: client for client in list(globals().values())
         if isinstance(client, type) and issubclass(client, Client) and client is not Client}

if __name__ == "__main__":
    WRONG[sys.argv[1]]("proto" if "--proto" in sys.argv[2:] else "json").run()
    os._exit(0)
