import pytest

from cluster.fixtures import *  # noqa: F401,F403
from cluster.apiserver import ApiServer


@pytest.fixture(scope="module")
def troubled_cluster(tmp_path_factory):
    """An ApiServer of these tests' own, to be frozen, restarted and set back."""
    with ApiServer(tmp_path_factory.mktemp("cluster")) as server:
        yield server
