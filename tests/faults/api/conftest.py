import os

import pytest

from cluster.apiserver import ApiServer
from faults.api.clock import Clock
from publish.conftest import *  # noqa: F401,F403


@pytest.fixture(scope="module")
def troubled_cluster(tmp_path_factory):
    """An ApiServer of these tests' own, to be frozen, restarted and set back."""
    with ApiServer(tmp_path_factory.mktemp("cluster")) as server:
        yield server


@pytest.fixture
def clock(tmp_path, proxy):
    """The Clock of the one agent of the test."""
    if not (tmp_path / "clock").exists():
        os.mkfifo(tmp_path / "clock")
    clock = Clock(tmp_path / "clock", proxy)
    yield clock
    clock.close()
