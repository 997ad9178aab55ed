"""Files that are cut and go on. Numbers are those of docs/guarantees.md."""

import json
import shutil

import pytest

from agent.harness import append

from scenarios.oracle import WIDTH, Oracle
from scenarios.test_rotation import Followed, followed  # noqa: F401
from scenarios.tools import Changes, finish, injecting, is_stopped, kill, pause, resume, traced_environment


def cut(file):
    with open(file, "r+b") as writer:
        writer.truncate(0)


def says_truncated(agent, status):
    """The log and the Result both say so."""
    notes = " ".join(status["agent"].get("notes", []))
    assert "truncated" in notes, notes
    assert "metrics.jsonl" in notes
    assert "truncated" in agent.log.read_text()


@pytest.mark.parametrize("looks", ["at-the-copy", "after-both"])
def test_11_copytruncate_with_everything_read(start, oracle, followed, looks):
    """Twice, as logrotate does it: the copy is a new file, and none of its lines are."""
    agent = start(*followed.flags)
    for _ in range(2):
        oracle.write(followed.file, 4)
        oracle.check(oracle.follow(agent, followed.marks))
        if looks == "after-both":
            pause(agent.process)
        if followed.generation(1).exists():
            followed.generation(1).rename(followed.generation(2))
        shutil.copyfile(followed.file, followed.generation(1))
        if looks == "at-the-copy":
            oracle.check(oracle.follow(agent, followed.marks))
        cut(followed.file)
        if looks == "after-both":
            resume(agent.process)
        oracle.check(oracle.follow(agent, followed.marks))
        oracle.write(followed.file, 2)
        oracle.check(oracle.follow(agent, followed.marks))
    oracle.check(agent.stop())
    oracle.check(finish(start(*followed.flags)))


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_11_copytruncate_while_the_agent_is_down(start, oracle, followed, how):
    agent = start(*followed.flags)
    oracle.write(followed.file, 4)
    oracle.check(oracle.follow(agent, followed.marks))
    agent.stop() if how == "SIGTERM" else kill(agent)
    shutil.copyfile(followed.file, followed.generation(1))
    cut(followed.file)
    oracle.write(followed.file, 6)
    agent = start(*followed.flags)
    oracle.check(oracle.follow(agent, followed.marks))
    oracle.check(agent.stop())


@pytest.mark.parametrize("down", [False, True])
def test_12_what_was_unread_is_read_from_the_copy(start, oracle, followed, down):
    agent = start(*followed.flags)
    oracle.write(followed.file, 4)
    oracle.check(oracle.follow(agent, followed.marks))
    agent.stop() if down else pause(agent.process)
    oracle.write(followed.file, 3)
    shutil.copyfile(followed.file, followed.generation(1))
    cut(followed.file)
    oracle.write(followed.file, 2)
    if down:
        agent = start(*followed.flags)
    else:
        resume(agent.process)
    oracle.check(oracle.follow(agent, followed.marks))
    oracle.write(followed.file, 1)
    oracle.check(oracle.follow(agent, followed.marks))
    oracle.check(agent.stop())


def test_12_what_was_unread_and_is_nowhere_is_said(start, oracle, followed):
    """Nobody can know how much was written after the last look; that it was cut, one can."""
    agent = start(*followed.flags)
    oracle.write(followed.file, 4)
    oracle.check(oracle.follow(agent, followed.marks))
    pause(agent.process)
    with open(followed.file, "ab") as writer:
        writer.write(oracle.lose(3))
    cut(followed.file)
    oracle.write(followed.file, 2)
    resume(agent.process)
    oracle.check(oracle.follow(agent, followed.marks))
    oracle.write(followed.file, 1)
    status = oracle.check(agent.stop())
    says_truncated(agent, status)


def test_12_what_is_known_to_be_lost_is_counted(start, tmp_path, followed):
    """strace stops the agent between two looks at 24 MB, whose size it knows; there they are cut."""
    lines = [json.dumps({"epoch": n, "loss": n, "note": "x" * 4000}) for n in range(1, 6001)]
    append(followed.file, *lines)
    trace = tmp_path / "trace"
    trace.touch()
    agent = start(*followed.flags, prefix=injecting(trace, "epoll_wait:signal=SIGSTOP:when=4"), env=traced_environment())
    with Changes(trace) as changes:
        assert changes.wait_until(lambda: "stopped by SIGSTOP" in trace.read_text(), agent.process)
    assert is_stopped(agent.process)
    cut(followed.file)
    resume(agent.process)
    append(followed.file, {"epoch": len(lines) + 1, "loss": 0.5})
    mark = Oracle()
    mark.settle(agent, followed.marks)
    status = agent.stop()
    before = status["agent"]["accepted"] - mark.marks - 1
    assert 0 < before < len(lines)
    assert 0 < status["agent"]["lostBytes"] <= sum(len(line) + 1 for line in lines[before:])
    assert status["values"]["loss"] == 0.5
    says_truncated(agent, status)


def rewritten(start, oracle, followed, after, restart):
    agent = start(*followed.flags)
    oracle.write(followed.file, 4)
    oracle.check(oracle.follow(agent, followed.marks))
    agent.stop() if restart else pause(agent.process)
    size = followed.file.stat().st_size
    cut(followed.file)
    oracle.write(followed.file, after)
    assert followed.file.stat().st_size == size * after // 4
    if restart:
        agent = start(*followed.flags)
    else:
        resume(agent.process)
    oracle.check(oracle.follow(agent, followed.marks))
    oracle.write(followed.file, 2)
    oracle.check(oracle.follow(agent, followed.marks))
    oracle.check(agent.stop())


@pytest.mark.parametrize("restart", [False, True])
def test_13_truncated_then_grown_past_the_old_offset(start, oracle, followed, restart):
    rewritten(start, oracle, followed, 7, restart)


@pytest.mark.parametrize("restart", [False, True])
def test_14_truncated_then_grown_to_the_same_size(start, oracle, followed, restart):
    rewritten(start, oracle, followed, 4, restart)


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("more", [0, 5])
def test_15_the_same_with_an_identical_first_kibibyte(start, oracle, followed, more, restart):
    """A trainer that begins anew and says the same for a while: what it repeats is not counted again,
    what differs is."""
    agent = start(*followed.flags)
    oracle.write(followed.file, 24)
    oracle.check(oracle.follow(agent, followed.marks))
    agent.stop() if restart else pause(agent.process)
    same = [oracle.text(n) for n in range(1, 22)]
    assert len(same) * (WIDTH + 1) > 1024
    cut(followed.file)
    append(followed.file, *same, *oracle.lines(3 + more))
    if restart:
        agent = start(*followed.flags)
    else:
        resume(agent.process)
    oracle.check(oracle.follow(agent, followed.marks))
    oracle.write(followed.file, 2)
    oracle.check(oracle.follow(agent, followed.marks))
    oracle.check(agent.stop())


@pytest.mark.parametrize("looks", ["at-the-cut", "after-both"])
def test_28_a_hole_of_nul_bytes(start, oracle, followed, looks):
    """A writer without O_APPEND goes on at its old offset after somebody cut the file."""
    agent = start(*followed.flags)
    with open(followed.file, "wb", buffering=0) as writer:
        writer.write(oracle.block(30))
        oracle.check(oracle.follow(agent, followed.marks))
        hole = writer.tell()
        if looks == "after-both":
            pause(agent.process)
        cut(followed.file)
        if looks == "at-the-cut":
            oracle.check(oracle.follow(agent, followed.marks))
        writer.write(oracle.block(2))
        assert followed.file.read_bytes().startswith(bytes(hole))
        if looks == "after-both":
            resume(agent.process)
        oracle.check(oracle.follow(agent, followed.marks), rejected=1)
        writer.write(oracle.block(2))
        oracle.check(oracle.follow(agent, followed.marks), rejected=1)
    oracle.check(agent.stop(), rejected=1)
    assert any("NUL" in line and str(hole) in line for line in agent.log.read_text().splitlines())
