"""What is done to a running agent, and what the kernel says of it."""

import array
import ctypes
import errno
import fcntl
import functools
import os
import pathlib
import platform
import select
import signal
import struct
import subprocess
import termios

import pytest

from agent.harness import clean_environment

_libc = ctypes.CDLL(None, use_errno=True)
_EVENTS = 0x2 | 0x8 | 0x80 | 0x100  # IN_MODIFY, IN_CLOSE_WRITE, IN_MOVED_TO, IN_CREATE

# Numbers of epoll_wait and epoll_pwait.
_EPOLL_CALLS = {"x86_64": {232, 281}, "aarch64": {22}}[platform.machine()]


_CLONE_NEWNS, _MS_REC, _MS_PRIVATE, _MNT_DETACH = 0x20000, 0x4000, 1 << 18, 2


def need_root(what):
    if os.geteuid() != 0:
        pytest.fail(f"this test has to be run as root: {what}")


@functools.cache
def own_mounts():
    """From now on mounts are this process' and its children's own: none outlives them."""
    need_root("mount(2)")
    assert _libc.unshare(_CLONE_NEWNS) == 0, os.strerror(ctypes.get_errno())
    assert _libc.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None) == 0, os.strerror(ctypes.get_errno())


def mount(source, target, kind, options):
    own_mounts()
    if _libc.mount(os.fsencode(source), os.fsencode(target), kind.encode(), 0, options.encode()) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"mount {kind}: {os.strerror(code)}")


def unmount(target):
    _libc.umount2(os.fsencode(target), _MNT_DETACH)


# --- stopping, going on, ending ---


def pause(process):
    """After this the process does nothing, until resume()."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)


def resume(process):
    process.send_signal(signal.SIGCONT)


def kill(agent):
    """kill -9, and the end of it."""
    agent.process.kill()
    agent.process.wait()


def finish(agent):
    """An agent that has just been started is stopped as soon as it takes signals; returns what it
    published last."""
    agent.wait_for_report()
    return agent.stop()


def is_stopped(process):
    """Has a signal that strace injected stopped it?"""
    return pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "tT"


def has_ended(process):
    return pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"


# --- events ---


class Changes:
    """Tells of what is written in files and directories."""

    def __init__(self, *paths):
        self.fd = _libc.inotify_init1(os.O_CLOEXEC)
        for path in paths:
            assert _libc.inotify_add_watch(self.fd, os.fsencode(path), _EVENTS) >= 0, path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def wait_until(self, condition, process=None):
        """Waits until the condition holds; it is looked at after each change. False when the process
        has ended before."""
        pidfd = os.pidfd_open(process.pid) if process else -1
        try:
            while not condition():
                ready, _, _ = select.select([self.fd, *([pidfd] if process else [])], [], [])
                if self.fd not in ready:
                    return False
                os.read(self.fd, 65536)
            return True
        finally:
            if process:
                os.close(pidfd)


# --- what the kernel counts ---


def _status(process, name):
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise AssertionError(f"no {name} in /proc/PID/status")


def wakeups(process):
    """How often it has slept so far: it wakes once for each."""
    return _status(process, "voluntary_ctxt_switches")


def anonymous_kib(process):
    return _status(process, "RssAnon")


def reads(process):
    """How many read(2) and the like it has made (proc(5), syscr)."""
    text = pathlib.Path(f"/proc/{process.pid}/io").read_text()
    return int(text.split("syscr:")[1].split()[0])


def descriptors(process):
    """What its open descriptors lead to."""
    folder = pathlib.Path(f"/proc/{process.pid}/fd")
    return [os.readlink(folder / name) for name in os.listdir(folder)]


def wait_until_asleep(agent):
    """Waits until the agent has taken what the clock was told, and sleeps. Returns how long it means
    to, in milliseconds; None: until an event, or it has ended."""
    fifo = os.open(agent.clock, os.O_RDWR | os.O_NONBLOCK)
    try:
        while not has_ended(agent.process):
            left = array.array("i", [0])
            fcntl.ioctl(fifo, termios.FIONREAD, left)
            words = pathlib.Path(f"/proc/{agent.process.pid}/syscall").read_text().split()
            if left[0] == 0 and words[0].isdigit() and int(words[0]) in _EPOLL_CALLS:
                (timeout,) = struct.unpack("i", struct.pack("I", int(words[4], 16) & 0xffffffff))
                return None if timeout < 0 else timeout
            os.sched_yield()
        return None
    finally:
        os.close(fifo)


def come_to_rest(agent):
    """Minutes pass in which nothing happens: whatever rested, or was put off, is done."""
    for _ in range(5):
        agent.advance(60)
        timeout = wait_until_asleep(agent)
        if timeout is None:
            break
    return timeout


# --- strace as the one that makes trouble ---


def injecting(trace, rule, *more):
    """A prefix for the agent: strace as its grandchild (so the agent is ours to wait for) that does
    what rule says, such as "fsync:error=EIO:when=1"."""
    calls = rule.split(":")[0]
    return ["strace", "-D", "-qq", "-o", str(trace), "-e", f"trace={calls}", "-e", f"inject={rule}", *more]


class Injected:
    """The same for an agent that runs already: calls are counted from now on."""

    def __init__(self, process, trace, rule):
        self.process, self.trace = process, trace
        trace.write_text("")
        self.strace = subprocess.Popen(["strace", "-o", trace, "-p", str(process.pid), "-e",
                                        "trace=" + rule.split(":")[0], "-e", "inject=" + rule],
                                       stderr=subprocess.PIPE, text=True)
        assert "attached" in self.strace.stderr.readline()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def has_stopped(self):
        return "stopped by SIGSTOP" in self.trace.read_text()

    def end(self):
        """Lets go of the process; one that is stopped stays so."""
        if self.strace.returncode is None:
            self.strace.terminate()
            self.strace.communicate()


def traced_environment():
    """LeakSanitizer cannot work under ptrace(2)."""
    options = clean_environment().get("ASAN_OPTIONS", "")
    return {"ASAN_OPTIONS": ":".join(filter(None, [options, "detect_leaks=0"]))}


# --- mounts ---


class Mount:
    """with Mount("tmpfs", path, "size=1m"): …"""

    def __init__(self, kind, path, options=""):
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        mount(kind, path, kind, options)

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        unmount(self.path)


class LoopMount(Mount):
    """The same of a file that has a file system in it."""

    def __init__(self, image, path):
        own_mounts()
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-o", "loop", image, path], check=True)


def fill(path):
    """Fills the volume of path to its last byte with this file."""
    with open(path, "wb", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


# --- files ---


def make_with_inode(path, inode, content):
    """Makes a file anew until the file system gives it this inode number again; ext4 gives the lowest
    that is free, so it does so soon. False where it does not."""
    spare = []
    try:
        for attempt in range(100):
            path.write_bytes(content)
            if path.stat().st_ino == inode:
                return True
            spare.append(path.with_name(f".spare-{attempt}"))
            path.rename(spare[-1])
        return False
    finally:
        for name in spare:
            name.unlink()
