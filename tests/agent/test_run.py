"""experiments-agent run: to a command, and to whoever started it, it is as if the agent were not there."""

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import textwrap
import time

import pytest

from harness import AGENT, WITHOUT_PRIVILEGES, clean_environment, curve, files_made

PYTHON = sys.executable
NUMBERS = {"TERM": 15, "INT": 2, "HUP": 1, "QUIT": 3, "USR1": 10, "USR2": 12}


# Python for commands: all that comes, in its order; a handler alone may run only when the next thing comes.
LISTEN = """
import os, select, signal, sys
def listen(*numbers):
    '''Each signal of these as its number, each line of standard input as text.'''
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in numbers:
        signal.signal(number, lambda *_: None)
    print("ready", flush=True)
    while True:
        for fd in select.select([reader, 0], [], [])[0]:
            yield from os.read(reader, 1) if fd == reader else [os.read(0, 100).decode().strip()]
"""


@pytest.fixture
def work():
    """A directory to be in, whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory() as directory:
        yield pathlib.Path(directory).resolve()


@pytest.fixture
def start(work):
    """start(*command, flags=…): a command that the agent runs; it ends with the test."""
    with contextlib.ExitStack() as stack:
        def started(*command, flags=(), prefix=(), env=None, **pipes):
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **pipes}
            process = subprocess.Popen([*prefix, AGENT, "run", *flags, "--", *command], cwd=work,
                                       env=clean_environment({"PYTHONUNBUFFERED": "1", **(env or {})}), **pipes)
            stack.enter_context(process)
            stack.callback(lambda: process.poll() is None and process.kill())
            return process
        yield started


def script(text, *arguments):
    """The command that runs this Python."""
    return [PYTHON, "-c", (LISTEN if "listen(" in text else "") + textwrap.dedent(text), *arguments]


def run(work, *command, flags=(), **more):
    options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": clean_environment()}
    return subprocess.run([AGENT, "run", *flags, "--", *command], cwd=work, **{**options, **more})


def results(work, to="experiments"):
    return [json.loads(path.read_text()) for path in sorted((work / to).glob("*.json"))]


def result(work, to="experiments"):
    (one,) = results(work, to)
    return one


def ask_often(path, n=100):
    """The agent has turned its loop at least so many times when this returns."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        lines = client.makefile("r")
        client.sendall(b'{"hello":{"client":"asks"}}\n')
        assert "welcome" in lines.readline()
        for _ in range(n):
            client.sendall(b'{"ping":{}}\n')
            assert "kept" in lines.readline()


# --- a terminal ---

class Terminal:
    """A terminal of a size with a session of its own in it, as a terminal emulator has it."""

    def __init__(self, *command, cwd, env=None, output_is_raw=False):
        self.fd, tty = os.openpty()
        fcntl.ioctl(tty, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
        if output_is_raw:
            settings = termios.tcgetattr(tty)
            settings[1] &= ~termios.OPOST
            termios.tcsetattr(tty, termios.TCSANOW, settings)
        self.before = termios.tcgetattr(tty)
        self.tty = tty
        self.process = subprocess.Popen(command, stdin=tty, stdout=tty, stderr=tty, start_new_session=True, cwd=cwd,
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
                                        env=clean_environment({"TERM": "xterm-256color", "PYTHONUNBUFFERED": "1", **(env or {})}))
        self.output = b""

    def read(self):
        """What comes next; False: nothing will."""
        try:
            more = os.read(self.fd, 65536)
        except OSError:  # EIO: nobody has it open any more
            return False
        self.output += more
        return True

    def wait_for(self, text):
        while text not in self.output:
            assert self.read(), self.output
        return self.output

    def type(self, keys):
        os.write(self.fd, keys)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def end(self):
        """Its exit status, when all of its output has come."""
        pidfd = os.pidfd_open(self.process.pid)
        while pidfd not in select.select([self.fd, pidfd], [], [])[0]:
            self.read()
        os.close(pidfd)
        assert termios.tcgetattr(self.tty)[:6] == self.before[:6], "its settings are as they were"
        os.close(self.tty)
        self.tty = -1
        while self.read():
            pass
        return self.process.wait()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.fd)
        if self.tty >= 0:
            os.close(self.tty)


@pytest.fixture
def terminal(work):
    """terminal(*command): in a terminal; terminal.run(*command): the same with the agent."""
    terminals = []

    def direct(*command, **more):
        terminals.append(Terminal(*command, cwd=work, **more))
        return terminals[-1]

    direct.run = lambda *command, flags=("--to", "results"), prefix=(), **more: direct(*prefix, AGENT, "run", *flags, "--", *command,
                                                                                       **more)
    yield direct
    for one in terminals:
        one.close()


def same_in_a_terminal(terminal, command, **more):
    """The bytes that reach the terminal, which are the same with and without the agent."""
    outputs = []
    for opened in (terminal(*command, **more), terminal.run(*command, **more)):
        assert opened.end() == 0, opened.output
        outputs.append(opened.output)
    assert outputs[0] == outputs[1]
    return outputs[0]


def test_a_terminal_stays_a_terminal(terminal):
    output = same_in_a_terminal(terminal, script("""
        import os, shutil, subprocess, sys, termios
        print([os.isatty(fd) for fd in range(3)], shutil.get_terminal_size(), os.get_terminal_size(2), flush=True)
        print(os.getpgrp() == os.tcgetpgrp(0), termios.tcgetattr(0)[3] == termios.tcgetattr(1)[3], flush=True)
        subprocess.run(["stty", "size"])
        subprocess.run(["stty", "-echo"])
        subprocess.run(["stty", "-a"])
        subprocess.run(["stty", "echo"])
    """))
    assert b"[True, True, True] os.terminal_size(columns=77, lines=33) os.terminal_size(columns=77, lines=33)" in output
    assert b"True True\r\n33 77\r\n" in output and b" -echo " in output


def test_each_output_is_what_it_was(terminal, work):
    """Two of the three may be a terminal."""
    command = script("import os, sys; print([os.isatty(fd) for fd in range(3)]); print('to stderr', file=sys.stderr)")
    for redirection, expected in (("2>err", "[True, True, False]"), (">out", "[True, False, True]"), ("<in", "[False, True, True]")):
        (work / "in").touch()
        opened = terminal("sh", "-c", f'exec "$@" {redirection}', "sh", AGENT, "run", "--to", "results", "--", *command)
        assert opened.end() == 0
        said = (work / "out").read_text() if redirection == ">out" else opened.output.decode()
        assert expected in said
    assert (work / "err").read_text() == "to stderr\n"


@pytest.mark.parametrize("raw", [False, True])
def test_colours_and_a_progress_bar_reach_the_terminal_as_they_are(raw, terminal):
    output = same_in_a_terminal(terminal, script(r"""
        import sys
        for epoch in range(200):
            for percent in range(0, 101, 10):
                sys.stderr.write(f"\rEpoch {epoch}: \x1b[32m{percent:3d}%|" + "█" * (percent // 10) + "\x1b[0m")
            print(f"\x1b[1mepoch {epoch}\x1b[0m loss {1 / (epoch + 1):.4f}\t\x00\xff\r\n\n", flush=True)
    """), output_is_raw=raw)
    assert output.count(b"\x1b[32m") == 2200


def test_tqdm_is_as_it_is_alone_and_is_read(terminal, work):
    output = same_in_a_terminal(terminal, script("""
        from tqdm import tqdm
        for epoch in range(3):
            bar = tqdm(range(50), desc=f"epoch {epoch}", mininterval=0, dynamic_ncols=True,
                       bar_format="{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [loss={postfix}]")
            for step in bar:
                bar.postfix = f"{1 / (1 + epoch + step / 50):.4f}"
            print(f"epoch {epoch} val_loss {1 / (1 + epoch):.4f}", flush=True)
    """))
    assert output.count(b"\r") > 150
    assert curve(result(work, "results")["status"], "val_loss") == {0: 1, 1: 0.5, 2: 0.3333}


def test_a_window_that_changes_its_size(terminal):
    opened = terminal.run(*script("""
        for what in listen(signal.SIGWINCH):
            if what != signal.SIGWINCH:
                break
            print("size", os.get_terminal_size(1), flush=True)
    """))
    opened.wait_for(b"ready")
    opened.resize(50, 120)
    opened.wait_for(b"size os.terminal_size(columns=120, lines=50)")
    opened.type(b"\n")
    assert opened.end() == 0


COUNTS_INTERRUPTS = """
    count = 0
    for what in listen(signal.SIGINT, signal.SIGUSR1):
        if what == signal.SIGINT:
            count += 1
            print("interrupted", flush=True)
        elif what == signal.SIGUSR1:
            print("count", count, flush=True)
        else:
            sys.exit(int(what))
"""


def test_ctrl_c_reaches_it_once_and_what_is_typed_reaches_it(terminal):
    """A signal that comes after is passed on after: had there been a second one, it would have come before."""
    opened = terminal.run(*script(COUNTS_INTERRUPTS))
    opened.wait_for(b"ready")
    for n in (1, 2):
        opened.type(b"\x03")
        while opened.output.count(b"interrupted") < n:
            assert opened.read()
        opened.process.send_signal(signal.SIGUSR1)
        opened.wait_for(b"count %d" % n)
    opened.type(b"5\n")
    assert opened.end() == 5


def test_ctrl_c_ends_what_does_not_take_it(terminal, work):
    opened = terminal.run(*script("import signal; signal.signal(2, signal.SIG_DFL); print('ready'); signal.pause()"))
    opened.wait_for(b"ready")
    opened.type(b"\x03")
    assert opened.end() == 130
    assert result(work, "results")["status"]["attempt"]["exitCode"] == 130


# The first of the two that arrives, as an exit status: that of the process which sent the second one is sure to arrive.
SAYS_WHICH_CAME_FIRST = """
import os, signal, sys
first, second, has_own_group = int(sys.argv[1]), signal.SIGUSR1, int(sys.argv[2])
if has_own_group:
    os.setpgid(0, 0)
signal.pthread_sigmask(signal.SIG_BLOCK, {first, second})
print("ready", flush=True)
os._exit(100 + signal.sigwait({first, second}))
"""


@pytest.mark.parametrize("key, shown, number", [(b"\x03", b"^C", 2), (b"\x1c", b"^\\", 3)])
def test_ctrl_c_reaches_it_in_a_group_of_its_own(key, shown, number, terminal):
    """As of timeout(1), which alone would be the job that the terminal signals."""
    opened = terminal.run(*script(SAYS_WHICH_CAME_FIRST, str(number), "1"))
    opened.wait_for(b"ready")
    opened.type(key)
    opened.wait_for(shown)  # which the terminal shows when it has sent the signal
    opened.process.send_signal(signal.SIGUSR1)
    assert opened.end() == 100 + number


def test_ctrl_c_reaches_all_of_its_group(terminal):
    """What it has started itself, too; what else is passed on is its own alone, and here it sends that on itself."""
    opened = terminal.run(*script("""
        import os, signal
        os.setpgid(0, 0)
        signal.pthread_sigmask(signal.SIG_BLOCK, {2, 10})
        child = os.fork()
        if child == 0:
            print("ready", flush=True)
            os._exit(100 + signal.sigwait({2, 10}))
        signal.sigwait({10})
        os.kill(child, 10)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """))
    opened.wait_for(b"ready\r\n")
    opened.type(b"\x03")
    opened.wait_for(b"^C")
    opened.process.send_signal(signal.SIGUSR1)
    assert opened.end() == 102


@pytest.mark.parametrize("has_agent", [False, True])
def test_when_the_terminal_hangs_up_it_learns_it(has_agent, terminal):
    """The kernel tells the leader of the session alone, which the command itself would be."""
    opened = (terminal.run if has_agent else terminal)(*script(SAYS_WHICH_CAME_FIRST, "1", "0"))
    opened.wait_for(b"ready\r\n")
    os.close(opened.fd)
    opened.fd = os.open(os.devnull, os.O_RDONLY)
    opened.process.send_signal(signal.SIGUSR1)
    assert opened.process.wait() == 100 + signal.SIGHUP


def test_as_a_job_of_a_shell_it_stops_and_goes_on(terminal):
    """Ctrl-Z, fg, and the end: a shell's wait(2) sees of the agent what it would see of the command."""
    shell = terminal(*script("""
        import os, signal, subprocess, sys
        def take_the_foreground():  # before it runs, as shells do
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            os.tcsetpgrp(0, os.getpgrp())
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        job = subprocess.Popen(sys.argv[1:], process_group=0, preexec_fn=take_the_foreground)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        status = os.waitpid(job.pid, os.WUNTRACED)[1]
        os.tcsetpgrp(0, os.getpgrp())
        print("stopped by", os.WSTOPSIG(status) if os.WIFSTOPPED(status) else status, flush=True)
        os.tcsetpgrp(0, job.pid)
        os.killpg(job.pid, signal.SIGCONT)
        status = os.waitpid(job.pid, os.WUNTRACED)[1]
        os.tcsetpgrp(0, os.getpgrp())
        print("exit", os.waitstatus_to_exitcode(status), flush=True)
    """), AGENT, "run", "--to", "results", "--", *script("""
        for what in listen(signal.SIGCONT):
            if what == "end":
                break
            print("goes on", flush=True)
    """))
    shell.wait_for(b"ready")
    shell.type(b"\x1a")
    shell.wait_for(b"stopped by 20")
    shell.wait_for(b"goes on")
    shell.type(b"end\n")
    shell.wait_for(b"exit 0")
    assert shell.end() == 0


# --- bytes ---

def test_every_byte_is_passed_on_untouched(start):
    """100 MB of what no line and no text is, in writes of all sizes."""
    process = start(*script("""
        import hashlib, os, random
        chance, digest, left = random.Random(1), hashlib.sha256(), 100_000_000
        block = chance.randbytes(200_000)
        while left > 0:
            size = min(left, chance.choice((1, 100, 4096, 65536, 200_000)))
            digest.update(block[:size])
            view = memoryview(block)[:size]
            while view:
                view = view[os.write(1, view):]
            left -= size
        os.write(2, digest.hexdigest().encode())
    """), flags=("--to", "results"), stdin=subprocess.DEVNULL)
    digest = hashlib.sha256()
    while data := process.stdout.read1(1 << 20):
        digest.update(data)
    assert process.stderr.read().decode() == digest.hexdigest()
    assert process.wait() == 0


def test_stdout_and_stderr_stay_two(work):
    done = run(work, "sh", "-c", "echo epoch 1 loss 0.5; echo epoch 1 accuracy 0.9 >&2", flags=("--to", "results"))
    assert (done.stdout, done.stderr) == (b"epoch 1 loss 0.5\n", b"epoch 1 accuracy 0.9\n")
    status = result(work, "results")["status"]
    assert curve(status, "loss") == {1: 0.5} and curve(status, "accuracy") == {1: 0.9}


def test_where_they_are_one_their_order_is_kept(work):
    """As with 2>&1 into a log."""
    done = run(work, *script("import os\nfor i in range(20000): os.write(1 + i % 2, b'%d\\n' % i)"), flags=("--to", "results"),
               stderr=subprocess.STDOUT)
    assert done.stdout == b"".join(b"%d\n" % i for i in range(20000))


def test_a_line_without_an_end_is_passed_on_and_read(work):
    done = run(work, "printf", '{"epoch": 1, "loss": 0.5}\n{"epoch": 2, "loss": 0.25}', flags=("--to", "results"))
    assert done.stdout.endswith(b"0.25}")
    assert curve(result(work, "results")["status"], "loss") == {1: 0.5, 2: 0.25}


def test_standard_input_is_the_commands_own(start):
    process = start("cat", flags=("--to", "results"))
    data = os.urandom(3_000_000)
    assert process.communicate(data)[0] == data


# --- waiting ---

WRITES_AND_COUNTS = """
    import mmap, os, struct, sys
    count = mmap.mmap(os.open(sys.argv[1], os.O_RDWR), 8)
    written = 0
    while written < 64 << 20:
        written += os.write(1, bytes(16384))
        count[:] = struct.pack("q", written)
"""


# A pipe or terminal cannot be opened once more, as after su(1) to another user: /proc/self/fd is empty.
WITHOUT_REOPENING = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
                     'mount -t tmpfs none /proc/$$/fd && exec "$@"', "sh"]


@pytest.mark.parametrize("prefix", [[], WITHOUT_REOPENING], ids=["", "without_reopening"])
@pytest.mark.parametrize("kind", ["pipe", "terminal", "socket"])
def test_what_is_not_read_the_command_waits_for(kind, prefix, start, terminal, work):
    """Meanwhile the agent answers its socket, so that it has had every chance to read on."""
    (work / "count").write_bytes(bytes(8))
    flags, command = ("--to", "results", "--dir", "followed"), script(WRITES_AND_COUNTS, "count")
    ours, theirs = socket.socketpair()
    if kind == "terminal":
        opened = terminal.run(*command, flags=flags, prefix=prefix)
        process, fd = opened.process, opened.fd
    else:
        process = start(*command, flags=flags, prefix=prefix, **({"stdout": theirs} if kind == "socket" else {}))
        fd = ours.fileno() if kind == "socket" else process.stdout.fileno()
    theirs.close()
    read = 0
    while read < 1 << 20:
        read += len(os.read(fd, 65536))
    ask_often(work / "followed" / "agent.sock")
    written, = struct.unpack("q", (work / "count").read_bytes())
    assert 1 << 20 <= written < 2 << 20  # what is under way: buffers of the kernel, and one of ours
    while read < 64 << 20:
        read += len(os.read(fd, 1 << 20))
    assert process.wait() == 0
    ours.close()


def test_a_log_that_nobody_reads_is_not_waited_for(start, work):
    """Standard error is full, and the agent has something to say there."""
    reader, writer = os.pipe()
    process = start(*script("""
        for line in listen():
            print(line, flush=True)
            if line == "end":
                break
    """), flags=("--to", "results", "--dir", "followed"), stderr=writer)
    assert process.stdout.readline() == b"ready\n"
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.set_blocking(writer, True)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(work / "followed" / "agent.sock"))
        client.sendall(b'{"epoch": none}\n')
        assert b"malformed" in client.recv(1000)
    ask_often(work / "followed" / "agent.sock", 10)
    assert process.communicate(b"end\n")[0] == b"end\n"
    assert process.returncode == 0
    os.close(reader)
    os.close(writer)


def test_what_we_share_with_others_is_not_set_to_nonblocking(start):
    reader, writer = os.pipe()
    process = start(*script("print('ready'); input()"), flags=("--to", "results"), stdout=writer)
    assert os.read(reader, 5) == b"ready"
    assert not fcntl.fcntl(writer, fcntl.F_GETFL) & os.O_NONBLOCK
    process.communicate(b"\n")
    assert process.returncode == 0
    os.close(reader)
    os.close(writer)


# --- an end of one side ---

def test_when_nobody_reads_any_more_the_command_learns_it(work):
    done = subprocess.run(["bash", "-c", 'set -o pipefail; "$@" | head -n 1', "bash", AGENT, "run", "--to", "results", "--", "yes"],
                          cwd=work, capture_output=True, env=clean_environment(), stdin=subprocess.DEVNULL)
    assert (done.stdout, done.stderr) == (b"y\n", b"")
    assert result(work, "results")["status"]["attempt"]["exitCode"] == 128 + signal.SIGPIPE


def test_a_reader_that_leaves_is_noticed_before_the_next_write(start, work):
    process = start(*script("""
        import os, sys
        print("ready")
        sys.stdin.readline()
        try:
            os.write(1, b"x")
        except BrokenPipeError:
            sys.exit(9)
    """), flags=("--to", "results", "--dir", "followed"))
    assert process.stdout.readline() == b"ready\n"
    process.stdout.close()
    ask_often(work / "followed" / "agent.sock", 10)
    process.stdin.write(b"\n")
    process.stdin.close()
    assert process.wait() == 9


def test_an_output_that_cannot_be_written_to_is_told_and_closed(work):
    with open("/dev/full", "wb") as full:
        done = run(work, "yes", flags=("--to", "results"), stdout=full)
    assert b"stdout cannot be written to: No space left on device" in done.stderr
    assert done.returncode == 128 + signal.SIGPIPE


def test_an_output_that_may_not_grow_is_told_and_closed(work):
    """The limit is that of the command, which alone gets SIGXFSZ or EFBIG; it does not end the agent."""
    command = ["sh", "-c", 'grep SigIgn /proc/self/status >&2; exec "$@"', "sh", *script("""
        import os
        try:
            while True:
                os.write(1, b"x" * 4096)
        except OSError:
            os._exit(4)
    """)]
    limited = ["bash", "-c", 'ulimit -f 64; exec "$@"', "bash"]
    told = []
    for name, words in (("alone", ()), ("ours", (AGENT, "run", "--to", "results", "--"))):
        with open(work / name, "wb") as output:
            done = subprocess.run([*limited, *words, *command], cwd=work, env=clean_environment(), stdin=subprocess.DEVNULL,
                                  stdout=output, stderr=subprocess.PIPE, text=True)
        assert done.returncode == 4, done.stderr
        told.append(done.stderr)
        assert (work / name).stat().st_size == 65536
    assert told[1].startswith(told[0]) and "stdout cannot be written to: File too large" in told[1]
    assert result(work, "results")["status"]["attempt"]["exitCode"] == 4


def test_who_writes_to_its_input_learns_that_it_was_closed(start):
    process = start(*script("""
        import os, signal
        os.close(0)
        print("closed", flush=True)
        signal.pause()
    """), flags=("--to", "results"))
    assert process.stdout.readline() == b"closed\n"
    with pytest.raises(BrokenPipeError):
        os.write(process.stdin.fileno(), b"more")
    process.terminate()
    assert process.wait() == 143


def test_the_end_of_its_output_is_the_end_of_ours(start):
    process = start(*script("import os, sys; print('last'); os.close(1); sys.exit(int(input()))"), flags=("--to", "results"))
    assert process.stdout.read() == b"last\n"
    assert process.communicate(b"4\n")[0] == b""
    assert process.returncode == 4


@pytest.mark.parametrize("writes", [False, True])
def test_processes_that_it_leaves_behind_hold_nothing_up(writes, start):
    process = start("sh", "-c", f"{'yes' if writes else 'sleep 3600'} & echo $! >&2", flags=("--to", "results"))
    pid = int(process.stderr.readline())
    try:
        while process.stdout.read1():
            pass
        assert process.stderr.read() == b"" and process.wait() == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def end_with_output_left(start, work, **more):
    """A run whose command has ended with exit status 3; all that it wrote fits into what is under way."""
    process = start(*script("import os, sys; os.write(2, b'%d\\n' % os.getpid()); os.write(1, bytes(150_000)); sys.exit(3)"),
                    flags=("--to", "results", "--dir", "followed"), **more)
    pidfd = os.pidfd_open(int(process.stderr.readline()))
    select.select([pidfd], [], [])
    os.close(pidfd)
    ask_often(work / "followed" / "agent.sock", 10)
    return process


def test_what_nobody_takes_of_an_ended_command_is_not_waited_for_after_a_signal(start, work):
    process = end_with_output_left(start, work)
    process.terminate()
    assert process.wait() == 3


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_signals_that_are_ignored_end_nothing(number, start, work):
    """With nohup, and in the background of a shell script."""
    process = end_with_output_left(start, work, prefix=["bash", "-c", 'trap "" HUP INT; exec "$@"', "bash"])
    process.send_signal(number)
    ask_often(work / "followed" / "agent.sock", 10)
    assert len(process.stdout.read()) == 150_000
    assert process.wait() == 3


def test_when_the_agent_is_killed_the_command_learns_it_with_its_next_write(start, work):
    process = start(*script("""
        import os, sys
        print(os.getpid())
        sys.stdin.readline()
        try:
            os.write(1, b"x")
        except BrokenPipeError:
            os.write(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), b"told")
    """, "told"), flags=("--to", "results"))
    pidfd = os.pidfd_open(int(process.stdout.readline()))
    process.kill()
    process.wait()
    process.stdin.write(b"\n")
    process.stdin.close()
    select.select([pidfd], [], [])
    os.close(pidfd)
    assert (work / "told").read_text() == "told"


def test_the_same_of_a_terminal_is_an_error_of_it(terminal, work):
    opened = terminal.run(*script("""
        import os, select, signal, sys
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # here the agent leads the session; below a shell it does not
        agent = os.pidfd_open(os.getppid())
        print("ready", os.getpid(), flush=True)
        select.select([agent], [], [])
        try:
            os.write(1, b"x")
        except OSError as error:
            os.write(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), os.strerror(error.errno).encode())
    """, "told"))
    opened.wait_for(b"\n")
    pidfd = os.pidfd_open(int(opened.output.split()[1]))
    opened.process.kill()
    select.select([pidfd], [], [])
    os.close(pidfd)
    assert (work / "told").read_text() == "Input/output error"


# --- exit status and signals ---

@pytest.mark.parametrize("command, status", [("exit 0", 0), ("exit 3", 3), ("exit 255", 255), ("kill -TERM $$", 143),
                                             ("kill -KILL $$", 137), ("kill -SEGV $$", 139)])
def test_the_exit_status_is_the_commands(command, status, work):
    done = run(work, "sh", "-c", command, flags=("--to", "results"))
    assert (done.returncode, done.stdout, done.stderr) == (status, b"", b"")
    said = result(work, "results")["status"]
    assert said["attempt"]["exitCode"] == status
    assert said["attempt"]["reason"] == ("Error" if status else "Completed")
    assert said["phase"] == ("Failed" if status else "Succeeded")
    assert "completionTime" in said


def test_what_cannot_be_run(work):
    (work / "text").write_text("no program")
    (work / "bad").write_text("#!/no/such/interpreter\n")
    (work / "bad").chmod(0o755)
    assert run(work, "no-such-command").returncode == 127
    assert run(work, "").returncode == 127
    assert run(work, "./no-such-command").returncode == 127
    assert run(work, "./text").returncode == 126
    assert run(work, ".").returncode == 126
    assert not (work / "experiments").exists(), "nothing is made for what does not run"
    assert run(work, "./bad").returncode == 127
    assert not list((work / "experiments").glob("*.json")) and not list((work / "experiments").glob(".*"))
    assert run(work).returncode == 2


def test_signals_are_passed_on(start):
    process = start(*script("""
        for what in listen(15, 2, 1, 3, 10, 12, 18):
            if what == "end":
                sys.exit(7)
            print(what, flush=True)
    """), flags=("--to", "results"))
    assert process.stdout.readline() == b"ready\n"
    for number in (*NUMBERS.values(), signal.SIGCONT):
        process.send_signal(number)
        assert int(process.stdout.readline()) == number
    process.communicate(b"end\n")
    assert process.returncode == 7


def test_what_a_process_inherits_is_as_without_us(work):
    """Signals blocked and ignored, limits, descriptors, the file mode mask, the process group and niceness."""
    command = script("""
        import os, re, resource
        print(re.findall(r"Sig(?:Blk|Ign).*", open("/proc/self/status").read()), resource.getrlimit(resource.RLIMIT_NOFILE))
        print(sorted(fd for fd in range(200) if os.path.exists(f"/proc/self/fd/{fd}")))
        print(os.umask(0), os.getpgrp() == int(os.environ["GROUP"]), os.nice(0), sorted(os.environ.keys() - {"EXPERIMENTS_DIR", "EXPERIMENTS_SOCKET"}))
    """)
    prefix = ["bash", "-c", 'trap "" HUP USR2; ulimit -Sn 200; umask 027; export GROUP=$$; exec "$@"', "bash"]
    direct, ours = (subprocess.run([*prefix, *words, *command], cwd=work, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                                   env=clean_environment(), process_group=0)
                    for words in ((), (AGENT, "run", "--to", "results", "--")))
    assert (ours.returncode, ours.stdout, ours.stderr) == (0, direct.stdout, "")
    assert "(200, " in ours.stdout and f"\n[0, 1, 2]\n23 True {os.nice(0)} [" in ours.stdout


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/null 2>&-"])
def test_standard_descriptors_that_are_closed_stay_closed(closed, work):
    expected = {"<&-": ["1", "2"], ">&-": ["0", "2"], "2>&-": ["0", "1"], "<&- >&- 2>&-": [], ">/dev/null 2>&-": ["0", "1"]}[closed]
    shell = f'exec "$@" {closed}'
    done = subprocess.run(["bash", "-c", shell, "bash", AGENT, "run", "--to", "results", "--", "bash", "-c",
                           'for fd in 0 1 2; do [ -e /proc/$$/fd/$fd ] && all="$all $fd"; done; echo "$all" 9>open >&9 2>/dev/null; exit 3'],
                          cwd=work, env=clean_environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 3
    assert (work / "open").read_text().split() == expected


def test_as_process_1_of_a_container(work):
    """Orphans come to us, and are not left as zombies; the exit status is that of the command."""
    done = run(work, "sh", "-c", """
        orphan=$(sh -c 'sh -c "exit 5" >/dev/null & echo $!')
        while kill -0 $orphan 2>/dev/null; do :; done
        exit 6
    """, flags=("--to", "results"), env=clean_environment())
    assert done.returncode == 6
    done = subprocess.run(["unshare", "--user", "--map-root-user", "--pid", "--fork", AGENT, "run", "--to", "results", "--job", "one", "--",
                           "sh", "-c", """
                               orphan=$(sh -c 'sh -c "exit 5" >/dev/null & echo $!')
                               while kill -0 $orphan 2>/dev/null; do :; done
                               exit 6
                           """], cwd=work, capture_output=True, env=clean_environment(), stdin=subprocess.DEVNULL)
    assert done.returncode == 6, done.stderr


# --- the Result ---

def test_with_nothing_said_the_result_is_a_file_here(work):
    (work / "my_Train.v2.py").write_text('print("epoch 1 loss 0.5")\n')
    done = run(work, PYTHON, "my_Train.v2.py")
    status = result(work)["status"]
    name = result(work)["metadata"]["name"]
    assert re.fullmatch(r"my-train-v2-\d{8}-\d{6}", name)
    assert done.stderr.decode() == (f"experiments-agent: the Result is experiments/{name}.json; look at it with: "
                                    f"experiments-agent state experiments/{name}\n")
    assert curve(status, "loss") == {1: 0.5}
    looked = subprocess.run([AGENT, "state", f"experiments/{name}"], cwd=work, capture_output=True, text=True)
    assert "loss" in looked.stdout and "Succeeded" in looked.stdout


@pytest.mark.parametrize("command, stem", [
    (["true"], "true"),
    (["sh", "-c", "exit 0"], "sh"),
    (["./Fine_Tune.sh"], "fine-tune"),
    (["env", "A=1", "sh", "Fine_Tune.sh"], "fine-tune"),
    (["python3", "-m", "my.pkg.pre_train"], "pre-train"),
    (["env", "--", "true"], "env"),
    (["./___"], "run"),
    (["./" + "x" * 200 + ".sh"], "x" * 40),
])
def test_a_run_is_named_after_its_command(command, stem, work):
    for name in ("Fine_Tune.sh", "___", "x" * 200 + ".sh", "python3"):
        (work / name).write_text("#!/bin/sh\n")
        (work / name).chmod(0o755)
    done = run(work, *command, env=clean_environment({"PATH": f"{work}:{os.environ['PATH']}"}))
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(stem + r"-\d{8}-\d{6}", result(work)["metadata"]["name"])


@pytest.mark.parametrize("flags", [(), ("--dir", "followed", "--state", "state")])
def test_runs_that_start_together_have_names_of_their_own(flags, start, work):
    processes = []
    for i in range(8):
        own = tuple(f"{flag}{i}" if not flag.startswith("--") else flag for flag in flags)
        processes.append(start("true", flags=own))
    for process in processes:
        process.communicate()
        assert process.returncode == 0
    names = {one["metadata"]["name"] for one in results(work)}
    assert len(names) == 8 and all(re.fullmatch(r"true-\d{8}-\d{6}(-\d+)?", name) for name in names)


def test_a_name_that_is_taken_is_not_touched(work):
    """The agent that has it may be writing its file anew, beside it."""
    (work / "results").mkdir()
    now = time.time()
    taken = [time.strftime("true-%Y%m%d-%H%M%S", time.gmtime(now + s)) for s in range(600)]
    for name in taken:
        (work / "results" / f"{name}.json").touch()
    with files_made(work / "results") as names:
        assert run(work, "true", flags=("--to", "results"), env=clean_environment({"TZ": "UTC0"})).returncode == 0
    assert names and all(re.fullmatch(r"\.true-\d{8}-\d{6}-2\.tmp", name) for name in names)


REPORTS = """
    import os, socket
    with open(os.path.join(os.environ["EXPERIMENTS_DIR"], "metrics.jsonl"), "w") as file:
        file.write('{"epoch": 1, "in_file": 0.1}\\n')
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(os.environ["EXPERIMENTS_SOCKET"])
        client.sendall(b'{"epoch": 1, "in_socket": 0.2}\\n')
    print("epoch 1 in_output_loss 0.3")
"""


@pytest.mark.parametrize("flags", [("--to", "results"), ("--to", "results", "--dir", "followed"), ("--to", "results", "--socket", "s")])
def test_files_and_socket_are_where_the_environment_says(flags, work):
    done = run(work, *script("import os; os.chdir('/')" + textwrap.dedent(REPORTS)), flags=flags)
    assert done.returncode == 0, done.stderr
    status = result(work, "results")["status"]
    for name, value in (("in_file", 0.1), ("in_socket", 0.2), ("in_output_loss", 0.3)):
        assert curve(status, name) == {1: value}


@pytest.mark.parametrize("temporary", ["{work}", "{work}/none", "", "."])
def test_where_the_path_is_too_long_for_a_socket_it_is_elsewhere(temporary, work):
    deep = work / ("d" * 100)
    deep.mkdir()
    done = run(deep, *script(REPORTS + """
    path = os.environ["EXPERIMENTS_SOCKET"]
    print(path, oct(os.stat(os.path.dirname(path)).st_mode))
    """), flags=("--to", "results"), env=clean_environment({"TMPDIR": temporary.format(work=work)}))
    assert done.returncode == 0 and done.stderr == b"", done.stderr
    assert curve(result(deep, "results")["status"], "in_socket") == {1: 0.2}
    path, mode = done.stdout.decode().splitlines()[-1].split()
    assert len(path) < 108 and mode == "0o40700"
    assert os.path.dirname(os.path.dirname(path)) == (str(work) if temporary == "{work}" else "/tmp")
    assert not os.path.exists(os.path.dirname(path)), "it is taken away"


def test_a_run_in_a_run_has_a_result_of_its_own(work):
    done = run(work, AGENT, "run", "--job", "inner", "--to", "results", "--", *script(REPORTS), flags=("--job", "outer", "--to", "results"))
    assert done.returncode == 0 and done.stderr == b"", done.stderr
    outer, = [one for one in results(work, "results") if one["metadata"]["name"] == "outer"]
    inner, = [one for one in results(work, "results") if one["metadata"]["name"] == "inner"]
    assert curve(inner["status"], "in_socket") == {1: 0.2} and curve(inner["status"], "in_file") == {1: 0.1}
    assert curve(outer["status"], "in_output_loss") == {1: 0.3}


def test_runs_that_start_together_do_not_meet_in_one_directory(work):
    """Both may find that no agent is there yet; then one would end without having run its command."""
    (work / "shared").mkdir()
    first = os.open(work / "shared", os.O_RDONLY)  # is where another run is that starts, and has not come to its state yet
    fcntl.flock(first, fcntl.LOCK_EX)
    environment = clean_environment({"EXPERIMENTS_DIR": str(work / "shared")})
    for is_busy in (True, False):
        done = run(work, *script("import os; print(os.environ['EXPERIMENTS_DIR'])"), env=environment)
        assert done.returncode == 0, done.stderr
        assert pathlib.Path(done.stdout.decode().strip()).parent == (work / "experiments" if is_busy else work)
        assert (work / "shared" / ".agent").exists() != is_busy
        fcntl.flock(first, fcntl.LOCK_UN)


def test_started_anew_what_it_says_counts_from_where_it_begins(work):
    flags = ("--to", "results", "--job", "again")
    run(work, "sh", "-c", "for i in 1 2 3; do echo epoch $i loss 0.$i; done; exit 1", flags=flags)
    run(work, "sh", "-c", "for i in 2 3 4; do echo epoch $i loss 0.${i}5; done", flags=flags)
    status = result(work, "results")["status"]
    assert curve(status, "loss") == {1: 0.1, 2: 0.25, 3: 0.35, 4: 0.45}
    assert status["phase"] == "Succeeded" and status["attempt"]["exitCode"] == 0


def test_started_anew_a_stop_of_before_does_not_stop_it(work):
    """Who still wants it says so in the Result, and it comes again."""
    flags = ("--to", "results", "--job", "again", "--dir", "followed")
    command = script("import os; print('epoch 1 loss 0.1', os.path.exists(os.environ['EXPERIMENTS_DIR'] + '/stop'))")
    for _ in range(2):
        assert run(work, *command, flags=flags).stdout == b"epoch 1 loss 0.1 False\n"
        (work / "followed" / "stop").write_text("worse than the median\n")


def test_why_there_is_no_curve(work):
    run(work, "echo", "nothing of a training", flags=("--to", "results"))
    condition, = result(work, "results")["status"]["conditions"]
    assert condition["reason"] == "NothingRecognized"
    assert condition["message"].startswith("what the command printed was looked at: no metrics were found; write lines like")
    run(work, "true", flags=("--to", "silent"))
    assert result(work, "silent")["status"]["conditions"][0]["reason"] == "NoMetricsFile"


def test_only_index_0_publishes_and_all_run(work):
    done = run(work, "sh", "-c", "echo epoch 1 loss 0.5; exit 4", flags=("--to", "results"),
               env=clean_environment({"JOB_COMPLETION_INDEX": "1"}))
    assert (done.returncode, done.stdout) == (4, b"epoch 1 loss 0.5\n")
    assert results(work, "results") == []


def test_in_a_pod_whose_job_is_not_named_it_runs_all_the_same(work):
    done = run(work, "true", env=clean_environment({"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "1"}))
    assert done.returncode == 0
    assert result(work)["status"]["phase"] == "Succeeded"


def test_in_a_pod_whose_own_files_cannot_be_written_its_directory_is_elsewhere(start, work):
    here = work / "readonly"
    here.mkdir(0o555)
    (work / "tmp").mkdir(0o777)
    command = script("import os; print(os.environ['EXPERIMENTS_DIR'], os.environ['EXPERIMENTS_SOCKET'])")
    flags = ("--server", "http://127.0.0.1:1", "--job", "j", "--grace", "10ms")
    done = subprocess.run([*WITHOUT_PRIVILEGES, AGENT, "run", *flags, "--", *command], cwd=here, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, env=clean_environment({"TMPDIR": str(work / "tmp")}))
    assert done.returncode == 0, done.stderr
    directory, socket_path = done.stdout.split()
    assert pathlib.Path(directory).parent == work / "tmp" and socket_path == f"{directory}/agent.sock"


# --- use ---

def test_install(work):
    assert run(work, flags=("--install", "shared")).returncode == 0
    installed = work / "shared" / "experiments-agent"
    assert installed.read_bytes() == AGENT.read_bytes() and installed.stat().st_mode & 0o7777 == 0o755
    assert os.listdir(work / "shared") == ["experiments-agent"]
    with subprocess.Popen([installed, "run", "--to", "results", "--", "cat"], cwd=work, stdin=subprocess.PIPE, env=clean_environment()) as old:
        assert run(work, flags=("--install", "shared")).returncode == 0, "over one that runs"
        old.communicate(b"")
    assert old.returncode == 0


def test_install_says_what_is_wrong(work):
    (work / "file").touch()
    done = run(work, flags=("--install", "file"))
    assert done.returncode == 1 and b"file: Not a directory" in done.stderr
    done = run(work, "true", flags=("--install", "shared"))
    assert done.returncode == 2 and not (work / "shared").exists()


@pytest.mark.parametrize("value", ["TRM", "0", "65", "-1", "SIG", ""])
def test_a_stop_signal_that_is_none(value, work):
    done = run(work, "true", flags=("--stop-signal", value))
    assert done.returncode == 2 and b"--stop-signal: expected a signal such as TERM, SIGUSR1 or 10" in done.stderr


def test_flags_of_run_are_of_run(work):
    done = subprocess.run([AGENT, "--install", "x"], capture_output=True, text=True, cwd=work)
    assert done.returncode == 2 and "--install: no such flag" in done.stderr
    done = subprocess.run([AGENT, "run", "--help"], capture_output=True, text=True, cwd=work)
    assert done.returncode == 0 and "--stop-signal SIGNAL" in done.stdout and "Exit status: that of COMMAND" in done.stdout
