"""Writes numbered lines, and knows the Result that they come to: none lost, none doubled, in order."""

import json

ROWS_IN_FULL = 400  # so many rows of two numbers of four digits are published without being thinned (DESIGN.md, 2)
PRIME = 9973        # so many lines have values that are all different


def value_of(number):
    """A value that no other line of the same oracle has, of four digits at most."""
    assert 0 < number < PRIME
    return number * 4241 % PRIME / 1000


def jsonl(number, value):
    return f'{{"epoch":{number},"loss":{value}}}\n'


def csv(number, value):
    return f"{number},{value}\n"


def keras(number, value):
    """As model.fit(verbose=2) prints it: two lines are one record."""
    return f"Epoch {number}/{PRIME}\n10/10 - 1s - loss: {value} - 88ms/epoch - 9ms/step\n"


HEADERS = {jsonl: "", csv: "epoch,loss\n", keras: ""}


class Oracle:
    """The run as it was written so far: one row a number, of which some are said twice with another value
    first, so that an order that is not kept shows."""

    def __init__(self, form=jsonl, revise_every=5, counts_repeats=False):
        """counts_repeats: lines are written again, and what is accepted is not to be foretold."""
        self.form = form
        self.header = HEADERS[form]
        self.revise_every = revise_every
        self.counts_repeats = counts_repeats
        self.values = {}
        self.accepted = 0

    def lines(self, n):
        """The text of the next n rows, which count as written."""
        text = self.text(n)
        self.count(n)
        return text

    def text(self, n):
        """The same text, which does not count yet."""
        first = len(self.values) + 1
        return "".join(self._text(number) for number in range(first, first + n))

    def count(self, n):
        for number in range(len(self.values) + 1, len(self.values) + 1 + n):
            self.values[number] = value_of(number)
            self.accepted += 1 + self._is_revised(number)

    def _is_revised(self, number):
        return self.revise_every > 0 and number % self.revise_every == 0

    def _text(self, number):
        draft = self.form(number, value_of(number) + 1) if self._is_revised(number) else ""
        return draft + self.form(number, value_of(number))

    # --- what has to be published ---

    def differences(self, status):
        """What a published status says that is not so, one line each; none: it is right."""
        if not self.values:
            return [] if status["agent"]["accepted"] == 0 else ["records of nothing were accepted"]
        if len(status.get("metrics", [])) != 1:
            return [f"{len(status.get('metrics', []))} metrics instead of 1, and {len(self.values)} rows were written"]
        return [f"{name}: {got!r:.300} instead of {wanted!r:.300}"
                for name, got, wanted in (*self._counts(status), *self._numbers(status), *self._curve(status))
                if got != wanted]

    def _counts(self, status):
        agent = status["agent"]
        if self.counts_repeats:
            yield "rows", len(status["x"]), len(self.values)
        else:
            yield "accepted", agent["accepted"], self.accepted
        for name in ("rejected", "dropped", "lostBytes"):
            yield name, agent[name], 0

    def _numbers(self, status):
        (metric,) = status["metrics"]
        last = max(self.values)
        yield "epoch", status["epoch"], last
        yield "values", status["values"], {"loss": self.values[last]}
        yield "latest", metric["latest"], self.values[last]
        yield "min", metric["min"], min(self.values.values())
        yield "max", metric["max"], max(self.values.values())

    def _curve(self, status):
        (metric,) = status["metrics"]
        rows = list(zip(status["x"], metric["values"]))
        wanted = self.values
        if len(wanted) > ROWS_IN_FULL:
            # What a thinned history has is right and in order, with both ends.
            assert len(rows) > ROWS_IN_FULL / 2, "far fewer rows are published than there is room for"
            yield "ends of x", (rows[0][0], rows[-1][0]), (1, len(wanted))
            wanted = {x: wanted[x] for x in sorted({x for x, _ in rows} & set(wanted))}
        yield "x", [x for x, _ in rows], list(wanted)
        yield "curve", [(x, v) for x, v in rows if not is_about(v, wanted.get(x))], []

    def differences_of(self, path):
        """The same of a published manifest."""
        if not path.exists():
            return [f"nothing is published, but {len(self.values)} rows were written"]
        return self.differences(json.loads(path.read_text())["status"])

    def check(self, path):
        wrong = self.differences_of(path)
        assert not wrong, "\n".join(wrong)


def is_about(value, wanted):
    """History may be published with fewer digits (DESIGN.md, 2)."""
    return value is not None and wanted is not None and abs(value - wanted) <= 0.005 * max(1, wanted)
