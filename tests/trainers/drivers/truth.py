"""What a driver knows for certain: the history that the framework's own API returned in this process.

    truth = Truth("xgboost")
    … train, with files below truth.dir …
    truth.source("stdout.log", "step", {"train-rmse": enumerate(history)})
    truth.write()

The file truth.json lies beside the followed directory, never in it."""

import importlib.metadata
import json
import math
import pathlib
import sys


class Truth:
    def __init__(self, package):
        self.dir = pathlib.Path(sys.argv[1]).resolve()
        self.dir.mkdir(parents=True, exist_ok=True)
        self.content = {"framework": package, "version": importlib.metadata.version(package), "sources": {}}

    def source(self, path, axis, curves, digits="full", **more):
        """One output: its path or glob below the directory, and {name: [(x, value), …]}.

        digits is how the output rounds: "full" (not at all), "float32", or a printf format such as "%.5f";
        or {name: such}, "" for all others. optional=[name, …]: may be left out, may not be wrong."""
        points = {name: [[_number(x), _number(value)] for x, value in curve] for name, curve in curves.items()}
        self.content["sources"][path] = {"axis": axis, "digits": digits, "curves": points, **more}

    def result(self, *order, curves=None, **more):
        """Which sources the Result is made of, the better one first; without it all, in the order told.

        curves, with axis and digits: what the Result shows where that is no source's own view, such as
        epochs of a file that counts in steps."""
        if curves:
            more["curves"] = {name: [[_number(x), _number(value)] for x, value in curve] for name, curve in curves.items()}
        self.content["result"] = {"order": order, **more}

    def write(self):
        text = json.dumps(self.content, indent=1)
        (self.dir.parent / "truth.json").write_text(text + "\n")


def _number(value):
    """A plain number of whatever the framework returns; values that are not finite by their names."""
    if isinstance(value, int):
        return value
    value = float(value)
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
