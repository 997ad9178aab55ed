"""Programs with the C reporter in them, and an agent for them to talk to: the real one, or the test itself."""

import pathlib
import shutil
import subprocess
import tempfile

import pytest

from agent.harness import Agent
from c_programs import SANITIZE, Driver, compile_with
from fakes import FakeAgent


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """programs(NAME, *flags): the path of it, built once."""
    built, folder = {}, tmp_path_factory.mktemp("programs")

    def build(name, *flags, compiler="gcc"):
        key = name, flags, compiler
        if key not in built:
            built[key] = compile_with(folder / str(len(built)), name, *flags, compiler=compiler)
        return built[key]

    return build


@pytest.fixture
def short():
    """A directory whose path leaves room for a socket's."""
    with tempfile.TemporaryDirectory() as directory:
        yield pathlib.Path(directory)


@pytest.fixture
def drive(programs, short):
    """drive(**environment): a driver of the agent in `short`, with sanitizers."""
    drivers = []

    def start(*flags, prefix=(), sanitize=True, **environment):
        program = programs("driver.c", *(SANITIZE if sanitize else []), *flags)
        drivers.append(Driver(program, {"EXPERIMENTS_DIR": str(short), **environment}, prefix))
        return drivers[-1]

    yield start
    for driver in drivers:
        driver.close()


@pytest.fixture
def start_agent(tmp_path, short):
    """start_agent(): the real agent, listening in `short`; the next one takes up what the one before has left."""
    agents = []

    def start():
        agents.append(Agent(tmp_path, "--socket", short / "agent.sock", "--verbose"))
        agents[-1].log.write_text("")
        agents[-1].wait_for_log("listening")
        return agents[-1]

    yield start
    for agent in agents:
        agent.close()


@pytest.fixture
def fake(short):
    agent = FakeAgent(short / "agent.sock")
    yield agent
    agent.close()


@pytest.fixture(scope="session")
def locales(tmp_path_factory):
    """Locales whose decimal point is no point, made for the tests: the environment with them."""
    folder = tmp_path_factory.mktemp("locales")
    assert shutil.which("localedef")
    for name in ("de_DE", "fa_IR"):
        subprocess.run(["localedef", "-i", name, "-f", "UTF-8", folder / f"{name}.UTF-8"], check=True, capture_output=True)
    return {"LOCPATH": str(folder)}
