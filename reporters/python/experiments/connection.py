"""The way to the agent: numbers messages, keeps them until they are acknowledged, and connects again.

Nothing here waits, but for wait(). Who calls holds the reporter's lock.
"""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import time
from collections import deque
from typing import Any, Deque, Dict, List, Optional

from . import process
from .notices import notice
from .values import cut

RETRY_SECONDS = 1.0  # between two attempts to connect
BLOCKED_SECONDS = 0.005  # a socket that was full is left alone for so long: what comes meanwhile goes with one call
READ_SECONDS = 30.0  # acknowledgements are read by report() so often,
READ_EVERY = 1024  # or after so many messages
CHUNK_BYTES = 65536  # sent with one call when there is something to catch up
CALL_BYTES = 262144  # and so many at most before the trainer goes on
SEND_BUFFER_BYTES = 1024 * 1024
WAIT_SECONDS = 60.0  # of one call: neither poll() nor sleep() takes any number
PATH_BYTES = 107  # what sockaddr_un holds with its NUL

_NOSIGNAL = getattr(socket, "MSG_NOSIGNAL", 0)  # SIGPIPE may have been given its default back
_now = time.monotonic


class Stop:
    """A stop request: why (may be empty), and when the process will be killed (seconds since 1970, or None)."""

    def __init__(self, message: Dict[str, Any]) -> None:
        self.reason = str(message.get("reason") or "")
        self.deadline: Optional[float] = message.get("deadline")


class Connection:
    """One client of the agent, over all its connections.

    Messages have consecutive numbers from 1, so a number need not be stored: _sent holds those from _first on that
    were handed to the socket of this connection and are not acknowledged, _waiting those behind them.
    """

    def __init__(self, path: str, rank: int, buffer_bytes: int) -> None:
        self.path = path
        self.rank = rank
        self.buffer_bytes = buffer_bytes
        self.client = os.urandom(8).hex()
        self.reached = False  # the agent, at least once
        self.refused = False  # it does not speak with us, now or later
        self.stop: Optional[Stop] = None
        self.dropped = 0  # messages that reached nobody
        self.unconfirmed = 0  # messages that were sent, and forgotten before they were acknowledged
        self._last_unconfirmed = 0
        self._sent: Deque[bytes] = deque()
        self._waiting: Deque[bytes] = deque()
        self._first = 1
        self._next = 1
        self._n_bytes = 0  # of both
        self._socket: Optional[socket.socket] = None
        self._unsent = b""  # the rest of what the socket did not take as a whole
        self._unread = b""  # an answer that is not complete
        self._retry_at = 0.0
        self._blocked_until = 0.0
        self._read_at = 0.0
        self._read_number = 0
        if len(os.fsencode(path)) > PATH_BYTES:
            self.refused = True
            notice("path", f"the path of the agent's socket has {len(os.fsencode(path))} bytes, at most {PATH_BYTES} fit: {path}")
        elif not hasattr(socket, "AF_UNIX"):
            self.refused = True
            notice("path", f"nothing can be reported to {path}: this Python has no Unix sockets")

    # --- what the reporter calls ---

    def __len__(self) -> int:
        """How many messages are not acknowledged."""
        return len(self._sent) + len(self._waiting)

    def put(self, kind: str, fields: str) -> None:
        """Numbers a message and takes it, to be sent by work(): fields is JSON behind '"number":N'."""
        if self.refused and self.reached:
            self.dropped += 1
            return
        self._waiting.append(self._line(kind, fields))
        if self._n_bytes > self.buffer_bytes:
            self._make_room()

    def put_and_work(self, kind: str, fields: str) -> None:
        """Both, and the short way where nothing else is to be done: what nearly every report takes."""
        if (self._socket is None or self._waiting or self._unsent or self._next >= self._read_number
                or self._n_bytes >= self.buffer_bytes or _now() >= self._read_at):
            self.put(kind, fields)
            self.work()
            return
        line = self._line(kind, fields)
        self._sent.append(line)
        self._push(line)

    def work(self, read: bool = False) -> None:
        """Connects, sends and reads what can be without waiting. read: answers now, not just every so often."""
        if self._socket is None and not self._connect():
            return
        if self._unsent or self._waiting:
            self._send(read)
        if self._socket is not None and (read or self._next >= self._read_number or _now() >= self._read_at):
            self._read()

    def wait(self, seconds: float) -> None:
        """Until there is something to do, at most so long."""
        seconds = min(seconds, WAIT_SECONDS)
        if self._socket is None:
            time.sleep(max(0.0, min(seconds, self._retry_at - _now())))
            return
        try:
            poll = select.poll()
            poll.register(self._socket, select.POLLIN | (select.POLLOUT if self._unsent or self._waiting else 0))
            poll.poll(max(1, int(seconds * 1000)))
        except (OSError, ValueError):  # another thread closed it
            pass

    def take_all(self) -> List[bytes]:
        """Gives away all messages, where no agent will take them."""
        lines = list(self._waiting)
        self._waiting.clear()
        self._first, self._n_bytes = self._next, 0
        return lines

    def close(self) -> None:
        """Also in a child of fork: the parent's connection goes on."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    # --- the buffer ---

    def _make_room(self) -> None:
        """Forgets the oldest messages. What was sent and is not acknowledged may have arrived or not."""
        if self._socket is not None:
            self._read()
        while self._n_bytes > self.buffer_bytes and (self._sent or len(self._waiting) > 1):
            if self._sent:
                self._n_bytes -= len(self._sent.popleft())
                self.unconfirmed += 1
                self._last_unconfirmed = self._first
            else:
                self._n_bytes -= len(self._waiting.popleft())
                self.dropped += 1
                notice("buffer", f"the agent takes no reports, and {self.buffer_bytes} bytes wait for it: the oldest are dropped")
            self._first += 1

    def _acknowledge(self, number: int) -> None:
        """Everything up to this number is dealt with."""
        unknown = max(0, self._last_unconfirmed - number)
        self.unconfirmed = min(self.unconfirmed, unknown)
        while self._first <= number and (self._sent or self._waiting):
            self._n_bytes -= len((self._sent or self._waiting).popleft())
            self._first += 1

    # --- the socket ---

    def _connect(self) -> bool:
        now = _now()
        if self.refused or now < self._retry_at:
            return False
        self._retry_at = now + RETRY_SECONDS
        connection = None
        try:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            connection.setblocking(False)
            connection.connect(self.path)
            # As much as may be: each short message takes the kernel some 800 bytes.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        except OSError:  # none is there, or it is busy
            if connection is not None:
                connection.close()
            return False
        self._socket = connection
        self.reached = True
        self._unsent, self._unread = self._hello(), b""
        self._blocked_until = 0.0
        self._read_at = now + READ_SECONDS
        self._read_number = self._next + READ_EVERY
        return True

    def _hello(self) -> bytes:
        hello = {"client": self.client, "program": cut(process.program(), 256), "pid": os.getpid(), "rank": self.rank}
        return json.dumps({"hello": hello}).encode() + b"\n"

    def _disconnect(self) -> None:
        """What is not acknowledged is sent again, in order, on the next connection."""
        self.close()
        self._waiting.extendleft(reversed(self._sent))
        self._sent.clear()

    def _fail(self, error: OSError) -> None:
        if error.errno in (errno.EBADF, errno.ENOTSOCK) and self._socket is not None:
            self._socket.detach()  # somebody closed it under us; its number may be another file's by now
            self._socket = None
        self._disconnect()

    def _send(self, at_once: bool) -> None:
        """One call as a rule: more only to catch up."""
        if not at_once and _now() < self._blocked_until:
            return
        n_bytes = 0
        while (self._unsent or self._waiting) and n_bytes < CALL_BYTES:
            chunk = self._next_chunk()
            n_bytes += len(chunk)
            if not self._push(chunk):
                return

    def _push(self, chunk: bytes) -> bool:
        """Hands it to the socket; what that does not take is the first to be sent next. Returns whether it took all."""
        try:
            n = self._socket.send(chunk, _NOSIGNAL)  # type: ignore[union-attr]
        except BlockingIOError:
            n = 0
        except OSError as error:
            if error.errno in (errno.EPIPE, errno.ECONNRESET):
                self._read()  # what was acknowledged before the agent went is not sent again
            self._fail(error)
            return False
        except BaseException:
            # A signal's exception, which may have come after the bytes were sent.
            self._disconnect()
            raise
        if n == len(chunk):
            self._unsent = b""
            return True
        self._unsent = chunk[n:]
        self._blocked_until = _now() + BLOCKED_SECONDS
        return False

    def _line(self, kind: str, fields: str) -> bytes:
        line = f'{{"{kind}":{{"number":{self._next}{fields}}}}}\n'.encode()
        self._next += 1
        self._n_bytes += len(line)
        return line

    def _next_chunk(self) -> bytes:
        """What is sent next; from now on it counts as sent."""
        waiting, sent = self._waiting, self._sent
        lines = [self._unsent]
        n_bytes = len(self._unsent)
        while waiting and n_bytes < CHUNK_BYTES:
            line = waiting.popleft()
            sent.append(line)
            lines.append(line)
            n_bytes += len(line)
        return b"".join(lines)

    # --- answers ---

    def _read(self) -> None:
        self._read_at = _now() + READ_SECONDS
        self._read_number = self._next + READ_EVERY
        try:
            data = self._socket.recv(65536)  # type: ignore[union-attr]
        except BlockingIOError:
            return
        except OSError as error:
            self._fail(error)
            return
        if not data:
            self._disconnect()
            return
        lines = (self._unread + data).split(b"\n")
        self._unread = lines.pop()
        kept = None
        for line in lines:
            if line.startswith(b'{"kept":'):
                kept = line  # a later one is never smaller
            else:
                self._hear(line)
        if kept is not None:
            self._hear(kept)

    def _hear(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            [(name, fields)] = message.items()
        except (ValueError, AttributeError):  # nothing that we know
            return
        if not isinstance(fields, dict):
            return
        if name == "kept":
            self._acknowledge(int(fields.get("number") or 0))
        elif name == "welcome":
            self._welcome(fields)
        elif name == "stop":
            self.stop = Stop(fields)
        elif name == "rejected":
            self._rejected(fields)

    def _welcome(self, fields: Dict[str, Any]) -> None:
        self._acknowledge(int(fields.get("kept") or 0))
        # What was forgotten on an earlier connection and is not kept was lost with it.
        self.dropped += self.unconfirmed
        self.unconfirmed = 0
        if isinstance(fields.get("stop"), dict):
            self.stop = Stop(fields["stop"])

    def _rejected(self, fields: Dict[str, Any]) -> None:
        code = str(fields.get("code"))
        notice(f"rejected {code}", f"the agent did not take a message: {code}: {fields.get('message', '')}")
        if code == "version-not-spoken":
            self.refused = True
            self._disconnect()
            self.dropped += len(self._waiting)
            self.take_all()
        elif code == "client-id-taken":
            self._disconnect()
