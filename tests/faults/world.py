"""A followed directory and its agent, which at_call runs: in time of its own, and asked whenever it would
wait for ever. So a life is the same each time, and can be cut at each of its system calls."""

import os
import pathlib
import shutil
import socket
import subprocess

from agent.harness import AGENT, clean_environment

TOOLS = pathlib.Path(os.environ.get("EXPERIMENTS_FAULTS", AGENT.parent.parent / "tests" / "faults")).resolve()
HIT, ASKED, IDLE = b"h", b"a", b"i"
HANGS_S = 60  # no agent computes for so long: it waits for what does not come


class World:
    """What outlives an agent: its directories, and what is still to happen to them."""

    def __init__(self, base, life):
        """life(world) makes what is there at the start, and yields after each further thing that happens."""
        self.base = base
        self.dir = base / "experiments"
        self.results = base / "results"
        self.log = base / "logs" / "agent.log"
        self.clock = base / "logs" / "clock"
        for directory in (self.dir, self.results, self.log.parent):
            directory.mkdir(parents=True)
        os.mkfifo(self.clock)
        self.result = self.results / "job-1.json"
        self.oracle = None
        self.flags = []
        self.run = None
        self.is_over = False
        self.is_whole = True  # no line is begun that has no newline yet
        self._life = life(self)
        next(self._life)

    def go_on(self):
        """The next thing happens; False: that was the last before."""
        self.is_over = self.is_over or next(self._life, self) is self
        return not self.is_over

    def ask_to_end(self):
        """The agent that runs is asked to end; things may go on to happen meanwhile."""
        self.run.is_ended = True
        self.run.process.terminate()

    def check(self):
        self.oracle.check(self.result)

    def remove(self):
        shutil.rmtree(self.base)


class Run:
    """One run of the agent in a world, until it ends."""

    def __init__(self, world, *flags, is_checked=False):
        """flags: of at_call. With --ask, what happens next happens there. is_checked: whenever nothing more
        would happen, the Result is right."""
        self.world = world
        world.run = self
        self.is_checked = is_checked
        self.was_hit = self.is_ended = False
        ours, theirs = socket.socketpair()
        command = [TOOLS / "at_call", "--clock", world.clock, "--driver", str(theirs.fileno()), *flags,
                   AGENT, "--dir", world.dir, "--to", world.results, "--job", "job-1", "--interval", "10ms,10ms",
                   *world.flags]
        environment = clean_environment({"EXPERIMENTS_TEST_CLOCK": str(world.clock)})
        with theirs, open(world.log, "ab") as log:
            self.process = subprocess.Popen(command, stderr=log, env=environment, pass_fds=[theirs.fileno()],
                                            cwd=world.base)
        try:
            with ours:
                self._drive(ours)
        except BaseException as error:
            self.process.kill()
            if isinstance(error, TimeoutError):
                raise AssertionError("the agent hangs") from None
            raise
        finally:
            self.status = self.process.wait()

    def _drive(self, driver):
        driver.settimeout(HANGS_S)
        while question := driver.recv(1):
            if question == HIT:
                self.was_hit = True
                continue
            if question == ASKED:
                self.world.go_on()
            else:
                self._at_rest()
            driver.send(b".")

    def _at_rest(self):
        if self.is_checked and self.world.is_whole:
            self.world.check()
        if self.world.go_on():
            return
        assert not self.is_ended, "the agent does not end on SIGTERM"
        self.is_ended = True
        self.process.terminate()
