"""Clients of the agent's socket in processes of their own, which may be killed at any moment; who comes after one
of them has its id, and goes on from its record, or from what the agent says in its welcome."""

import mmap
import os
import random
import select
import signal
import socket
import struct
import traceback

from agent.talk import ENCODINGS, Answers

INVALID_EVERY, SKIPPED_EVERY = 17, 23
PIECE_BYTES_MAX = 3000  # sent at once: messages are torn by a kill
OUT_BYTES_MAX = 64 * 1024
PID = 17                # what all of a client's processes say they are, as in a container that is started anew


def is_invalid(number):
    return number % INVALID_EVERY == 5


def is_skipped(number):
    """A report that the client had no room for."""
    return number % SKIPPED_EVERY == 7


class Record:
    """What a client knows of itself, where no kill takes it."""

    def __init__(self):
        self._memory = mmap.mmap(-1, 24)

    def _number(at):  # noqa: N805
        def get(self):
            return struct.unpack_from("=Q", self._memory, at)[0]

        def put(self, value):
            struct.pack_into("=Q", self._memory, at, value)

        return property(get, put)

    target = _number(0)  # it has numbers up to this one to report
    said = _number(8)    # it may have sent those up to this one
    acked = _number(16)  # the agent acknowledged those up to this one


class Reporter:
    """One client, in as many processes as it takes."""

    def __init__(self, index, n_clients, path, encoding, numbers_an_epoch, acks):
        """acks: a pipe, which gets a byte for each acknowledgement."""
        self.index, self.n_clients, self.path, self.acks = index, n_clients, path, acks
        self.encode = ENCODINGS[encoding]
        self.numbers_an_epoch = numbers_an_epoch
        self.record = Record()
        self.pid = None
        self.errors = mmap.mmap(-1, 4096)

    # --- what it says ---

    def epoch(self, number):
        """Those of all clients are different."""
        return (number - 1) // self.numbers_an_epoch * self.n_clients + self.index + 1

    def message(self, number):
        return {"report": {"number": number, "epoch": -1 if is_invalid(number) else self.epoch(number),
                           "metrics": {"loss": number}}}

    def numbers(self):
        return [n for n in range(1, self.record.target + 1) if not is_skipped(n) and not is_invalid(n)]

    def wanted(self):
        """(its rows, accepted, rejected, dropped) when all is dealt with."""
        target = self.record.target
        return ({self.epoch(n): n for n in self.numbers()}, len(self.numbers()),
                sum(is_invalid(n) and not is_skipped(n) for n in range(1, target + 1)),
                sum(map(is_skipped, range(1, target + 1))))

    # --- from outside ---

    def __str__(self):
        record = self.record
        error = self.errors[:].rstrip(b" \0").decode()
        return f"client-{self.index}: {record.acked} acknowledged, {record.said} said, of {record.target} {error}"

    def add(self, n):
        target = self.record.target + n
        self.record.target = target + is_skipped(target)  # what comes after a gap tells of it
        self.wake()

    def is_done(self):
        return self.record.acked >= self.record.target

    def start(self, seed):
        self._wake_end, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.pid = os.fork()
        if self.pid:
            return
        try:
            self._live(random.Random(seed))
        except BaseException:
            self.errors[:4000] = traceback.format_exc().encode()[-4000:].ljust(4000)
        finally:
            os._exit(1)

    def wake(self):
        if self.pid:
            os.write(self._waker, b".")

    def kill(self):
        if not self.pid:
            return
        os.kill(self.pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self._wake_end)
        os.close(self._waker)
        self.pid = None
        assert status == -signal.SIGKILL, self.errors[:].rstrip(b" \0").decode()

    # --- its process ---

    def _live(self, rng):
        while True:
            with socket.socket(socket.AF_UNIX) as connection:
                try:
                    connection.connect(self.path)
                except OSError:
                    # Somebody says when to try again.
                    select.select([self._wake_end], [], [])
                    os.read(self._wake_end, 4096)
                    continue
                try:
                    self._talk(connection, rng)
                except ConnectionError:
                    pass

    def _talk(self, connection, rng):
        """Until the connection breaks, which is a ConnectionError."""
        connection.setblocking(False)
        record, answers = self.record, Answers()
        out = self.encode({"hello": {"client": f"client-{self.index}", "pid": PID}})
        self.sent = record.acked if rng.random() < 0.5 else None  # None: the welcome says
        while True:
            while self.sent is not None and self.sent < record.target and len(out) < OUT_BYTES_MAX:
                self.sent += 1
                record.said = max(record.said, self.sent)
                if not is_skipped(self.sent):
                    out += self.encode(self.message(self.sent))
            readable, writable, _ = select.select([connection, self._wake_end], [connection] if out else [], [])
            if self._wake_end in readable:
                os.read(self._wake_end, 4096)
            if connection in readable:
                data = connection.recv(65536)
                if not data:
                    raise ConnectionResetError
                for answer in answers.push(data):
                    self._hear(answer)
            if writable:
                out = out[connection.send(out[:rng.randint(1, PIECE_BYTES_MAX)]):]

    def _hear(self, answer):
        [(name, content)] = answer.items()
        record = self.record
        if name == "welcome":
            kept = content.get("kept", 0)
            assert kept >= record.acked, f"{record.acked} was acknowledged, {kept} is kept"
            if self.sent is None:
                self.sent = kept
        elif name == "kept":
            kept = content["number"]
            assert kept >= record.acked, f"kept went back from {record.acked} to {kept}"
        else:
            assert name == "rejected" and is_invalid(content["number"]), answer
            return
        assert kept <= record.said, f"{kept} is kept, and was never said"
        record.acked = kept
        os.write(self.acks, b".")
