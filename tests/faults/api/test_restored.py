"""The API server's storage is set back to a snapshot, as from a backup: what was acknowledged since is gone."""

import pytest

from agent.harness import append, curve
from cluster import objects
from faults.api.clock import Clock
from faults.proxy import FaultProxy
from publish.conftest import ClusterAgent, Results


@pytest.fixture
def restored(tmp_path, troubled_cluster):
    """restored("job"): an agent behind a proxy, its clock, and Results to look at."""
    api = troubled_cluster.api()
    with FaultProxy(troubled_cluster.server, troubled_cluster.ca_file) as proxy:
        agents, clocks = [], []

        def start(job):
            token = open(troubled_cluster.token_file).read()
            agents.append(ClusterAgent(tmp_path, proxy.server, proxy.ca_file, token, "default", job, [], {}))
            clocks.append(Clock(agents[-1].clock, proxy))
            return agents[-1], clocks[-1], Results(api, "default")

        yield start
        for each in (*agents, *clocks):
            each.close()


def set_back(cluster):
    """What came since the snapshot is gone. A request on its way may be sent anew by then: the agent's own Result
    does not show that."""
    objects.create(cluster.api(), objects.job("default", "since"))
    cluster.restore_etcd()
    assert cluster.api().get("/apis/batch/v1/namespaces/default/jobs/since").status == 404


def test_what_was_acknowledged_and_forgotten_is_reported_again(troubled_cluster, restored):
    """Though the trainer has nothing new: the look of every half minute shows it."""
    objects.create(troubled_cluster.api(), objects.job("default", "forgotten"))
    agent, clock, results = restored("forgotten")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("forgotten", 1)
    troubled_cluster.snapshot_etcd()
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    results.wait_for_accepted("forgotten", 2)
    set_back(troubled_cluster)
    clock.run_until(agent, lambda: results.get("forgotten")["status"]["agent"]["accepted"] == 2)
    assert curve(results.get("forgotten")["status"], "loss") == {1: 1, 2: 0.5}
    agent.stop()


def test_a_result_that_is_not_in_the_snapshot_is_made_anew(troubled_cluster, restored):
    objects.create(troubled_cluster.api(), objects.job("default", "unborn"))
    troubled_cluster.snapshot_etcd()
    agent, clock, results = restored("unborn")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    lost = results.wait_for_accepted("unborn", 1)["metadata"]["uid"]
    set_back(troubled_cluster)
    clock.run_until(agent, lambda: results.get("unborn") and "status" in results.get("unborn"))
    agent.stop()
    result = results.get("unborn")
    assert curve(result["status"], "loss") == {1: 1}
    assert result["metadata"]["uid"] != lost
    assert result["metadata"]["ownerReferences"][0]["kind"] == "Job"
