"""Which way reports go: to the agent, to a file, or nowhere; and in which order, from any thread.

A process that has once reached the agent reports to it, and to nothing else, until its end. One that has not, within
MOMENT_SECONDS of its first report or by its end, writes the metrics file until its end, where there is a directory.
So nothing is reported both ways, whenever the agent comes.
"""

from __future__ import annotations

import os
import time
from collections import deque
from typing import Deque, Dict, Optional, Tuple

from . import process
from .connection import Connection, Stop
from .file import MetricsFile, read_stop
from .notices import notice

MOMENT_SECONDS = 10.0

_now = time.monotonic


class Delivery:
    """Of one reporter in one process."""

    def __init__(self, socket: Optional[str], rank: Optional[int], buffer_bytes: int) -> None:
        # Messages pass through a queue, and whoever gets the lock sends them. Nobody waits for the lock, so a
        # signal handler cannot wait for what it interrupted. The lock is a key that one holds: of a threading.Lock nobody
        # can say whose it is, when the exception of a signal comes right after acquire().
        self._inbox: Deque[Tuple[str, str]] = deque()
        self._holder: Dict[int, object] = {}
        self._named = socket, rank, buffer_bytes
        self._connection: Optional[Connection] = None
        self._direct: Optional[Connection] = None  # the same, when it was reached
        self._file: Optional[MetricsFile] = None
        self._file_at = 0.0
        self._directory: Optional[str] = None
        self._found = False
        self.rank = 0
        self.silent = False  # what is put goes nowhere

    def put(self, kind: str, fields: str) -> None:
        """Takes a message, and sends what can be sent without waiting."""
        me, holder = object(), self._holder
        try:
            if holder.setdefault(0, me) is not me:
                self._inbox.append((kind, fields))
            elif self._direct is not None and not self._inbox:
                self._direct.put_and_work(kind, fields)
            else:
                self._inbox.append((kind, fields))
                self._work()
        finally:  # without a call, after which a signal could come
            try:
                if holder[0] is me:
                    del holder[0]
            except KeyError:
                pass
        # What came from another thread or a signal meanwhile is sent by whoever gets the lock next.
        while self._inbox and self._try_to_work():
            pass

    def stop(self) -> Optional[Stop]:
        """What the agent said of a stop so far."""
        self._try_to_work(read=True)
        connection = self._connection
        if connection is None:
            return None
        if not connection.reached and connection.stop is None and self._directory is not None:
            connection.stop = read_stop(self._directory)
        return connection.stop

    def flush(self, seconds: float) -> bool:
        """Waits until all is acknowledged, or in the file."""
        end = _now() + seconds
        while not self._is_done():
            left = end - _now()
            connection = self._connection
            if left <= 0 or (connection is not None and connection.refused and self._file is None):
                return False
            if self._holder or connection is None:  # by another thread, or by this one below a signal handler
                time.sleep(min(left, 0.005))
            else:
                connection.wait(left)
        return True

    def give_up_waiting(self) -> None:
        """At the end: an agent that never came will find a file."""
        self._file_at = 0.0

    def hang_up(self) -> None:
        """At the end; whoever reports still is heard."""
        if self._connection is not None:
            self._connection.close()

    def abandon(self) -> None:
        """In a child of fork: the parent goes on with both."""
        self.hang_up()
        if self._file is not None:
            self._file.close()

    @property
    def dropped(self) -> int:
        return sum(way.dropped for way in (self._connection, self._file) if way is not None)

    @property
    def unconfirmed(self) -> int:
        return 0 if self._connection is None else self._connection.unconfirmed

    @property
    def n_waiting(self) -> int:
        """Messages that nobody has acknowledged."""
        return len(self._inbox) + (0 if self._connection is None else len(self._connection))

    def _try_to_work(self, read: bool = False) -> bool:
        """Unless somebody does so already."""
        me, holder = object(), self._holder
        try:
            if holder.setdefault(0, me) is not me:
                return False
            self._work(read)
            return True
        finally:
            try:
                if holder[0] is me:
                    del holder[0]
            except KeyError:
                pass

    def _is_done(self) -> bool:
        self._try_to_work(read=True)
        connection = self._connection
        return not self._inbox and (connection is None or self._file is not None
                                    or (len(connection) == 0 and not connection.refused))

    # --- with the lock ---

    def _work(self, read: bool = False) -> None:
        if not self._found:
            self._find()
        inbox = self._inbox
        if self.silent:
            inbox.clear()
        connection = self._connection
        if connection is None:
            return
        if self._file is None:
            while inbox:
                connection.put(*inbox.popleft())
            connection.work(read)
            if connection.reached:
                self._direct = None if self.silent else connection
            elif _now() >= self._file_at:
                self._turn_to_file(connection)
        if self._file is not None:
            while inbox:
                self._file.put(*inbox.popleft())

    def _find(self) -> None:
        socket, rank, buffer_bytes = self._named
        place = process.find_place(socket)
        self.rank = min(process.find_rank() if rank is None else rank, 65535)
        self._found = True
        self.silent = place.socket is None or (self.rank > 0 and rank is None and not process.every_rank_reports())
        if place.socket is None:
            if not process.is_switched_off():
                notice("nowhere", "nothing is reported: EXPERIMENTS_SOCKET is not set, and there is no directory "
                                  + process.directory())
            return
        self._connection = Connection(place.socket, self.rank, buffer_bytes)
        self._directory = place.directory
        self._file_at = _now() + MOMENT_SECONDS

    def _turn_to_file(self, connection: Connection) -> None:
        if self._directory is None or self.silent:
            return
        try:
            self._file = MetricsFile(self._directory, self.rank)
        except OSError as error:
            notice("file", f"no agent listens at {connection.path}, and no file can be made in {self._directory} "
                           f"({os.strerror(error.errno or 0)}): reports wait for the agent")
            self._directory = None
            return
        for line in connection.take_all():
            self._file.put_message(line)
