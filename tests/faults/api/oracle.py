"""Numbered lines of a metrics file, and the status that the Result has to have when all were read."""

import json
import random

TOTAL = 500


class Lines:
    """The n-th line, from 1, of a seed is the same each time."""

    def __init__(self, seed):
        self.seed = seed
        self.records = []
        self.ended = False

    def next(self):
        """One more line, with its newline."""
        n = len(self.records) + 1
        chance = random.Random(f"{self.seed}/{n}")
        record = {"epoch": n, "loss": n + chance.randrange(64) / 64, "total_epochs": TOTAL}
        if n % 3 == 0:
            record["val_acc"] = chance.randrange(64) / 64
        self.records.append(record)
        return json.dumps(record) + "\n"

    def end(self):
        self.ended = True
        return '{"end": true}\n'

    # --- what is right ---

    def column(self, name):
        values = [record.get(name) for record in self.records]
        said = [value for value in values if value is not None]
        return {"name": name, "latest": said[-1], "min": min(said), "max": max(said), "values": values} if said else None

    def status(self):
        """Without what only the clock and the agent's build know."""
        columns = [column for column in map(self.column, ("val_acc", "loss")) if column]
        n = len(self.records)
        return {
            "phase": "Succeeded" if self.ended else "Interrupted",
            "epoch": n, "totalEpochs": TOTAL, "axis": "epoch", "x": list(range(1, n + 1)),
            "values": {column["name"]: column["latest"] for column in columns},
            "metrics": columns,
            "conditions": [{"type": "Reporting", "status": "True", "reason": "Reporting",
                            "message": "metrics are reported"}],
            "agent": {"accepted": n + self.ended, "rejected": 0, "dropped": 0, "lostBytes": 0, "notes": []},
        }


TIMES = ("startTime", "lastReportTime", "completionTime")


def shorten(value):
    text = json.dumps(value)
    return text if len(text) <= 600 else f"{text[:300]} … {text[-300:]}"


def compare(status, lines, more):
    """Says how the status of a Result differs from what it has to be: "" when it does not.
    more: what the status holds besides what the lines say."""
    status = json.loads(json.dumps(status))
    wrong = [f"{name} is missing" for name in TIMES if not status.pop(name, None)]
    status.get("agent", {}).pop("version", None)
    for condition in status.get("conditions", []):
        condition.pop("lastTransitionTime", None)
    summary = status.pop("summary", "")
    if not summary.startswith(f"epoch {len(lines.records)}/{TOTAL} "):
        wrong.append(f"summary: {summary!r}")
    # Columns stand by rank, which is not the matter here.
    order = {"metrics": lambda column: column["name"]}
    expected = {**lines.status(), **more}
    for both in (status, expected):
        for name, key in order.items():
            both[name] = sorted(both.get(name, []), key=key)
    for name in sorted({*status, *expected}):
        if status.get(name) != expected.get(name):
            wrong.append(f"{name}: is {shorten(status.get(name))}, expected {shorten(expected.get(name))}")
    return "\n".join(wrong)
