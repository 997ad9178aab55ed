"""How the agent learns that there is something to read, and what it costs while there is nothing.
Numbers are those of docs/guarantees.md."""

import collections
import os
import re
import shutil

import pytest

from agent.harness import append

from scenarios.fuse import Fuse
from scenarios.tools import (Changes, Mount, come_to_rest, injecting, is_stopped, need_root, pause, reads,
                             resume, traced_environment, wait_until_asleep, wakeups)

# A user namespace of its own, as the agent's harness has it for instances, in which so many watches
# may be made (namespaces(7), /proc/sys/user).
FEW_WATCHES = ["unshare", "--user", "--map-root-user", "sh", "-c",
               'echo 3 >/proc/sys/user/max_inotify_watches && exec "$@"', "sh"]


def hours_pass(agent, hours=1):
    """Minute by minute, so that what is done each second, or each minute, is done. Returns how often
    the agent woke up besides for the clock itself."""
    before = wakeups(agent.process)
    minutes = int(60 * hours)
    for _ in range(minutes):
        agent.advance(60)
        wait_until_asleep(agent)
    return wakeups(agent.process) - before - minutes


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("there", [False, True])
def test_19_absent_at_start(start, oracle, tmp_path, named, there):
    """It waits without a timer: it wakes up for events alone."""
    file = tmp_path / "elsewhere" / "deep" / "metrics.jsonl"
    if there:
        file.parent.mkdir(parents=True)
    flags = ["--metrics", file, "--metrics", tmp_path / "experiments"] if named else []
    agent = start(*flags, follow=there, clock=True)
    agent.wait_for_report()
    assert come_to_rest(agent) is None
    assert hours_pass(agent) <= 3
    agent.dir.mkdir(exist_ok=True)
    if not named:
        file = agent.dir / "run" / "metrics.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    oracle.write(file, 4)
    oracle.check(oracle.follow(agent))
    assert come_to_rest(agent) is None
    assert hours_pass(agent) <= 3
    oracle.write(file, 1)
    oracle.check(oracle.settle(agent))
    oracle.check(agent.stop())


CALLS_AT_START = "inotify_init1,openat,inotify_add_watch,getdents64,newfstatat,fstat,statx,pread64,epoll_wait"


def calls_at_the_start(start, tmp_path):
    """{call: range of its numbers between inotify_init1() and the first report}"""
    trace = tmp_path / "count"
    agent = start(prefix=["strace", "-D", "-qq", "-o", trace, "-e", f"trace={CALLS_AT_START}"], env=traced_environment())
    agent.wait_for_accepted(1)
    agent.close()
    calls = re.findall(r"^(\w+)\(", trace.read_text(), re.M)
    before = collections.Counter(calls[:calls.index("inotify_init1")])
    return {call: range(before[call] + 1, n + 1) for call, n in collections.Counter(calls).items()}


def test_20_written_at_each_moment_of_the_start(start, oracle, tmp_path):
    """strace stops the agent after each call with which it begins to follow, above all between the
    one that met the end of the file and the one that watches it; there a line is written. It is
    there at once: another file's line, which comes after, shows that the agent has looked."""
    folder = tmp_path / "experiments"
    folder.mkdir()
    file = folder / "metrics.jsonl"
    oracle.write(file, 1)
    trace = tmp_path / "trace"
    moments = 0
    for call, numbers in calls_at_the_start(start, tmp_path).items():
        for when in numbers:
            moments += written_at(start, oracle, tmp_path, trace, f"{call}:signal=SIGSTOP:when={when}")
    assert moments > 20


def written_at(start, oracle, tmp_path, trace, rule):
    """Was there such a moment?"""
    trace.write_text("")
    oracle.marks = 0
    folder, report = tmp_path / "experiments", tmp_path / "results" / "job-1.json"
    for path in (folder / "mark.jsonl", report):
        path.unlink(missing_ok=True)
    shutil.rmtree(folder / ".agent", ignore_errors=True)
    agent = start(prefix=injecting(trace, rule), env=traced_environment())
    was_stopped = False

    def until(condition):
        nonlocal was_stopped
        with Changes(trace, agent.to) as changes:
            while True:
                assert changes.wait_until(lambda: is_stopped(agent.process) and "stopped by" in trace.read_text()
                                          or report.exists() and condition(agent.status), agent.process)
                if not is_stopped(agent.process):
                    return
                was_stopped = True
                trace.write_text("")
                oracle.write(folder / "metrics.jsonl", 1)
                oracle.mark(folder)
                resume(agent.process)

    until(lambda status: status["agent"]["accepted"] == oracle.accepted)
    for _ in range(10):  # a mark may be met in the look that is under way, the line in the next
        oracle.mark(folder)
        until(lambda status: status["values"].get("test_loss") == oracle.marks)
        if agent.status["agent"]["accepted"] == oracle.accepted:
            break
    oracle.check(agent.status)
    assert "once a second" not in agent.log.read_text()
    agent.close()
    return was_stopped


def test_20_a_directory_that_fills_before_it_is_watched(start, oracle):
    """mkdir and write in one go: no event tells of a file in a directory that nobody watches yet."""
    agent = start()
    agent.wait_for_report()
    for n in range(5):
        pause(agent.process)
        folder = agent.dir / f"run-{n}" / "a" / "b"
        folder.mkdir(parents=True)
        oracle.write(folder / "metrics.jsonl", 3)
        resume(agent.process)
        oracle.check(oracle.follow(agent))
    oracle.check(agent.stop())


def test_21_no_inotify_instance_is_left(start, oracle):
    """EMFILE: said once, and files are looked at once a second."""
    agent = start(clock=True, limit_inotify=True)
    file = agent.dir / "metrics.jsonl"
    for _ in range(3):
        oracle.write(file, 4)
        oracle.mark(agent.dir)
        agent.advance(1)
        oracle.check(agent.wait_for_accepted(oracle.accepted))
    oracle.check(agent.stop())
    log = agent.log.read_text()
    assert log.count("max_user_instances") == 1


def test_22_no_watch_is_left(start, oracle):
    """ENOSPC in the middle of a tree: part of it is watched, all of it is looked at, none of it twice."""
    agent = start(clock=True, prefix=FEW_WATCHES)
    agent.wait_for_report()
    files = []
    for n in range(6):
        folder = agent.dir / f"run-{n}"
        folder.mkdir()
        files.append(folder / "metrics.jsonl")
    for _ in range(3):
        for file in files:
            oracle.write(file, 2)
            oracle.mark(agent.dir)
            agent.advance(1)
            oracle.check(agent.wait_for_accepted(oracle.accepted))
    for _ in range(5):
        agent.advance(1)
        wait_until_asleep(agent)
    oracle.check(oracle.settle(agent))
    oracle.check(agent.stop())
    assert agent.log.read_text().count("max_user_watches") == 1


@pytest.mark.parametrize("what", ["file", "directory", "rotation"])
def test_23_the_queue_of_events_overflows(start, oracle, what):
    """More events than fs.inotify.max_queued_events while the agent stands still; those that matter
    come last and are lost."""
    with open("/proc/sys/fs/inotify/max_queued_events") as limit:
        events = int(limit.read())
    agent = start()
    file = agent.dir / "metrics.jsonl"
    oracle.write(file, 4)
    oracle.check(oracle.settle(agent))
    pause(agent.process)
    noise = agent.dir / "noise"
    for _ in range(events // 2 + 100):
        os.close(os.open(noise, os.O_CREAT))
        noise.unlink()
    if what == "rotation":
        file.rename(agent.dir / "metrics.jsonl.1")
    elif what == "directory":
        file = agent.dir / "late" / "metrics.jsonl"
        file.parent.mkdir()
    oracle.write(file, 3)
    oracle.mark(agent.dir)
    resume(agent.process)
    oracle.check(agent.wait_for(lambda status: status["values"].get("test_loss") == oracle.marks))
    oracle.write(file, 2)
    oracle.check(oracle.settle(agent))
    oracle.check(agent.stop())


def silent_fuse(tmp_path):
    (tmp_path / "backing").mkdir()
    return tmp_path / "backing", Fuse(tmp_path / "backing", tmp_path / "experiments")


def silent_overlay(tmp_path):
    """What is written below the mount changes what is read through it, and no watch there tells."""
    for name in ("lower", "upper", "work"):
        (tmp_path / name).mkdir()
    options = ",".join(f"{name}dir={tmp_path / name}" for name in ("lower", "upper", "work"))
    return tmp_path / "upper", Mount("overlay", tmp_path / "experiments", options)


@pytest.mark.parametrize("silent", [silent_fuse, silent_overlay])
def test_24_a_file_system_whose_inotify_is_silent(start, oracle, tmp_path, silent):
    """Once a second it is looked at, not more often."""
    behind, mount = silent(tmp_path)
    file = behind / "metrics.jsonl"
    oracle.write(file, 4)
    oracle.mark(behind)
    with mount:
        agent = start(clock=True)
        oracle.check(agent.wait_for_accepted(oracle.accepted))
        for _ in range(5):
            oracle.write(file, 2)
            oracle.mark(behind)
            agent.advance(1)
            oracle.check(agent.wait_for_accepted(oracle.accepted))
        come_to_rest(agent)
        before = reads(agent.process)
        for _ in range(60):
            agent.advance(1)
            assert 0 < wait_until_asleep(agent) <= 1000
        # A look is a read of each of the two files; and the clock's line is read by the byte.
        looks = (reads(agent.process) - before - 60 * len("1\n.")) / 2
        assert looks <= 61
        oracle.check(agent.stop())


def test_25_a_stale_smaller_size(start, oracle, tmp_path):
    """As from another node over NFS: stat(2) still says the old size, though the bytes were read."""
    behind, mount = silent_fuse(tmp_path)
    file = behind / "metrics.jsonl"
    oracle.write(file, 4)
    oracle.mark(behind)
    with mount as fuse:
        agent = start(clock=True)
        oracle.check(agent.wait_for_accepted(oracle.accepted))
        old = file.stat().st_size
        oracle.write(file, 3)
        oracle.mark(behind)
        agent.advance(1)
        oracle.check(agent.wait_for_accepted(oracle.accepted))
        for size in (old, old - 65, 1, 0):
            fuse.stale[file.name] = size
            oracle.mark(behind)
            agent.advance(1)
            oracle.check(agent.wait_for(lambda status: status["values"]["test_loss"] == oracle.marks))
        oracle.write(file, 2)  # and stat(2) has not heard of that either
        for _ in range(3):
            agent.advance(1)
            wait_until_asleep(agent)
        fuse.stale.clear()
        oracle.mark(behind)
        agent.advance(1)
        oracle.check(agent.wait_for_accepted(oracle.accepted))
        oracle.check(agent.stop())
    assert "truncated" not in agent.log.read_text()


@pytest.mark.parametrize("what", ["file", "directory"])
def test_46_permission_denied_then_granted(start, oracle, what):
    """Said, in the Result too while there is nothing else to say; read as soon as it is allowed."""
    need_root("a user namespace in which mode bits hold")
    agent = start(privileged=False, clock=True)
    agent.wait_for_report()
    folder = agent.dir / "run"
    file = folder / "metrics.jsonl"
    folder.mkdir(0o755 if what == "file" else 0)
    file.touch(0 if what == "file" else 0o644)
    oracle.write(file, 3)
    agent.wait_for(lambda status: status["conditions"][0]["reason"] == "PermissionDenied")
    # Nothing is tried again and again in vain.
    come_to_rest(agent)
    assert hours_pass(agent, 0.25) <= 15 + 3
    (file if what == "file" else folder).chmod(0o755)
    agent.advance(1)
    oracle.check(agent.wait_for_accepted(3))
    oracle.write(file, 2)
    oracle.check(oracle.settle(agent))
    oracle.check(agent.stop())
