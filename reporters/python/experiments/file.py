"""The metrics file, for a directory without an agent that listens: the agent reads it when it comes."""

from __future__ import annotations

import json
import os
import re
from typing import Optional

from .connection import Stop
from .notices import notice

_MESSAGE = re.compile(r'\{"(\w+)":\{"number":\d+(.*)\}\}\n', re.DOTALL)
_METRICS = '"metrics":{'  # no text of a report has this in it: quotes are escaped there


def read_stop(directory: str) -> Optional[Stop]:
    """The stop file, which the agent writes for those that only look at files."""
    try:
        with open(os.path.join(directory, "stop"), encoding="utf-8", errors="replace") as file:
            return Stop({"reason": file.read(4096).rstrip("\n")})
    except OSError:
        return None


class MetricsFile:
    """Lines appended to a file in the directory: one write for each, so processes can share it."""

    def __init__(self, directory: str, rank: int) -> None:
        self.path = os.path.join(directory, f"reported-rank{rank}.jsonl" if rank else "reported.jsonl")
        self.dropped = 0
        self._prefix = f"rank{rank}/" if rank else ""
        self._torn = False
        self._fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o666)

    def put(self, kind: str, fields: str) -> None:
        """A message of the protocol, as the line of a metrics file that says the same."""
        if kind == "report":
            # Flat, and otherwise the same: a metrics file has totalEpochs and outputPath, too.
            text = fields[1:]
            if _METRICS in text:
                text = self._prefixed(text) if self._prefix else text.replace(_METRICS, "", 1)[:-1]
            self._write(f"{{{text}}}\n".encode())
        elif kind == "parameters":
            notice("file parameters", "parameters are not reported: the metrics file has no place for them, and no agent listens")
        elif '"exitStatus":0' in fields:
            self._write(b'{"end":true}\n')

    def put_message(self, line: bytes) -> None:
        """The same, of a message that was made for the socket."""
        found = _MESSAGE.fullmatch(line.decode())
        assert found is not None
        self.put(*found.groups())

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _prefixed(self, text: str) -> str:
        """Metrics of ranks above 0 have names of their own, as the agent gives them."""
        line = json.loads(f"{{{text}}}")
        line.update({self._prefix + name: value for name, value in line.pop("metrics").items()})
        return json.dumps(line)[1:-1]

    def _write(self, data: bytes) -> None:
        if self._torn:
            data = b"\n" + data
        try:
            self._torn = os.write(self._fd, data) < len(data)
        except OSError as error:
            self._torn = True
            self.dropped += 1
            notice(f"file {error.errno}", f"{self.path}: {error.strerror}; reports are lost")
