"""At each of its system calls in turn the agent is killed, and started again; or the world changes there."""

import pytest

from faults.cases import IS_LONG, Cases, lives
from faults.lives import LIVES
from faults.world import Run, World

KILLED = -9
CALLS_MIN = 50  # of any life, or it was not lived


def kill_at(base, life, how, n):
    """Whether the life has an n-th call; raises when its end is not right."""
    world = World(base, life)
    first = Run(world, how, "--at", str(n))
    assert first.status == (KILLED if first.was_hit else 0), world.log.read_text()
    second = Run(world)
    assert second.status == 0, world.log.read_text()
    world.check()
    world.remove()
    return first.was_hit


@lives
@pytest.mark.parametrize("how", ["--kill", "--kill-after"] if IS_LONG else ["--kill"])
def test_killed_at_every_call(tmp_path, life, how):
    cases = Cases(tmp_path)
    n = cases.run_until_missed("call", kill_at, life, how)
    cases.check()
    assert n > CALLS_MIN


def happen_at(base, life, n):
    """What happens next in a life happens at the n-th call, whatever the agent is doing."""
    world = World(base, life)
    run = Run(world, "--ask", "--at", str(n), is_checked=True)
    assert run.status == 0, world.log.read_text()
    world.check()
    world.remove()
    return run.was_hit


@pytest.mark.parametrize("life", LIVES if IS_LONG else ["renamed", "copied_and_cut"])
def test_the_world_changes_at_every_call(tmp_path, life):
    """Two calls of the agent have anything between them that can happen."""
    cases = Cases(tmp_path)
    n = cases.run_until_missed("call", happen_at, LIVES[life])
    cases.check()
    assert n > CALLS_MIN
