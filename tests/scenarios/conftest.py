import pytest

pytest.register_assert_rewrite("agent.harness", "scenarios.oracle", "scenarios.tools")

from agent.harness import Agent

from scenarios.oracle import Oracle


@pytest.fixture
def start(tmp_path):
    """start(*flags, …) starts an agent that ends with the test; again, with the state of the first."""
    agents = []

    def start_agent(*flags, **kwargs):
        agents.append(Agent(tmp_path, *flags, **kwargs))
        return agents[-1]

    yield start_agent
    for agent in agents:
        agent.close()


@pytest.fixture
def oracle():
    return Oracle()
