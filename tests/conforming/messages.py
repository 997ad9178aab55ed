"""The messages of proto/agent.proto as JSON lines and as protobuf frames, by what that file says and nothing else.

A message is a dict as PROTOCOL.md has it in JSON: {"report": {"number": 1, "metrics": {"loss": 0.5}}}.
Not finite values are floats here, whatever they were on the wire. {} is a message that is not known.
"""

import json
import math
import pathlib
import re
import struct

PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"
LENGTH = 4  # bytes before a frame


class WrongType(ValueError):
    """A field has another type than agent.proto gives it."""


def _camel(name):
    return re.sub("_(.)", lambda match: match.group(1).upper(), name)


def _read_schema():
    """{message: {field number: (is repeated, type, name in JSON)}}"""
    text = re.sub("//.*", "", (PROTO / "agent.proto").read_text("utf-8"))
    schema = {}
    for name, body in re.findall(r"message (\w+) \{((?:[^{}]|\{[^{}]*\})*)\}", text):
        fields = re.findall(r"(optional|repeated)?\s*\b(\w+) (\w+) = (\d+);", body)
        schema[name] = {int(n): (label == "repeated", kind, _camel(field)) for label, kind, field, n in fields}
    return schema


SCHEMA = _read_schema()


# --- protobuf ---

def _read_varint(data, at):
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("a varint is cut off, or longer than 10 bytes")
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def _read_field(data, at):
    tag, at = _read_varint(data, at)
    wire = tag & 7
    if wire == 0:
        value, at = _read_varint(data, at)
    elif wire in (1, 2, 5):
        size = 8 if wire == 1 else 4
        if wire == 2:
            size, at = _read_varint(data, at)
        if at + size > len(data):
            raise ValueError("a field is cut off")
        value, at = data[at:at + size], at + size
    else:
        raise ValueError(f"wire type {wire} at byte {at}")
    return tag >> 3, value, at


def _from_wire(kind, value):
    is_varint = kind in ("uint32", "int32", "uint64", "bool")
    if isinstance(value, int) is not is_varint or (kind == "double" and len(value) != 8):
        raise WrongType(f"a field has another wire type than {kind} has")
    if kind in SCHEMA:
        return _decode(kind, value)
    if kind == "double":
        return struct.unpack("<d", value)[0]
    if kind == "string":
        return value.decode("utf-8")
    if kind == "bool":
        return bool(value)
    if kind == "int32":
        value &= 0xFFFFFFFF
        return value - (1 << 32) if value >> 31 else value
    return value


def _decode(name, data):
    message, at = {}, 0
    while at < len(data):
        number, value, at = _read_field(data, at)
        if number not in SCHEMA[name]:
            continue
        is_repeated, kind, field = SCHEMA[name][number]
        if is_repeated:
            named = _from_wire(kind, value)
            rest = [named[key] for key in named if key != "name"]
            message.setdefault(field, {})[named.get("name", "")] = rest[0] if rest else 0 if kind == "Metric" else None
        else:
            message[field] = _from_wire(kind, value)
    return message


def _varint(value):
    out = bytearray()
    value &= (1 << 64) - 1
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytes([value]))


def _to_wire(number, kind, value):
    if kind == "double":
        return _varint(number << 3 | 1) + struct.pack("<d", float(value))
    if kind in ("uint32", "uint64", "int32", "bool"):
        return _varint(number << 3) + _varint(int(value))
    data = value.encode("utf-8") if kind == "string" else _encode(kind, value)
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def value_field(value):
    """Which member of a Parameter's oneof."""
    return "boolean" if isinstance(value, bool) else "text" if isinstance(value, str) else "number"


def _encode(name, message):
    out = b""
    for number, (is_repeated, kind, field) in sorted(SCHEMA[name].items()):
        if field not in message:
            continue
        if not is_repeated:
            out += _to_wire(number, kind, message[field])
            continue
        for key, value in message[field].items():
            member = "value" if kind == "Metric" else value_field(value)
            out += _to_wire(number, kind, {"name": key} if value is None else {"name": key, member: value})
    return out


def frame(data):
    """Behind its length."""
    return struct.pack(">I", len(data)) + data


# --- JSON ---

def _as(kind, value, what):
    if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
        raise WrongType(f"expected {what}, not {json.dumps(value)}")
    return value


def _as_object(value):
    return _as(dict, value, "an object")


def _as_number(value):
    if value in ("NaN", "Infinity", "-Infinity"):
        return float(value)
    return _as((int, float), value, "a number")


def _from_json_value(kind, is_repeated, value):
    if kind == "Metric":
        return {k: _as_number(v) for k, v in _as_object(value).items() if v is not None}
    if kind == "double":
        return _as_number(value)
    if kind in SCHEMA:
        return _as_object(value) if is_repeated else _from_json(kind, _as_object(value))
    return _as(str, value, "a text") if kind == "string" else _as(bool, value, "true or false") if kind == "bool" else \
        _as(int, value, "a number without fraction")


def _from_json(name, said):
    by_name = {spelling: (is_repeated, kind, field) for is_repeated, kind, field in SCHEMA[name].values()
               for spelling in (field, re.sub("[A-Z]", lambda match: "_" + match.group().lower(), field))}
    message = {}
    for key, value in said.items():
        if key not in by_name or value is None:
            continue
        is_repeated, kind, field = by_name[key]
        try:
            message[field] = _from_json_value(kind, is_repeated, value)
        except WrongType as error:
            raise WrongType(f"{field}: {error}") from None
    return message


def decode_line(root, line):
    """A JSON line as a message of root. A line as in a metrics file is {"line": {…}}."""
    said = json.loads(line.decode("utf-8"))
    if not isinstance(said, dict):
        raise ValueError("expected a JSON object")
    kinds = {field: kind for _, kind, field in SCHEMA[root].values()}
    (name, value), *more = said.items() or [(None, None)]
    if more or name not in kinds or not isinstance(value, dict):
        return {} if root == "AgentMessage" else {"line": said}
    return {name: _from_json(kinds[name], value)}


# --- both ---

def decode_frame(root, data):
    return _decode(root, data)


def plain(value):
    """As JSON: what is not finite becomes a text."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def encode(root, encoding, message):
    """As it goes over the wire: a line with its newline, or a frame with its length."""
    if encoding == "json":
        return json.dumps(plain(message), ensure_ascii=False).encode("utf-8") + b"\n"
    return frame(_encode(root, message))


class Reader:
    """Cuts what one side says into messages of root, as it arrives in pieces. The encoding is that of the first byte
    unless it is given."""

    def __init__(self, root, encoding=None):
        self.root, self.encoding, self.pending = root, encoding, bytearray()

    def push(self, data):
        """[(message, its bytes), …]; ValueError where it is none."""
        self.pending += data
        if self.encoding is None and self.pending:
            if self.pending[0] not in b"{\0":
                raise ValueError(f"the first byte is 0x{self.pending[0]:02x}, not {{ (JSON lines) or 0x00 (protobuf): "
                                 f"{bytes(self.pending[:80])!r}")
            self.encoding = "json" if self.pending[0] == ord("{") else "proto"
        found = []
        while self.pending:
            one = self._cut()
            if one is None:
                break
            if one.strip():
                decode = decode_line if self.encoding == "json" else decode_frame
                try:
                    found.append((decode(self.root, one), one))
                except ValueError as error:
                    raise (WrongType if isinstance(error, WrongType) else ValueError)(f"{error}: {one[:200]!r}") from None
        return found

    def _cut(self):
        if self.encoding == "json":
            end = self.pending.find(b"\n")
            start, size = 0, end
            rest = end + 1
        else:
            if len(self.pending) < LENGTH:
                return None
            size = struct.unpack(">I", self.pending[:LENGTH])[0]
            if size > 131072:
                raise ValueError(f"a frame of {size} bytes: expected at most 131072")
            start, end = LENGTH, LENGTH + size
            rest = end
        if end < 0 or len(self.pending) < end:
            return None
        one = bytes(self.pending[start:end])
        del self.pending[:rest]
        return one
