"""Files that get other names, go, and come anew. Numbers are those of docs/guarantees.md."""

import os
import subprocess

import pytest

from scenarios.tools import (Changes, Injected, LoopMount, come_to_rest, descriptors, finish, kill, make_with_inode, pause,
                             resume)


class Followed:
    """A file that is found in --dir, or named with --metrics where nothing else is followed."""

    def __init__(self, tmp_path, named):
        self.folder = tmp_path / ("elsewhere" if named else "experiments")
        self.folder.mkdir(exist_ok=True)
        self.file = self.folder / "metrics.jsonl"
        self.marks = tmp_path / "marks" if named else self.folder
        self.marks.mkdir(exist_ok=True)
        self.flags = ["--metrics", self.file, "--metrics", self.marks] if named else []

    def generation(self, n):
        return self.folder / f"metrics.jsonl.{n}"


@pytest.fixture(params=["searched", "named"])
def followed(request, tmp_path):
    return Followed(tmp_path, request.param == "named")


def test_09_renamed_while_the_old_one_is_still_written(start, oracle, followed):
    agent = start(*followed.flags)
    with open(followed.file, "ab", buffering=0) as old:
        old.write(oracle.block(4))
        oracle.check(oracle.follow(agent, followed.marks))
        followed.file.rename(followed.generation(1))
        old.write(oracle.block(1))
        oracle.check(oracle.follow(agent, followed.marks))
        oracle.write(followed.file, 2)
        oracle.check(oracle.follow(agent, followed.marks))
        old.write(oracle.block(2))  # it is not told yet
        oracle.check(oracle.follow(agent, followed.marks))
        oracle.write(followed.file, 2)
    oracle.check(oracle.follow(agent, followed.marks))
    oracle.check(agent.stop())


def test_09_renamed_and_made_anew_between_two_looks(start, oracle, followed):
    agent = start(*followed.flags)
    with open(followed.file, "ab", buffering=0) as old:
        old.write(oracle.block(4))
        oracle.check(oracle.follow(agent, followed.marks))
        pause(agent.process)
        old.write(oracle.block(1))
        followed.file.rename(followed.generation(1))
        old.write(oracle.block(2))
        oracle.write(followed.file, 2)
        resume(agent.process)
        oracle.check(oracle.follow(agent, followed.marks))
        old.write(oracle.block(2))
        oracle.check(oracle.follow(agent, followed.marks))
    oracle.check(agent.stop())


def test_09_written_at_each_moment_of_a_rename(start, oracle, tmp_path, followed):
    """strace stops the agent after each call with which it takes note of the new name, above all
    between the one that met the end of the file and the one that watches it; there a line is written."""
    agent = start(*followed.flags)
    oracle.write(followed.file, 1)
    oracle.check(oracle.follow(agent, followed.marks))
    moments = 0
    for call in ("read", "pread64", "statx", "newfstatat", "openat", "getdents64", "inotify_add_watch"):
        for when in range(1, 6):
            with open(followed.file, "ab", buffering=0) as old, \
                    Injected(agent.process, tmp_path / "trace", f"{call}:signal=SIGSTOP:when={when}") as strace:
                for n in (3, 2, 1):
                    if followed.generation(n).exists():
                        followed.generation(n).rename(followed.generation(n + 1))
                followed.file.rename(followed.generation(1))
                oracle.mark(followed.marks)
                with Changes(agent.to, tmp_path / "trace") as changes:
                    changes.wait_until(lambda: strace.has_stopped()
                                       or agent.status["values"].get("test_loss") == oracle.marks, agent.process)
                moments += strace.has_stopped()
                strace.end()
                old.write(oracle.block(1))
                resume(agent.process)
                oracle.check(oracle.follow(agent, followed.marks))
                oracle.write(followed.file, 1)
                oracle.check(oracle.follow(agent, followed.marks))
    oracle.check(agent.stop())
    assert moments > 10


def test_09_made_and_renamed_between_two_looks(start, oracle, followed):
    """Neither file was seen before: the one that was renamed is the older."""
    agent = start(*followed.flags)
    oracle.write(followed.file, 4)
    oracle.check(oracle.follow(agent, followed.marks))
    followed.file.unlink()
    oracle.check(oracle.follow(agent, followed.marks))
    pause(agent.process)
    oracle.write(followed.file, 3)
    followed.file.rename(followed.generation(1))
    oracle.write(followed.file, 3)
    resume(agent.process)
    oracle.check(oracle.follow(agent, followed.marks))
    oracle.check(agent.stop())


@pytest.mark.parametrize("rotations", [2, 11])
@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
def test_10_rotated_while_the_agent_is_down(start, oracle, followed, how, rotations):
    """Each generation that is still there counts, in order of age: .11 is older than .2."""
    agent = start(*followed.flags)
    oracle.write(followed.file, 4)
    oracle.check(oracle.follow(agent, followed.marks))
    agent.stop() if how == "SIGTERM" else kill(agent)
    for i in range(rotations):
        oracle.write(followed.file, 2)
        for n in range(i, 0, -1):
            followed.generation(n).rename(followed.generation(n + 1))
        followed.file.rename(followed.generation(1))
        oracle.write(followed.file, 3)
    agent = start(*followed.flags)
    oracle.check(oracle.follow(agent, followed.marks))
    oracle.check(agent.stop())
    oracle.check(finish(start(*followed.flags)))


def test_10_rotated_before_the_first_start(start, oracle, tmp_path):
    """The agent comes late: in a directory that it searches, what lies beside a file is older, not newer."""
    followed = Followed(tmp_path, False)
    for n in (3, 2, 1):
        oracle.write(followed.generation(n), 4)
    oracle.write(followed.file, 4)
    agent = start()
    oracle.check(oracle.follow(agent))
    oracle.check(agent.stop())


def test_16_deleted_while_unread(start, oracle, followed):
    agent = start(*followed.flags, clock=True)
    oracle.write(followed.file, 4)
    oracle.check(oracle.follow(agent, followed.marks))
    pause(agent.process)
    oracle.write(followed.file, 3)
    followed.file.unlink()
    resume(agent.process)
    oracle.check(oracle.follow(agent, followed.marks))
    come_to_rest(agent)
    assert not [path for path in descriptors(agent.process) if path.startswith(str(followed.file))]
    oracle.check(agent.stop())


def test_16_deleted_and_made_anew_while_unread(start, oracle, followed):
    agent = start(*followed.flags)
    oracle.write(followed.file, 4)
    oracle.check(oracle.follow(agent, followed.marks))
    pause(agent.process)
    oracle.write(followed.file, 3)
    followed.file.unlink()
    oracle.write(followed.file, 3)
    resume(agent.process)
    oracle.check(oracle.follow(agent, followed.marks))
    oracle.check(agent.stop())


@pytest.fixture(params=["searched", "named"])
def on_ext4(request, tmp_path):
    """The same on a file system of its own, where nobody else takes the inode numbers that become free."""
    named = request.param == "named"
    image, place = tmp_path / "image", tmp_path / ("elsewhere" if named else "experiments")
    with open(image, "wb") as file:
        file.truncate(8 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    with LoopMount(image, place):
        yield Followed(tmp_path, named)


def test_17_deleted_and_made_anew_with_the_same_inode(start, oracle, tmp_path, on_ext4):
    """While the agent has the old file open its number is not given away; afterwards it is."""
    flags = [*on_ext4.flags, "--state", tmp_path / "state"]
    agent = start(*flags, clock=True)
    oracle.write(on_ext4.file, 4)
    oracle.check(oracle.follow(agent, on_ext4.marks))
    inode = on_ext4.file.stat().st_ino
    on_ext4.file.unlink()
    oracle.check(oracle.follow(agent, on_ext4.marks))
    come_to_rest(agent)
    pause(agent.process)
    assert make_with_inode(on_ext4.file, inode, oracle.block(6))
    resume(agent.process)
    oracle.check(oracle.follow(agent, on_ext4.marks))
    oracle.check(agent.stop())


@pytest.mark.parametrize("how", ["SIGTERM", "SIGKILL"])
@pytest.mark.parametrize("n", [2, 4, 6])
def test_18_the_same_across_a_restart_of_the_agent(start, oracle, tmp_path, on_ext4, n, how):
    """The new file is shorter, as long, or longer than what was read of the old one."""
    flags = [*on_ext4.flags, "--state", tmp_path / "state"]
    agent = start(*flags)
    oracle.write(on_ext4.file, 4)
    oracle.check(oracle.follow(agent, on_ext4.marks))
    inode = on_ext4.file.stat().st_ino
    agent.stop() if how == "SIGTERM" else kill(agent)
    on_ext4.file.unlink()
    assert make_with_inode(on_ext4.file, inode, oracle.block(n))
    agent = start(*flags)
    oracle.check(oracle.follow(agent, on_ext4.marks))
    oracle.check(agent.stop())


@pytest.mark.parametrize("named", [False, True])
def test_26_kubernetes_swaps_its_data_symlink(start, oracle, tmp_path, named):
    """As the kubelet's atomic writer does it: ..data leads to a directory with a time in its name,
    and is replaced by rename(2)."""
    folder = tmp_path / "experiments" / "projected"
    folder.mkdir(parents=True)
    marks = tmp_path / "experiments" / "marks"
    marks.mkdir()

    def publish(k, content):
        target = folder / f"..2026_11_25_0{k}"
        target.mkdir()
        (target / "metrics.jsonl").write_bytes(content)
        (folder / "..data_tmp").symlink_to(target.name)
        (folder / "..data_tmp").rename(folder / "..data")

    publish(1, oracle.block(4))
    (folder / "metrics.jsonl").symlink_to("..data/metrics.jsonl")
    flags = ["--metrics", folder / "metrics.jsonl", "--metrics", marks] if named else []
    agent = start(*flags, clock=True)
    oracle.check(oracle.follow(agent, marks))
    for k in (2, 3):
        publish(k, oracle.block(3))
        agent.advance(1)
        oracle.check(oracle.follow(agent, marks))
        for name in (f"..2026_11_25_0{k - 1}/metrics.jsonl", f"..2026_11_25_0{k - 1}"):
            path = folder / name
            path.rmdir() if path.is_dir() else path.unlink()
    oracle.check(oracle.follow(agent, marks))
    oracle.check(agent.stop())


@pytest.mark.parametrize("restart", [False, True])
def test_27_a_symlink_is_pointed_elsewhere_while_both_are_written(start, oracle, tmp_path, restart):
    marks, runs = tmp_path / "experiments", tmp_path / "runs"
    marks.mkdir()
    for name in ("a", "b"):
        (runs / name).mkdir(parents=True)
    link = tmp_path / "current.jsonl"
    first, second = runs / "a" / "metrics.jsonl", runs / "b" / "metrics.jsonl"
    oracle.write(first, 4)
    link.symlink_to(first)
    flags = ["--metrics", link, "--metrics", marks]
    agent = start(*flags)
    oracle.check(oracle.follow(agent, marks))
    with open(first, "ab", buffering=0) as old:
        oracle.write(second, 2)
        (tmp_path / "new").symlink_to(second)
        os.replace(tmp_path / "new", link)
        oracle.check(oracle.follow(agent, marks))
        old.write(oracle.block(2))
        oracle.check(oracle.follow(agent, marks))
        if restart:
            kill(agent)
            agent = start(*flags)
        oracle.write(second, 2)
        oracle.check(oracle.follow(agent, marks))
        old.write(oracle.block(1))
        oracle.check(oracle.follow(agent, marks))
    oracle.check(agent.stop())
