"""Much of everything, little of everything, and each call that fails. Numbers are those of
docs/guarantees.md."""

import json
import os
import re
import resource
import shutil
import socket
import stat
import subprocess

import pytest

from agent.harness import AGENT, Agent, append, clean_environment

from scenarios.fuse import Fuse
from scenarios.oracle import Oracle
from scenarios.tools import (Changes, Mount, anonymous_kib, come_to_rest, descriptors, fill, finish, injecting, kill, reads,
                             traced_environment, wait_until_asleep, wakeups)

# Calls that a signal can interrupt (their man pages). Those of the first kind are made again at once,
# so every second may fail; of the others one is.
MADE_AGAIN = ["read", "pread64", "preadv", "write", "pwrite64", "pwritev", "epoll_wait"]
GIVEN_UP = ["openat", "fsync", "fdatasync", "flock", "ftruncate"]


def calls_of_the_loader(tmp_path):
    trace = tmp_path / "count"
    subprocess.run(["strace", "-qq", "-o", trace, "-e", "trace=" + ",".join(MADE_AGAIN + GIVEN_UP), AGENT, "--version"],
                   env=clean_environment(traced_environment()), check=True, stdout=subprocess.DEVNULL)
    calls = re.findall(r"^(\w+)\(", trace.read_text(), re.M)
    return {call: calls.count(call) for call in MADE_AGAIN + GIVEN_UP}


def test_39_each_call_is_interrupted(tmp_path):
    """EINTR, at each call that can return it."""
    for call, n in calls_of_the_loader(tmp_path).items():
        n += call == "openat"  # the first is that of the clock, which only tests have
        whens = [f"{n + 1}+2", f"{n + 2}+2"] if call in MADE_AGAIN else range(n + 1, n + 9)
        for when in whens:
            base, oracle = tmp_path / f"{call}-{when}", Oracle()
            base.mkdir()
            agent = Agent(base, prefix=injecting(base / "trace", f"{call}:error=EINTR:when={when}"),
                          env=traced_environment(), clock=True)
            try:
                agent.wait_for_report()
                oracle.write(agent.dir / "metrics.jsonl", 4)
                oracle.check(oracle.settle(agent))
                (agent.dir / "metrics.jsonl").rename(agent.dir / "metrics.jsonl.1")
                oracle.write(agent.dir / "metrics.jsonl", 2)
                oracle.check(oracle.settle(agent))
                come_to_rest(agent)
                oracle.check(agent.stop())
            finally:
                agent.close()
            agent = Agent(base)
            try:
                oracle.check(finish(agent))
            finally:
                agent.close()


@pytest.mark.parametrize("n", [1, 7, 4096])
def test_39_each_read_and_write_is_short(start, oracle, tmp_path, n):
    """No call reads or writes more than n bytes, of what is followed, kept and published."""
    with Fuse(tmp_path / "trainer", tmp_path / "experiments") as followed, \
            Fuse(tmp_path / "kept", tmp_path / "state") as kept, \
            Fuse(tmp_path / "published", tmp_path / "results") as published:
        for fuse in (followed, kept, published):
            fuse.read_bytes = fuse.write_bytes = n
        flags = ["--state", tmp_path / "state"]
        for _ in range(2):
            agent = start(*flags, clock=True)
            agent.wait_for_report()
            for _ in range(2):
                oracle.write(tmp_path / "trainer" / "metrics.jsonl", 4)
                for _ in range(10):
                    agent.advance(1)
                    wait_until_asleep(agent)
                oracle.check(agent.status)
            kill(agent)
        agent = start(*flags)
        oracle.check(finish(agent))
        agent.close()


def test_40_memory_runs_out(tmp_path):
    """From some byte on malloc(3) fails: it ends by itself, with a reason, or goes on; another agent
    has the whole. (tests/faults does so for each call of malloc.)"""
    ends = []
    for more_kib in range(0, 2048, 128):
        base, oracle = tmp_path / str(more_kib), Oracle()
        base.mkdir()
        agent = Agent(base, clock=True)
        try:
            agent.wait_for_report()
            limit = 1024 * (address_space_kib(agent.process) + more_kib)
            resource.prlimit(agent.process.pid, resource.RLIMIT_AS, (limit, limit))
            oracle.write(agent.dir / "metrics.jsonl", 3000)
            come_to_rest(agent)
            agent.process.terminate()
            ends.append(agent.process.wait())
            assert ends[-1] in (0, 1), agent.log.read_text()
        finally:
            agent.close()
        agent = Agent(base)
        try:
            oracle.check(finish(agent))
        finally:
            agent.close()
    assert 0 in ends


def address_space_kib(process):
    (size,) = re.findall(r"VmSize:\s+(\d+)", open(f"/proc/{process.pid}/status").read())
    return int(size)


def many(folder, oracle, n, first=0):
    folder.mkdir(exist_ok=True)
    for i in range(first, first + n):
        (folder / f"run-{i:05}.jsonl").write_bytes(oracle.block(1))


def test_41_ten_thousand_files(start, oracle, tmp_path):
    """Memory grows with their number and no faster; there are fewer descriptors than files; and a line
    costs the same whatever number of others is there."""
    limit = ["prlimit", "--nofile=1024:1024"]
    folder = tmp_path / "experiments"
    used = []
    for n in (2500, 2500, 5000):
        many(folder, oracle, n, oracle.n)
        agent = start(clock=True, prefix=limit)
        agent.wait_for_accepted(oracle.accepted)
        come_to_rest(agent)
        used.append(anonymous_kib(agent.process))
        kill(agent)
    # From 5,000 to 10,000 files as much as twice from 2,500 to 5,000; a quarter more for the heap's holes.
    assert used[2] - used[1] <= 1.25 * 2 * (used[1] - used[0]) + 256
    agent = start(clock=True, prefix=limit)
    agent.wait_for_accepted(oracle.accepted)
    assert come_to_rest(agent) is None
    before = wakeups(agent.process), reads(agent.process)
    for _ in range(60):
        agent.advance(60)
        wait_until_asleep(agent)
    assert wakeups(agent.process) - before[0] <= 60 + 3
    before = reads(agent.process)
    oracle.write(folder / "run-00007.jsonl", 1)
    oracle.check(oracle.settle(agent))
    come_to_rest(agent)
    assert reads(agent.process) - before < 200
    (folder / "run-00008.jsonl").unlink()
    oracle.write(folder / "run-00008.jsonl", 1)
    oracle.check(oracle.settle(agent))
    oracle.check(agent.stop())


def test_42_a_long_rotating_run(start, oracle):
    """100 rotations of each kind: memory and descriptors at the end are those of the middle. (make
    test-long does so for half an hour.)"""
    agent = start(clock=True)
    file, folder = agent.dir / "metrics.jsonl", agent.dir
    at = {}
    for i in range(1, 301):
        oracle.write(file, 3)
        agent.advance(1)  # it rests no longer after the events before
        kind = i % 3
        if kind == 0:  # rename, with three generations
            oracle.settle(agent)
            for n in (2, 1):
                if (folder / f"metrics.jsonl.{n}").exists():
                    (folder / f"metrics.jsonl.{n}").rename(folder / f"metrics.jsonl.{n + 1}")
            file.rename(folder / "metrics.jsonl.1")
        elif kind == 1:  # copytruncate, when everything is read
            oracle.settle(agent)
            shutil.copyfile(file, folder / "metrics.jsonl.1")
            os.truncate(file, 0)
        else:
            oracle.settle(agent)  # nobody can read what comes and goes between two looks
            file.unlink()
        if i % 50 == 0:
            oracle.check(oracle.settle(agent))
        if i in (150, 300):
            come_to_rest(agent)
            at[i] = (anonymous_kib(agent.process), len(descriptors(agent.process)))
    oracle.check(agent.stop())
    assert at[300][1] <= at[150][1] + 1
    assert at[300][0] <= at[150][0] + 64


def test_45_the_volume_is_full(start, oracle, tmp_path):
    """Trainer, state and Result on one full tmpfs: what gets there is read, and published when there is
    room again; nothing is lost by a kill in between."""
    with Mount("tmpfs", tmp_path / "volume", "size=512k") as volume:
        (volume / "dir").mkdir()
        file = volume / "dir" / "metrics.jsonl"
        agent = start("--dir", volume / "dir", "--to", volume / "to", clock=True)
        with open(file, "ab", buffering=0) as writer:
            writer.write(oracle.block(4))
            report = volume / "to" / "job-1.json"
            wait_for_report(agent, report, oracle.accepted)
            fill(volume / "filler")
            writer.write(oracle.block(4))  # the page has room
            agent.wait_for_log("cannot be written")
            come_to_rest(agent)
            assert "state cannot be kept" in agent.log.read_text()
            kill(agent)
            agent = start("--dir", volume / "dir", "--to", volume / "to", clock=True)
            agent.wait_for_log("following")
            writer.write(oracle.block(2))
            come_to_rest(agent)
            (volume / "filler").unlink()
            agent.advance(60)
            wait_for_report(agent, report, oracle.accepted)
        come_to_rest(agent)
        assert "is written again" in agent.log.read_text()
        kill(agent)
        report.unlink()
        agent = start("--dir", volume / "dir", "--to", volume / "to", clock=True)
        wait_for_report(agent, report, oracle.accepted)
        agent.process.terminate()
        assert agent.process.wait() == 0
        oracle.check(json.loads(report.read_text())["status"])


def wait_for_report(agent, report, accepted):
    report.parent.mkdir(exist_ok=True)
    with Changes(report.parent) as changes:
        assert changes.wait_until(
            lambda: report.exists() and json.loads(report.read_text())["status"]["agent"]["accepted"] == accepted,
            agent.process), agent.log.read_text()


# --- 47: the wall clock ---


@pytest.mark.parametrize("hours", [1, -1])
def test_47_the_wall_clock_jumps(start, oracle, hours):
    """Reports come by the clock that never jumps; what is said of the time of day is the new one."""
    agent = start("--interval", "60s,60s", clock=True)
    oracle.write(agent.dir / "metrics.jsonl", 2)
    status = agent.wait_for_accepted(2)  # the first comes at once
    come_to_rest(agent)
    before = agent.status["lastReportTime"]
    agent.clock.write_text(f"wall {hours * 3600}\n")
    oracle.write(agent.dir / "metrics.jsonl", 2)
    for _ in range(3):  # less than the interval, with its jitter
        agent.advance(8)
        wait_until_asleep(agent)
    assert agent.status["agent"]["accepted"] == status["agent"]["accepted"]
    agent.advance(70)
    oracle.check(agent.wait_for_accepted(4))
    assert (agent.status["lastReportTime"] > before) == (hours > 0)
    oracle.check(agent.stop())


@pytest.mark.parametrize("hours", [1, -1])
def test_47_the_wall_clock_jumps_while_the_agent_is_down(start, oracle, hours):
    """Times that were kept are of another clock then; nothing that counts hangs on them."""
    agent = start(clock=True)
    agent.clock.write_text(f"wall {hours * 3600}\n")
    oracle.write(agent.dir / "metrics.jsonl", 4)
    oracle.check(oracle.settle(agent))
    oracle.check(agent.stop())
    agent = start()
    agent.wait_for_report()
    oracle.write(agent.dir / "metrics.jsonl", 2)
    oracle.check(oracle.settle(agent))
    oracle.check(agent.stop())


# --- what stands in a directory and is no metrics file ---


def test_41_what_is_no_file_stops_nothing(start, oracle, tmp_path):
    """A FIFO, a socket, a device, a loop of links, a link that leads out, a file that nobody may read."""
    folder = tmp_path / "experiments"
    folder.mkdir()
    os.mkfifo(folder / "fifo.jsonl")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket.jsonl"))
    if os.geteuid() == 0:
        os.mknod(folder / "device.jsonl", stat.S_IFCHR | 0o666, os.makedev(1, 5))  # /dev/zero
    (folder / "loop").symlink_to(".")
    (folder / "self.jsonl").symlink_to("self.jsonl")
    secret = tmp_path / "token.jsonl"
    secret.write_text('{"epoch": 9, "secret_loss": 9}\n')
    (folder / "out.jsonl").symlink_to(secret)
    (folder / "in.jsonl").symlink_to("metrics.jsonl")
    (folder / "closed.jsonl").write_text('{"epoch": 9, "closed_loss": 9}\n')
    (folder / "closed.jsonl").chmod(0)
    agent = start(privileged=False)
    agent.wait_for_report()
    oracle.write(folder / "metrics.jsonl", 4)
    oracle.check(oracle.settle(agent))
    status = oracle.check(agent.stop())
    assert set(status["values"]) == {"loss", "test_loss"}
    assert "closed.jsonl" in agent.log.read_text()
    agent = start("--follow-symlinks", "--state", tmp_path / "state", privileged=False)
    assert agent.wait_for(lambda status: "secret_loss" in status.get("values", {}))["values"]["secret_loss"] == 9
