"""What is kept across the agent's death, and what may happen to that. Numbers are those of
docs/guarantees.md."""

import collections
import errno
import re
import shutil
import subprocess

import pytest

from agent.harness import AGENT, Agent, clean_environment

from scenarios.fuse import Fuse
from scenarios.oracle import Oracle
from scenarios.tools import Changes, Mount, come_to_rest, fill, finish, injecting, kill, traced_environment

# What changes anything on disk, and what is read and waited for between.
CALLS = "inotify_init1,pwritev,pwrite64,write,fsync,fdatasync,renameat,unlinkat,ftruncate,pread64,epoll_wait"


def live(folder, prefix):
    """A short life: start, follow, rotate, follow, SIGTERM. It goes on to its end also when the agent
    does not."""
    oracle = Oracle()
    (folder / "experiments").mkdir(parents=True)
    file = folder / "experiments" / "metrics.jsonl"
    oracle.write(file, 4)
    agent = Agent(folder, prefix=prefix, env=traced_environment())
    report = agent.to / "job-1.json"

    def wait_for_accepted():
        with Changes(agent.to) as changes:
            changes.wait_until(lambda: report.exists() and agent.status["agent"]["accepted"] == oracle.accepted,
                               agent.process)

    wait_for_accepted()
    with open(file, "ab", buffering=0) as old:
        old.write(oracle.block(2))
        file.rename(file.with_suffix(".jsonl.1"))
        old.write(oracle.block(1))
        oracle.write(file, 2)
    wait_for_accepted()
    with open(file, "ab") as writer:
        writer.write(oracle.block(1)[:-1])
    agent.process.terminate()
    agent.process.wait()
    agent.close()
    return oracle


def calls_of_life(folder):
    """{call: range of its numbers after inotify_init1()}"""
    trace = folder / "trace"
    folder.mkdir()
    live(folder / "life", ["strace", "-D", "-qq", "-o", trace, "-e", f"trace={CALLS}"])
    calls = re.findall(r"^(\w+)\(", trace.read_text(), re.M)
    before = collections.Counter(calls[:calls.index("inotify_init1")])
    return {call: range(before[call] + 1, n + 1) for call, n in collections.Counter(calls).items()}


def test_01_killed_at_each_system_call(tmp_path):
    """kill -9 at each call that changes anything on disk, and at those around them; another agent then
    has the whole. (tests/faults does so for every call of longer lives.)"""
    kills = 0
    for call, numbers in calls_of_life(tmp_path / "count").items():
        for when in numbers:
            folder = tmp_path / f"{call}-{when}"
            folder.mkdir()
            trace = folder / "trace"
            oracle = live(folder, injecting(trace, f"{call}:signal=SIGKILL:when={when}"))
            kills += "killed by SIGKILL" in trace.read_text()
            agent = Agent(folder)
            try:
                oracle.check(finish(agent))
            finally:
                agent.close()
            shutil.rmtree(folder)
    assert kills > 20


# --- state that only the state knows: its file is gone ---


def remember(start, oracle, folder, *flags):
    """Lines of a file that is deleted after they were read, and the agent stopped."""
    agent = start(*flags)
    gone = agent.dir / "gone.jsonl"
    oracle.write(gone, 4)
    oracle.check(oracle.settle(agent))
    oracle.check(agent.stop())
    gone.unlink()
    return agent.dir


def newest(slots):
    return max(slots, key=lambda path: path.stat().st_mtime_ns)


def slots_of(state):
    return sorted(state.glob("state.*"))


DAMAGE = {
    "torn": lambda content: content[:len(content) * 2 // 3],
    "empty": lambda content: b"",
    "nul": lambda content: bytes(len(content)),
    "half-nul": lambda content: content[:len(content) // 2] + bytes(len(content) - len(content) // 2),
    "one-bit": lambda content: content[:-9] + bytes([content[-9] ^ 4]) + content[-8:],
    "too-long": lambda content: content[:-1] + b"more" + content[-1:],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_35_the_newest_generation_is_torn(start, oracle, tmp_path, damage):
    folder = remember(start, oracle, tmp_path)
    agent = start()
    oracle.write(folder / "metrics.jsonl", 3)
    oracle.check(oracle.settle(agent))
    oracle.check(agent.stop())
    slot = newest(slots_of(folder / ".agent"))
    slot.write_bytes(DAMAGE[damage](slot.read_bytes()))
    before = len(agent.log.read_text())
    agent = start()
    agent.wait_for_report()
    oracle.write(folder / "metrics.jsonl", 2)
    oracle.check(oracle.settle(agent))
    oracle.check(agent.stop())
    assert f".agent/{slot.name}: " in agent.log.read_text()[before:]


def test_35_every_generation_is_torn(start, oracle):
    """Files are read from their start then: still once, as far as they are there."""
    agent = start()
    oracle.write(agent.dir / "metrics.jsonl", 4)
    oracle.check(oracle.settle(agent))
    kill(agent)
    for slot in slots_of(agent.dir / ".agent"):
        slot.write_bytes(slot.read_bytes()[:-1])
    agent = start()
    oracle.write(agent.dir / "metrics.jsonl", 2)
    oracle.check(oracle.settle(agent))
    oracle.check(agent.stop())


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("call", ["write", "create", "fsync"])
def test_36_the_state_cannot_be_saved(start, oracle, tmp_path, call, code):
    """What could not be kept is not taken for kept: killed meanwhile, the next agent counts it anew, once."""
    with Fuse(tmp_path / "backing", tmp_path / "state") as fuse:
        flags = ["--state", tmp_path / "state"]
        folder = remember(start, oracle, tmp_path, *flags)
        if call == "create":
            newest(slots_of(tmp_path / "backing")).rename(tmp_path / "backing" / "state.0")
            for slot in slots_of(tmp_path / "backing")[1:]:
                slot.unlink()
        fuse.fail = lambda name, path: code if name == call else 0
        agent = start(*flags, clock=True)
        agent.wait_for_report()
        oracle.write(folder / "metrics.jsonl", 3)
        oracle.check(oracle.settle(agent))
        come_to_rest(agent)
        assert "state cannot be kept" in agent.log.read_text()
        kill(agent)
        fuse.fail = lambda name, path: 0
        agent = start(*flags, clock=True)
        agent.wait_for_report()
        oracle.write(folder / "metrics.jsonl", 2)
        oracle.check(oracle.settle(agent))
        # And again, but it can be saved before the kill; what was read then goes.
        fuse.fail = lambda name, path: code if name == call else 0
        oracle.write(folder / "metrics.jsonl", 2)
        oracle.check(oracle.settle(agent))
        come_to_rest(agent)
        fuse.fail = lambda name, path: 0
        come_to_rest(agent)
        oracle.check(agent.stop())
        (folder / "metrics.jsonl").unlink()
        oracle.check(finish(start(*flags)))


def test_36_the_volume_of_the_state_is_full(start, oracle, tmp_path):
    with Mount("tmpfs", tmp_path / "state", "size=256k"):
        flags = ["--state", tmp_path / "state"]
        fill(tmp_path / "state" / "filler")
        agent = start(*flags, clock=True)
        oracle.write(agent.dir / "metrics.jsonl", 4)
        oracle.check(oracle.settle(agent))
        come_to_rest(agent)
        assert "state cannot be kept" in agent.log.read_text()
        kill(agent)
        agent = start(*flags, clock=True)
        oracle.write(agent.dir / "metrics.jsonl", 3)
        oracle.check(oracle.settle(agent))
        (tmp_path / "state" / "filler").unlink()
        come_to_rest(agent)
        oracle.write(agent.dir / "metrics.jsonl", 1)
        oracle.check(oracle.settle(agent))
        oracle.check(agent.stop())
        (agent.dir / "metrics.jsonl").unlink()
        oracle.check(finish(start(*flags)))


class Disk:
    """What a loss of power would leave of a directory behind Fuse: of each file what was there at its
    last fsync(2) that succeeded, under the names of the directory's last one. An fsync(2) that failed
    drops what was written: Linux has the pages clean then (lwn.net/Articles/752063)."""

    def __init__(self, fuse, backing):
        self.backing = backing
        self.written = {}
        self.durable = {path.name: path.read_bytes() for path in backing.iterdir()}
        self.names = set(self.durable)
        self.syncs = 0
        self.fail_sync = None # the number of the one that fails
        self.last_failed = False
        self.images = []      # what power losses may leave, as {name: content}
        fuse.fail, fuse.told = self._fail, self._told

    def _fail(self, call, path):
        if call not in ("fsync", "fsyncdir"):
            return 0
        self.syncs += 1
        self.last_failed = self.syncs == self.fail_sync
        if self.last_failed:
            self.written.pop(path, None)
        return errno.EIO if self.last_failed else 0

    def _told(self, call, path):
        if call == "write":
            self.written[path] = (self.backing / path).read_bytes()
        elif call == "create":
            self.durable[path] = b""
        elif call == "fsync" and path in self.written:
            self.durable[path] = self.written.pop(path)
        elif call == "fsyncdir":
            self.names = {entry.name for entry in self.backing.iterdir()}
        if call in ("write", "create", "fsync", "fsyncdir", "rename2", "unlink", "setattr"):
            self._keep_images()

    def image(self):
        return {name: self.durable[name] for name in self.names if name in self.durable}

    def _keep_images(self):
        """What is synced; all that was written; and with the last write torn in the middle."""
        now = {path.name: path.read_bytes() for path in self.backing.iterdir()}
        states = [self.image(), now]
        for name, content in self.written.items():
            states.append({**now, name: content[:len(content) // 2]})
            states.append({**self.image(), name: bytes(len(content))})
        self.images += [state for state in states if state not in self.images]


def put(image, directory):
    directory.mkdir()
    for name, content in image.items():
        (directory / name).write_bytes(content)
    return directory


def test_37_an_fsync_fails(start, tmp_path):
    """Each in turn. Where a later one succeeds, what is kept survives a loss of power; where none does,
    what was synced before."""
    n = 0
    while True:
        n += 1
        oracle = Oracle()
        base = tmp_path / str(n)
        with Fuse(base / "backing", base / "state") as fuse:
            flags = ["--state", base / "state", "--dir", base / "experiments", "--to", tmp_path / "results"]
            (base / "experiments").mkdir()
            agent = start(*flags)
            oracle.write(base / "experiments" / "gone.jsonl", 4)
            oracle.check(oracle.settle(agent, base / "experiments"))
            oracle.check(agent.stop())
            agent.close()
            (base / "experiments" / "gone.jsonl").unlink()
            disk = Disk(fuse, base / "backing")
            disk.fail_sync = n
            agent = start(*flags, clock=True)
            for _ in range(3):
                oracle.write(base / "experiments" / "metrics.jsonl", 2)
                oracle.check(oracle.settle(agent, base / "experiments"))
                come_to_rest(agent)
            oracle.check(agent.stop())
            agent.close()
        if not disk.last_failed:
            (base / "experiments" / "metrics.jsonl").unlink()
        agent = start("--state", put(disk.image(), base / "image"), *flags[2:])
        oracle.check(finish(agent))
        agent.close()
        if disk.syncs < n:
            break
    assert n > 4


def test_38_power_is_lost_at_each_write_of_the_state(start, oracle, tmp_path):
    """The images that a power loss may leave of the state, after each call that changes it. In all of
    them is what was known before, and with the files that are there the whole."""
    with Fuse(tmp_path / "backing", tmp_path / "state") as fuse:
        flags = ["--state", tmp_path / "state"]
        folder = remember(start, oracle, tmp_path, *flags)
        disk = Disk(fuse, tmp_path / "backing")
        agent = start(*flags, clock=True)
        for _ in range(3):
            oracle.write(folder / "metrics.jsonl", 2)
            oracle.check(oracle.settle(agent))
            come_to_rest(agent)
        oracle.check(agent.stop())
    assert len(disk.images) > 8
    for i, image in enumerate(disk.images):
        agent = start("--state", put(image, tmp_path / f"image-{i}"))
        oracle.check(finish(agent))
        agent.close()


def test_43_a_second_agent_on_the_same_state_directory(start, oracle, tmp_path):
    agent = start()
    oracle.write(agent.dir / "metrics.jsonl", 2)
    oracle.check(oracle.settle(agent))
    for flags in (["--dir", agent.dir], ["--dir", tmp_path, "--state", agent.dir / ".agent"]):
        second = subprocess.run([AGENT, *flags, "--to", tmp_path / "second", "--job", "job-2"], capture_output=True,
                                text=True, env=clean_environment())
        assert second.returncode == 2, second.stderr
        (line,) = second.stderr.splitlines()
        assert str(agent.dir / ".agent") in line
        assert "another agent" in line
        assert not (tmp_path / "second").exists()
    oracle.write(agent.dir / "metrics.jsonl", 2)
    oracle.check(oracle.settle(agent))
    kill(agent)  # its lock goes with it
    oracle.check(finish(start()))
