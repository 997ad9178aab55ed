"""Numbered lines, and what a Result has to say of them: each counted once, in order.

    oracle = Oracle()
    oracle.write(agent.dir / "metrics.jsonl", 4)     # lines 1 to 4
    oracle.settle(agent)                             # an event that comes after
    oracle.check(agent.stop())

Line n has epoch (n + 2) // 3 and loss n * n: the last of the three that share an epoch is its row,
so a line that is missing, counted twice or out of order shows.
"""

import json

from agent.harness import append, curve

LINES_AN_EPOCH = 3
WIDTH = 64  # of each line without its newline, so that sizes can be told in lines


class Oracle:
    def __init__(self, metric="loss", start=0, mark_x="epoch"):
        self.metric = metric
        self.mark_x = mark_x
        self.n = start      # lines made so far
        self.start = start
        self.marks = 0      # records beside them
        self.missing = set()

    @staticmethod
    def epoch(n):
        return (n + LINES_AN_EPOCH - 1) // LINES_AN_EPOCH

    def text(self, n):
        return json.dumps({"epoch": self.epoch(n), self.metric: n * n}).ljust(WIDTH)

    def lines(self, k):
        """The next k lines, without newlines."""
        self.n += k
        return [self.text(n) for n in range(self.n - k + 1, self.n + 1)]

    def block(self, k):
        """The same as bytes of a file."""
        return "".join(f"{line}\n" for line in self.lines(k)).encode()

    def write(self, path, k):
        append(path, *self.lines(k))

    def lose(self, k):
        """The next k lines, which nobody can save: they are not expected."""
        block = self.block(k)
        self.missing |= set(range(self.n - k + 1, self.n + 1))
        return block

    def mark(self, place):
        """A record of another metric in a file beside, as an event that comes after. place: a
        directory that is followed."""
        self.marks += 1
        append(place / "mark.jsonl", {self.mark_x: 1, "test_loss": self.marks})

    def settle(self, agent, place=None):
        """Waits until the agent has published what was written after everything else, and returns
        the status."""
        self.mark(place or agent.dir)
        return agent.wait_for(lambda status: status.get("values", {}).get("test_loss") == self.marks)

    def follow(self, agent, place=None):
        """The same where what came may be found a look later than the mark, such as in a directory
        that is new."""
        for _ in range(10):
            status = self.settle(agent, place)
            if status["agent"]["accepted"] >= self.accepted:
                break
        return status

    @property
    def accepted(self):
        return self.n - self.start - len(self.missing) + self.marks

    def expected(self):
        """{epoch: value} of all rows."""
        return {self.epoch(n): n * n for n in range(self.start + 1, self.n + 1) if n not in self.missing}

    def check(self, status, rejected=0):
        agent = status["agent"]
        assert agent["accepted"] == self.accepted
        assert agent.get("rejected", 0) == rejected
        assert agent.get("dropped", 0) == 0
        if not self.missing:
            assert agent.get("lostBytes", 0) == 0
        rows = self.expected()
        published = {x: y for x, y in curve(status, self.metric).items() if y is not None}
        assert published == {x: rows[x] for x in published if x in rows}
        assert max(published) == max(rows)
        if len(rows) <= 100:  # longer curves are thinned
            assert published == rows
        assert status["values"][self.metric] == rows[max(rows)]
        return status
