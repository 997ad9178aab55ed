"""What becomes of the values that trainers have."""

import decimal
import fractions
import json
import math
import pathlib

import numpy
import pytest

from experiments import values


class Tensor:
    """What PyTorch's and others' look like: one element on some device."""

    def __init__(self, value):
        self.value = value

    def item(self):
        return self.value

    def __float__(self):
        raise AssertionError("item() is there")

    def __repr__(self):
        return f"tensor({self.value})"


class Broken:
    def __float__(self):
        raise RuntimeError("the device is gone")

    def __repr__(self):
        raise RuntimeError("the device is gone")


@pytest.mark.parametrize("value, expected", [
    (0.1, 0.1), (3, 3), (True, 1), (10**400, "Infinity"), (-10**400, "-Infinity"), pytest.param(10**5000, "Infinity", id="10**5000"),
    (float("nan"), "NaN"), (float("inf"), "Infinity"), (-float("inf"), "-Infinity"), (5e-324, 5e-324), (1.7e308, 1.7e308),
    (numpy.float64(0.1), 0.1), (numpy.float32(0.5), 0.5), (numpy.float16(0.5), 0.5), (numpy.int64(7), 7),
    (numpy.bool_(True), 1), (numpy.array(0.25), 0.25), (numpy.array([0.25]), 0.25), (numpy.float32("nan"), "NaN"),
    (Tensor(0.5), 0.5), (Tensor(float("inf")), "Infinity"), (Tensor(numpy.float32(0.5)), 0.5),
    (decimal.Decimal("0.5"), 0.5), (fractions.Fraction(1, 2), 0.5),
])
def test_a_number_of_any_kind(value, expected):
    assert json.loads("{" + values.metrics_text({"loss": value}) + "}") == {"loss": expected}


@pytest.mark.parametrize("value", ["0.5", b"1", None, 1j, [1], {}, numpy.array([1.0, 2.0]), numpy.complex64(1), Tensor("x"),
                                   Broken(), numpy.str_("1"), Tensor(1j), object()])
def test_what_is_no_number_is_named_once_and_the_rest_goes_through(value, caplog):
    for _ in range(2):
        assert values.metrics_text({"a": 1.0, "worst": value, "b": 2.0}) == '"a":1.0,"b":2.0'
    [record] = caplog.records
    assert record.name == "experiments" and "'worst'" in record.getMessage() and type(value).__name__ in record.getMessage()


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800", "n" * 1025, "é" * 513, 3, None])
def test_a_name_that_cannot_be_sent(name, caplog):
    assert values.metrics_text({name: 1.0, "b": 2.0}) == '"b":2.0'
    assert len(caplog.records) == 1


@pytest.mark.parametrize("name", ["val/acc", 'a"b\\c\n', "é", "損失", "n" * 1024, "\U0001f600"])
def test_any_other_name(name):
    assert json.loads("{" + values.metrics_text({name: 1.0}) + "}") == {name: 1.0}


def test_more_metrics_than_a_report_takes(caplog):
    text = "{" + values.metrics_text({f"m{i}": float(i) for i in range(1_000_000)}) + "}"
    assert json.loads(text) == {f"m{i}": i for i in range(1024)}
    long = values.metrics_text({f"{i:04}" + "n" * 1000: 0.1 for i in range(1024)})
    assert 100_000 < len(long) < 131_072 - 10_000
    assert len(caplog.records) == 1


def test_names_that_are_made_up_do_not_fill_the_memory():
    for i in range(20_000):
        values.metrics_text({f"m{i}": 1.0})
    assert len(values._keys) <= 4 * values.METRICS


@pytest.mark.parametrize("value, text", [(3, "3"), (2.5, "2.5"), (0, "0"), (numpy.int64(4), "4"), (1e300, "1e+300"),
                                         (-1, None), (math.nan, None), (math.inf, None), ("3", None), (1j, None)])
def test_an_epoch(value, text):
    assert values.field_text("epoch", value) == text


def test_an_intended_number_of_epochs_is_above_zero():
    assert values.field_text("epochs", 0, above_zero=True) is None
    assert values.field_text("epochs", 90, above_zero=True) == "90"


@pytest.mark.parametrize("value, path", [("/out", "/out"), (pathlib.Path("/out/é"), "/out/é"), (b"/out", "/out"),
                                         ("x" * 4097, None), ("a\0b", None), (b"\xff", None), (3, None)])
def test_a_path(value, path):
    text = values.path_text("output", value)
    assert text is None if path is None else json.loads(text) == path


def test_parameters():
    text = values.parameters_text({"lr": 0.1, "layers": 3, "big": numpy.float32(0.5), "optimizer": "adam", "amp": True, "seed": None,
                                   "shape": [1, 2], "long": "x" * 5000, "nan": math.nan, "bad": "a\0\ud800"})
    assert json.loads("{" + text + "}") == {
        "lr": 0.1, "layers": 3, "big": 0.5, "optimizer": "adam", "amp": True, "seed": None, "shape": "[1, 2]",
        "long": "x" * 4096, "nan": "nan", "bad": "a ?"}
