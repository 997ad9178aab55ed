"""Random faults between the agent and the real API server, and of that server. In the end the Result is
exactly what the lines of the metrics file say, and it is the only one.

EXPERIMENTS_SEEDS says which seeds: "30" is the first thirty, "17-17" the seventeenth alone.
"""

import os

import pytest

from faults.api.wave import Wave

SIDE_BY_SIDE = 10


def waves():
    """(first, n) of each, as EXPERIMENTS_SEEDS has them."""
    first, _, last = os.environ.get("EXPERIMENTS_SEEDS", "30").rpartition("-")
    first, last = int(first or 1), int(last)
    return [(start, min(SIDE_BY_SIDE, last + 1 - start)) for start in range(first, last + 1, SIDE_BY_SIDE)]


@pytest.mark.parametrize("first, n", waves())
def test_the_result_is_what_the_lines_say(tmp_path, troubled_cluster, first, n):
    wave = Wave(first, n, tmp_path, troubled_cluster)
    wrong = wave.run()
    again = f"EXPERIMENTS_SEEDS={first}-{first + n - 1}"
    for life in wave.lives:
        if life.seed in wrong:
            print(f"--- seed {life.seed}: {again}\n{wrong[life.seed]}\n{life.log}")
    assert not wrong, f"{again}: {wrong}"
