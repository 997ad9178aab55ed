import pytest

from agent.harness import Agent


@pytest.fixture
def start(tmp_path):
    """start(*flags) starts an agent that ends with the test."""
    agents = []

    def start_agent(*flags, **kwargs):
        agents.append(Agent(tmp_path, *flags, **kwargs))
        return agents[-1]

    yield start_agent
    for agent in agents:
        agent.close()
