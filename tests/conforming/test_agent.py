"""The agent answers every vector as it says, however the bytes are cut, and has what it says in the Result."""

import os
import re

import pytest

from conforming import client_role, vectors
from conforming.messages import PROTO, SCHEMA, Reader, value_field

AGENT = os.environ["EXPERIMENTS_AGENT"]
VECTORS = vectors.read_all("from-client")
CASES = [(vector, encoding, slicing) for vector in VECTORS for encoding in vector.encodings
         for slicing in client_role.SLICINGS]


@pytest.mark.parametrize("vector, encoding, slicing", CASES, ids=lambda value: getattr(value, "name", value))
def test_vector(vector, encoding, slicing):
    found = client_role.play(AGENT, vector, encoding, slicing)
    assert not found, found


def test_every_code_of_the_specification_has_a_vector_and_no_other():
    text = (PROTO / "PROTOCOL.md").read_text("utf-8")
    table = re.search(r"^## Errors$(.*?)^A message with several", text, re.M | re.S).group(1)
    specified = {code for row in re.findall(r"^\| (`.*?) \|", table, re.M) for code in re.findall(r"`([a-z0-9-]+)`", row)}
    expected = {step.value["rejected"]["code"] for vector in VECTORS for step in vector.steps
                if step.action == "hear" and "rejected" in step.value}
    assert specified == expected


def _fields(name):
    """Of a message and of all in it: {"Hello.pid", …}."""
    return {f"{name}.{field}" for _, _, field in SCHEMA[name].values()}.union(
        *(_fields(kind) for _, kind, _ in SCHEMA[name].values() if kind in SCHEMA))


def _used(name, message):
    kinds = {field: (is_repeated, kind) for is_repeated, kind, field in SCHEMA[name].values()}
    used = set()
    for field, value in message.items():
        is_repeated, kind = kinds[field]
        used.add(f"{name}.{field}")
        if is_repeated:
            used |= {f"{kind}.name"} | {f"{kind}.{'value' if kind == 'Metric' else value_field(item)}" for item in value.values()}
        elif kind in SCHEMA:
            used |= _used(kind, value)
    return used


@pytest.mark.parametrize("folder, root", [("from-client", "ClientMessage"), ("from-agent", "AgentMessage")])
@pytest.mark.parametrize("encoding", vectors.ENCODINGS)
def test_every_field_is_in_a_vector(folder, root, encoding):
    used = set()
    for vector in vectors.read_all(folder):
        if not vector.name.startswith("error-"):
            data = b"".join(step.value for step in vector.steps_in(encoding) if step.action == "send")
            for message, _ in Reader(root, encoding).push(data):
                used |= _used(root, message) if "line" not in message else set()
    assert _fields(root) - used == set()


def test_every_vector_names_sections_that_there_are():
    headings = set(re.findall(r"^#+ (.*)$", (PROTO / "PROTOCOL.md").read_text("utf-8"), re.M))
    for vector in VECTORS + vectors.read_all("from-agent"):
        assert vector.title and vector.sections and set(vector.sections) <= headings, vector.path


def test_both_encodings_say_the_same():
    """Where a line and a frame stand side by side in a vector of what is well-formed."""
    for vector in VECTORS:
        said = {}
        for encoding in vector.encodings:
            data = b"".join(step.value for step in vector.steps_in(encoding) if step.action == "send")
            data += b"\n" if encoding == "json" else b""
            if not vector.name.startswith("error-"):
                said[encoding] = [message for message, _ in Reader("ClientMessage", encoding).push(data)
                                  if message and "line" not in message]
        if len(said) == 2 and vector.name not in ("empty-messages", "values-not-finite", "metric-without-value"):
            assert said["json"] == said["proto"], vector.path
