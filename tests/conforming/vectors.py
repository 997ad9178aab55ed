"""Reads proto/vectors, whose README.md describes the files."""

import dataclasses
import json
import pathlib
import re

from conforming.messages import PROTO

ROOT = PROTO / "vectors"
ENCODINGS = ("json", "proto")
_TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|([0-9A-Fa-f]{2})(?![0-9A-Fa-f(])|(\d+)\(|(\))|(#.*))')


def _tokens(text, at):
    """The bytes from at up to the end, or up to the bracket that closes; and where that is."""
    out = bytearray()
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if not match:
            raise ValueError(f"expected hexadecimal digits or a string: {text[at:at + 40]!r}")
        string, digits, times, closes, _ = match.groups()
        at = match.end()
        if string:
            out += json.loads(string).encode("utf-8")
        elif digits:
            out.append(int(digits, 16))
        elif times:
            repeated, at = _tokens(text, at)
            out += b"".join(repeated.replace(b"%06d", b"%06d" % n) for n in range(int(times)))
        elif closes:
            break
    return bytes(out), at


def read_bytes(text):
    return _tokens(text, 0)[0]


@dataclasses.dataclass
class Step:
    line: int      # in the file
    action: str    # "send", "hear", or the word of the line
    encodings: tuple
    value: object  # bytes, a message, or text


@dataclasses.dataclass
class Vector:
    path: pathlib.Path
    title: str
    sections: list
    steps: list

    @property
    def name(self):
        return self.path.stem

    @property
    def encodings(self):
        sent = {encoding for step in self.steps if step.action == "send" for encoding in step.encodings}
        return [encoding for encoding in ENCODINGS if encoding in sent] or ["json"]

    def steps_in(self, encoding):
        return [step for step in self.steps if encoding in step.encodings]


def _step(number, word, rest):
    sends = {"json>": ("json",), "json+": ("json",), "proto>": ("proto",)}
    hears = {"<": ENCODINGS, "json<": ("json",), "proto<": ("proto",)}
    if word == "json>":
        return Step(number, "send", sends[word], rest.encode("utf-8") + b"\n")
    if word in sends:
        return Step(number, "send", sends[word], read_bytes(rest))
    if word in hears:
        return Step(number, "hear", hears[word], json.loads(rest))
    if word in ("crowd", "crowd-json", "crowd-proto"):
        n, _, said = rest.partition(" ")
        return Step(number, "crowd", ENCODINGS if word == "crowd" else (word[6:],), (int(n), read_bytes(said)))
    if word == "datagram":
        return Step(number, word, ENCODINGS, read_bytes(rest))
    if word in ("result", "means"):
        return Step(number, word, ENCODINGS, json.loads(rest))
    if word in ("on", "end", "close", "closed", "kill", "term", "stop"):
        return Step(number, word, ENCODINGS, rest)
    raise ValueError(f"{word!r} is no word of these files")


def read(path):
    title, sections, steps = "", [], []
    for number, line in enumerate(path.read_text("utf-8").split("\n"), 1):
        word, _, rest = line.partition(" ")
        if line.startswith("#") and not title:
            title = line[1:].strip()
        elif word == "section":
            sections.append(rest)
        elif line.strip() and not line.startswith("#"):
            try:
                steps.append(_step(number, word, rest if word == "json>" else rest.strip()))
            except ValueError as error:
                raise ValueError(f"{path}:{number}: {error}") from None
    return Vector(path, title, sections, steps)


def read_all(folder):
    return [read(path) for path in sorted((ROOT / folder).glob("*.txt"))]
