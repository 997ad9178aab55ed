"""The real agent under test: starts it, waits for what it publishes by events, never by sleeping."""

import contextlib
import ctypes
import json
import os
import pathlib
import select
import signal
import subprocess
import sys

AGENT = pathlib.Path(os.environ.get("EXPERIMENTS_AGENT", "build/dev/agent/experiments-agent")).resolve()

# A user namespace of its own in which no inotify instance may be made: inotify_init1() then fails
# with EMFILE, as on a node where others have used them up (namespaces(7), /proc/sys/user).
WITHOUT_INOTIFY = ["unshare", "--user", "--map-root-user", "sh", "-c",
                   'echo 0 >/proc/sys/user/max_inotify_instances && exec "$@"', "sh"]

# In a user namespace without a map, root is nobody in particular: mode bits hold for it too.
WITHOUT_PRIVILEGES = ["unshare", "--user"]

_libc = ctypes.CDLL(None, use_errno=True)
_IN_MODIFY, _IN_MOVED_TO, _IN_CREATE = 0x2, 0x80, 0x100


def clean_environment(more=None):
    """Nothing of the caller's environment but what programs and sanitizers need."""
    kept = ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")
    return {"LC_ALL": "C", **{name: os.environ[name] for name in kept if name in os.environ}, **(more or {})}


def wait_for_line(path, process, text):
    """Waits until the log at path, which process writes, holds text."""
    fd = _libc.inotify_init1(os.O_CLOEXEC)
    pidfd = os.pidfd_open(process.pid)
    try:
        assert _libc.inotify_add_watch(fd, os.fsencode(path), _IN_MODIFY) >= 0
        while text not in path.read_text():
            ready, _, _ = select.select([fd, pidfd], [], [])
            assert fd in ready, f"the agent ended: {path.read_text()}"
            os.read(fd, 65536)
    finally:
        os.close(fd)
        os.close(pidfd)


def wait_for_kept(directory, n):
    """Waits until what is kept of this followed directory on disk has n records."""
    fd = _libc.inotify_init1(os.O_CLOEXEC)
    try:
        assert _libc.inotify_add_watch(fd, os.fsencode(directory / ".agent"), _IN_MODIFY) >= 0
        while json.loads(run("state", "--output", "json", directory).stdout)["state"]["fold"]["accepted"] < n:
            os.read(fd, 65536)
    finally:
        os.close(fd)


@contextlib.contextmanager
def files_made(directory):
    """The names of the files that are made in a directory meanwhile; known at the end."""
    names = []
    fd = _libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        assert _libc.inotify_add_watch(fd, os.fsencode(directory), _IN_CREATE) >= 0
        yield names
        with contextlib.suppress(BlockingIOError):
            while events := os.read(fd, 65536):
                while events:
                    size = 16 + int.from_bytes(events[12:16], sys.byteorder)
                    names.append(os.fsdecode(events[16:size].rstrip(b"\0")))
                    events = events[size:]
    finally:
        os.close(fd)


class Directory:
    """Waits for files that are moved into a directory, as the agent publishes them."""

    def __init__(self, path):
        path.mkdir(parents=True, exist_ok=True)
        self.fd = _libc.inotify_init1(os.O_CLOEXEC)
        assert self.fd >= 0
        assert _libc.inotify_add_watch(self.fd, os.fsencode(path), _IN_MOVED_TO) >= 0

    def wait(self):
        os.read(self.fd, 65536)

    def forget(self):
        """What came before is not waited for any more."""
        while select.select([self.fd], [], [], 0)[0]:
            self.wait()

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1


class Agent:
    """One running agent that follows DIR and publishes to a directory beside it."""

    def __init__(self, tmp_path, *flags, env=None, job="job-1", name_job=True, to=True, follow=True,
                 limit_inotify=False, privileged=True, clock=False, prefix=()):
        """clock: its time is set by advance(). prefix: the program, and its arguments, that runs the
        agent in its own process, such as nice or strace -D."""
        self.dir = tmp_path / "experiments"
        self.to = tmp_path / "results"
        self.job = job
        self.log = tmp_path / "agent.log"
        if follow:
            self.dir.mkdir(exist_ok=True)
        self.watch = Directory(self.to)
        arguments = [AGENT, "--dir", self.dir, "--interval", "10ms,10ms"]
        if name_job:
            arguments += ["--job", job]
        if to:
            arguments += ["--to", self.to]
        self.clock = tmp_path / "clock"
        if clock and not self.clock.exists():
            os.mkfifo(self.clock)
        # Open at both ends: to write to it waits for no agent, which may have ended.
        self.clock_fd = os.open(self.clock, os.O_RDWR) if clock else -1
        environment = clean_environment({**({"EXPERIMENTS_TEST_CLOCK": str(self.clock)} if clock else {}), **(env or {})})
        if limit_inotify:
            arguments = [*WITHOUT_INOTIFY, *arguments]
        if not privileged:
            arguments = [*WITHOUT_PRIVILEGES, *arguments]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*prefix, *arguments, *flags], stderr=log, env=environment)

    @property
    def result(self):
        return json.loads((self.to / f"{self.job}.json").read_text())

    @property
    def status(self):
        return self.result["status"]

    def wait_for(self, condition):
        """Waits until the published status fulfils the condition; fails when the agent ends before."""
        while True:
            if (self.to / f"{self.job}.json").exists() and condition(self.status):
                return self.status
            self.wait_for_report()

    def wait_for_report(self):
        """Waits for the next report; the first comes at once when the agent has started."""
        pidfd = os.pidfd_open(self.process.pid)
        try:
            ready, _, _ = select.select([self.watch.fd, pidfd], [], [])
            assert pidfd not in ready, f"the agent ended: {self.log.read_text()}"
            self.watch.wait()
        finally:
            os.close(pidfd)

    def wait_for_log(self, text):
        """Waits until the log holds text."""
        wait_for_line(self.log, self.process, text)

    def wait_for_accepted(self, n):
        return self.wait_for(lambda status: status["agent"]["accepted"] >= n)

    def advance(self, seconds):
        """Sets the agent's clock forward."""
        os.write(self.clock_fd, f"{seconds}\n".encode())

    def stop(self, number=signal.SIGTERM):
        """Stops the agent and returns what it published last."""
        self.process.send_signal(number)
        assert self.process.wait() == 0, self.log.read_text()
        return self.status if (self.to / f"{self.job}.json").exists() else None

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.watch.close()
        if self.clock_fd >= 0:
            os.close(self.clock_fd)
        self.clock_fd = -1


def run(*arguments, env=None, **kwargs):
    """Runs the agent to its end."""
    return subprocess.run([AGENT, *arguments], capture_output=True, text=True, env=clean_environment(env), **kwargs)


def curve(status, name):
    """{x: value} of one metric."""
    column = next(column for column in status["metrics"] if column["name"] == name)
    return dict(zip(status["x"], column["values"]))


def reason(status):
    """The reason of the one condition."""
    (condition,) = status["conditions"]
    return condition["reason"]


def append(path, *lines):
    with open(path, "a") as file:
        file.writelines(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
