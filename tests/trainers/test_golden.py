"""Real files of real trainers: the curves that come out are those that were written down beside each file
without our parser, whole. A metric too many fails like one that is missing.

samples/ holds the files, bytes unchanged, with their sources and licences in MANIFEST.tsv; golden/ has one
file for each: {"axis": what x is, "why": what was decided, "curves": {name: [[x, value], …]}}, null for a
value that is not finite."""

import csv
import json
import math
import pathlib

import pytest

from agent.harness import run

HERE = pathlib.Path(__file__).resolve().parent
SAMPLES, GOLDEN = HERE / "samples", HERE / "golden"
MANIFEST = list(csv.DictReader((SAMPLES / "MANIFEST.tsv").read_text().splitlines(),
                               delimiter="\t", quoting=csv.QUOTE_NONE))


def records_of(path):
    """What parse --records prints. Status 1 is for a file of which nothing was understood."""
    done = run("parse", "--records", path)
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 or done.returncode == 1 and not records, done.stderr
    return records


def fold(records, axis):
    """{name: {x: value}}. A record without x has the last one that was seen, or, before all of them, the
    first; in rows, the next number. The last value at an x wins."""
    curves, before, x, next_row = {}, [], None, 0

    def put(name, x, value):
        value = float(value)
        curves.setdefault(name, {})[x] = value if math.isfinite(value) else None

    for record in records:
        metrics = record.get("metrics", {})
        if axis == "row" and metrics:
            x = record.get("row", next_row)
            next_row = x + 1
        else:
            x = record.get(axis, x)
        if x is not None:
            for name, value in before:
                put(name, x, value)
            before = []
        for name, value in metrics.items():
            if x is None:
                before.append((name, value))
            else:
                put(name, x, value)
    return curves | {name: {None: value} for name, value in before}


def differences(found, expected):
    """What is wrong, one line a metric, so that a failure can be read."""
    for name in sorted(found.keys() - expected.keys()):
        example = next(iter(found[name].items()))
        yield f"{name!r} is no metric, but has {len(found[name])} points, such as {example}"
    for name in sorted(expected.keys() - found.keys()):
        yield f"{name!r} is missing, with {len(expected[name])} points"
    for name in sorted(found.keys() & expected.keys()):
        at = {x for x in found[name].keys() | expected[name].keys()
              if x not in found[name] or x not in expected[name] or found[name][x] != expected[name][x]}
        if at:
            x = min(at)
            yield (f"{name!r} differs at {len(at)} of {len(expected[name])} points: at {x} it is "
                   f"{found[name].get(x, 'absent')}, not {expected[name].get(x, 'absent')}")


@pytest.mark.parametrize("name", [row["file"] for row in MANIFEST])
def test_the_curves_of_a_real_file_are_whole_and_nothing_else(name):
    golden = json.loads((GOLDEN / f"{name}.json").read_text())
    expected = {metric: dict(points) for metric, points in golden["curves"].items()}
    wrong = list(differences(fold(records_of(SAMPLES / name), golden["axis"]), expected))
    if wrong:
        pytest.fail("\n".join([*wrong, f"({golden['why']})"]), pytrace=False)


def test_each_sample_has_a_licence_and_a_golden_file():
    names = {row["file"] for row in MANIFEST}
    files, golden = ({str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}
                     for directory in (SAMPLES, GOLDEN))
    assert names == files - {"MANIFEST.tsv"} == {name.removesuffix(".json") for name in golden}
    assert len(names) == len(MANIFEST)
    assert all(row["licence"] and row["source_repo"] for row in MANIFEST)
    assert all(int(row["bytes"]) == (SAMPLES / row["file"]).stat().st_size for row in MANIFEST)
