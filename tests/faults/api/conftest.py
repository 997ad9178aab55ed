import pytest

from cluster.apiserver import ApiServer
from publish.conftest import *  # noqa: F401,F403
from publish.conftest import Results


@pytest.fixture(scope="module")
def troubled_cluster(tmp_path_factory):
    """An ApiServer of these tests' own, to be frozen, restarted and set back."""
    with ApiServer(tmp_path_factory.mktemp("cluster")) as server:
        yield server


class Clock:
    """An agent's clock, moved until something has come of it."""

    TICK_S = 0.01

    def __init__(self, agent, proxy):
        self.agent, self.proxy = agent, proxy

    def run_until(self, condition, step=1):
        """Returns how many seconds went by on the agent's clock, at least, before the condition held."""
        seconds = 0
        while not condition():
            self.agent.advance(step)
            seconds += step
            self.proxy.wait_for_change(self.TICK_S)
        return seconds

    def run_until_requests(self, n, method="PATCH"):
        """The same until n requests have come."""
        return self.run_until(lambda: len(self.proxy.of(method)) >= n)


@pytest.fixture
def clock(proxy):
    return lambda agent: Clock(agent, proxy)
