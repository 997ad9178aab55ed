"""The agent's clock, a FIFO (lib/loop/loop.h), moved in step with the agent: what nobody has read yet would
come in the midst of something else, such as the seconds that the last report has."""

import array
import fcntl
import os
import termios

TICK_S = 0.005  # what the agent is given to act on a step of its clock, where that matters to nobody


class Clock:
    def __init__(self, path, proxy):
        # Open at both ends, so that a line waits for an agent that is being started.
        self.fifo = os.open(path, os.O_RDWR)
        self.proxy = proxy

    def close(self):
        os.close(self.fifo)

    def _is_read(self):
        n = array.array("i", [0])
        fcntl.ioctl(self.fifo, termios.FIONREAD, n)
        return n[0] == 0

    def advance(self, agent, seconds):
        """Sets the clock of the running agent forward; returns when it has read that."""
        os.write(self.fifo, f"{seconds}\n".encode())
        while not self._is_read():
            assert agent.process.poll() is None, f"the agent ended:\n{agent.log}"
            self.proxy.wait_for_change(TICK_S / 10)

    def pass_time(self, agent, seconds, step=1):
        for _ in range(0, int(seconds), step):
            self.advance(agent, step)
            self.proxy.wait_for_change(TICK_S)

    def run_until(self, agent, condition, step=1):
        """Returns how many seconds went by on the agent's clock, at least, before the condition held."""
        seconds = 0
        while not condition():
            self.pass_time(agent, step, step)
            seconds += step
        return seconds

    def run_until_requests(self, agent, n, method="PATCH"):
        """The same until n requests have come."""
        return self.run_until(agent, lambda: len(self.proxy.of(method)) >= n)
