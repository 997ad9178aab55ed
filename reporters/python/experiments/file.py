"""The metrics file, for a directory without an agent that listens: the agent reads it when it comes."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, Optional

from .connection import Stop
from .notices import notice

# Fields of a report that have another name in a metrics file (docs/metrics-file.md).
NAMES = {"totalEpochs": "total_epochs", "outputPath": "output_path"}


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
        self._rank = rank
        self.dropped = 0
        self._torn = False
        self.path = os.path.join(directory, f"reported-rank{rank}.jsonl" if rank else "reported.jsonl")
        self._fd: Optional[int] = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o666)

    def put(self, line: bytes) -> None:
        """A message of the protocol, as the line of a metrics file that says the same."""
        text = self._text(json.loads(line))
        if text is None or self._fd is None:
            return
        data = b"\n" * self._torn + text.encode() + b"\n"
        try:
            self._torn = os.write(self._fd, data) < len(data)
        except OSError as error:
            self._torn = True
            self.dropped += 1
            notice(f"file {error.errno}", f"{self.path}: {error.strerror}; reports are lost")

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _text(self, message: Dict[str, Any]) -> Optional[str]:
        [(kind, fields)] = message.items()
        fields.pop("number", None)
        if kind == "end":
            return None if fields.get("exitStatus") else '{"end": true}'
        if kind != "report":
            notice("file parameters", "parameters need an agent that listens; the metrics file has no place for them")
            return None
        metrics = fields.pop("metrics", {})
        prefix = f"rank{self._rank}/" if self._rank else ""
        line = {NAMES.get(name, name): value for name, value in fields.items()}
        line.update((prefix + name, value) for name, value in metrics.items())
        return json.dumps(line)
