"""Each system call fails once, and each request for memory: the agent goes on, or ends and says why; and
after another start nothing is lost and nothing doubled."""

import collections
import itertools

from faults.cases import IS_LONG, Cases, lives
from faults.failures import DO_NOT_FAIL, FAILURES, flags
from faults.world import TOOLS, Run, World


def calls_of(base, life):
    """How often a life makes each call."""
    world = World(base, life)
    calls = world.log.parent / "calls"
    assert Run(world, "--list", calls).status == 0
    names = [line.split()[1] for line in calls.read_text().splitlines() if f"{world.clock} =" not in line]
    world.remove()
    return collections.Counter(names)


def fail(base, life, *at_call):
    """Whether the failure came; raises when the end is not right."""
    world = World(base, life)
    first = Run(world, *at_call)
    log = world.log.read_text()
    assert first.status in (0, 1), f"the agent ended with {first.status}:\n{log}"
    assert first.status == 0 or "error" in log, f"it ended without a word:\n{log}"
    second = Run(world)
    assert second.status == 0, world.log.read_text()
    wrong = world.oracle.differences_of(world.result)
    assert not wrong, "\n".join([*wrong, world.log.read_text()])
    world.remove()
    return first.was_hit or "nth_malloc:" in log


def failures_in_turn(n, errors):
    """Each of n calls fails in one way, and each way is tried at one call at least."""
    for k in range(max(n, len(errors))):
        yield k % n + 1, errors[k % len(errors)]


@lives
def test_every_call_fails(tmp_path, life):
    calls = calls_of(tmp_path / "calls", life)
    assert set(calls) <= set(FAILURES) | DO_NOT_FAIL, "how does it fail? failures.py says"
    cases = Cases(tmp_path)
    for call in set(calls) - DO_NOT_FAIL:
        ways = itertools.product(range(1, calls[call] + 1), FAILURES[call]) if IS_LONG else \
            failures_in_turn(calls[call], FAILURES[call])
        for k, failure in ways:
            cases.run(f"{call} {k} {failure}", fail, life, *flags(call, failure, k))
    cases.check()


def fail_memory(base, life, n):
    return fail(base, life, "--env", f"LD_PRELOAD={TOOLS / 'nth_malloc.so'}", "--env", f"NTH_MALLOC={n}")


@lives
def test_every_malloc_fails(tmp_path, life):
    cases = Cases(tmp_path)
    n = cases.run_until_missed("malloc", fail_memory, life)
    cases.check()
    assert n > 50
