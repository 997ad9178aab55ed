"""Python values as the protocol has them: text of JSON, or None and a notice where they are nothing of the kind."""

from __future__ import annotations

import os
from itertools import islice
from json.encoder import encode_basestring_ascii
from typing import Any, Callable, Dict, List, Mapping, Optional

from .notices import notice

NAME_BYTES = 1024
METRICS = 1024
PATH_BYTES = 4096
METRICS_BYTES = 120_000  # of the 131,072 of a message; the rest is room for the other fields

quote: Callable[[str], str] = encode_basestring_ascii  # JSON in ASCII

_INFINITY = float("inf")
_keys: Dict[str, str] = {}  # name to '"name":'


def scalar(value: Any) -> Optional[float]:
    """A number of any kind, or what holds exactly one, as float: int, Decimal, arrays and tensors of one element
    (on a device, too: that waits for it). None for anything else: text, complex numbers, arrays of several.

    Nobody's package is imported for that: numpy, PyTorch, JAX and others all have item().
    """
    try:
        if not isinstance(value, float) and hasattr(value, "item"):
            value = value.item()
        if isinstance(value, (str, bytes, bytearray)):
            return None
        return float(value)
    except OverflowError:  # an int beyond a double
        return _INFINITY if value > 0 else -_INFINITY
    except Exception:  # whatever a stranger's __float__ raises
        return None


def number_text(value: float) -> str:
    """JSON; what is not finite is a string in the protocol."""
    if -_INFINITY < value < _INFINITY:
        return repr(value)
    return '"NaN"' if value != value else '"Infinity"' if value > 0 else '"-Infinity"'


def describe(value: Any) -> str:
    """A value in a notice: short, whatever it is."""
    try:
        text = repr(value)
    except Exception:
        text = ""
    return f"{text} ({type(value).__name__})" if 0 < len(text) <= 60 else f"a {type(value).__name__}"


def text_fault(text: str, limit_bytes: int) -> Optional[str]:
    """What is wrong with a text, or None."""
    try:
        n_bytes = len(text.encode())
    except UnicodeEncodeError:
        return "is no valid Unicode"
    if "\0" in text:
        return "has U+0000 in it"
    return f"has {n_bytes} bytes, at most {limit_bytes} are taken" if n_bytes > limit_bytes else None


def key_text(name: Any, what: str) -> Optional[str]:
    """'"name":' for a metric's or parameter's name, or None."""
    if not isinstance(name, str) or not name:
        notice(f"name {describe(name)}", f"the name of a {what} has to be a text of a character or more, not {describe(name)}")
        return None
    fault = text_fault(name, NAME_BYTES)
    if fault:
        notice(f"name {name[:60]!a}", f"the name of the {what} {name[:60]!a} {fault}")
        return None
    if len(_keys) >= 4 * METRICS:
        _keys.clear()
    _keys[str(name)] = key = quote(name) + ":"
    return key


def metrics_text(metrics: Mapping[str, Any]) -> str:
    """'"loss":0.21,"val/acc":0.9': what of the metrics can be sent. Most of what a report costs is here."""
    if len(metrics) > METRICS:
        notice("metrics", f"a report has room for {METRICS} metrics: further ones are left out")
        metrics = dict(islice(metrics.items(), METRICS))
    parts: List[str] = []
    for name, value in metrics.items():
        key = _keys.get(name) or key_text(name, "metric")
        if key is None:
            continue
        if type(value) is float and -_INFINITY < value < _INFINITY:
            parts.append(f"{key}{value!r}")
            continue
        number = scalar(value)
        if number is None:
            notice(f"metric {name}", f"metric {name!r} is left out: expected one number, got {describe(value)}")
            continue
        parts.append(key + number_text(number))
    text = ",".join(parts)
    return text if len(text) <= METRICS_BYTES else _cut_metrics(parts)


def _cut_metrics(parts: List[str]) -> str:
    """As many as a message has room for."""
    notice("metrics", f"a report has room for {METRICS_BYTES} bytes of metrics: further ones are left out")
    n_bytes = 0
    for i, part in enumerate(parts):
        n_bytes += len(part) + 1
        if n_bytes > METRICS_BYTES:
            return ",".join(parts[:i])
    return ",".join(parts)


def field_text(name: str, value: Any, above_zero: bool = False) -> Optional[str]:
    """An epoch, step, time or number of epochs: finite and not negative."""
    number = scalar(value)
    if number is None or not 0 <= number < _INFINITY or (above_zero and number == 0):
        expected = "a number above 0" if above_zero else "a number, 0 or more"
        notice(f"field {name}", f"{name} is left out: expected {expected}, got {describe(value)}")
        return None
    return repr(int(number)) if number.is_integer() and number < 2**53 else repr(number)


def path_text(name: str, value: Any) -> Optional[str]:
    """An output directory or a checkpoint: str, bytes or any os.PathLike."""
    try:
        path = os.fsdecode(value)
        fault = text_fault(path, PATH_BYTES)
    except TypeError:
        fault = f"has to be a path, not {describe(value)}"
    if fault:
        notice(f"field {name}", f"{name} is left out: it {fault}")
        return None
    return quote(path)


def parameters_text(values: Mapping[str, Any]) -> str:
    """'"lr":0.01,"optimizer":"adam"': numbers, texts, booleans and None as they are; anything else as its text."""
    parts: List[str] = []
    for name, value in values.items():
        key = key_text(name, "parameter")
        if key is not None and len(parts) < METRICS:
            parts.append(key + parameter_text(name, value))
    return ",".join(parts)


def parameter_text(name: str, value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if not isinstance(value, str):
        number = scalar(value)
        if number is not None and -_INFINITY < number < _INFINITY:
            return repr(int(number)) if isinstance(value, int) and abs(number) < 2**53 else repr(number)
        value = str(value)
    return quote(cut(value, PATH_BYTES))


def cut(text: str, limit_bytes: int) -> str:
    """Text that can be sent, whatever it was: without U+0000 and lone surrogates, and not too long."""
    encoded = text.replace("\0", " ").encode(errors="replace")
    return encoded[:limit_bytes].decode(errors="ignore")
