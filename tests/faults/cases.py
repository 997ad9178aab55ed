"""Many cases of one test: all of them are tried, and those that fail are told together."""

import itertools
import os

import pytest

from faults.lives import LIVES, SHORT_LIVES

IS_LONG = "EXPERIMENTS_FAULTS_LONG" in os.environ  # make test-long: every life, in every way

lives = pytest.mark.parametrize("life", [LIVES[name] for name in (LIVES if IS_LONG else SHORT_LIVES)],
                                ids=LIVES if IS_LONG else SHORT_LIVES)
TOLD = 10


class Cases:
    def __init__(self, tmp_path):
        self.tmp_path = tmp_path
        self.n = 0
        self.wrong = []

    def run(self, what, function, *args):
        """function(directory, *args): its assertions are about the case. Returns what it does; True: it failed."""
        self.n += 1
        try:
            return function(self.tmp_path / str(self.n), *args)
        except AssertionError as error:
            self.wrong.append(f"--- {what}: {error}")
            return True

    def run_until_missed(self, what, function, *args):
        """The same for n = 1, 2, ..., until function(directory, *args, n) says that there is no n-th any more.
        How many there are."""
        for n in itertools.count(1):
            missed = not self.run(f"{what} {n}", function, *args, n)
            assert n < 2000, "\n".join(self.wrong[:TOLD])  # all are wrong, the last, too
            if missed:
                return n - 1

    def check(self):
        assert not self.wrong, f"{len(self.wrong)} of {self.n}:\n" + "\n".join(self.wrong[:TOLD])
