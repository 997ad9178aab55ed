"""k8s/flow-control: agents' reports have a priority level of their own, and nobody else has it."""

import pytest

from cluster import objects
from cluster.apiserver import BASE


@pytest.fixture
def level(kubectl):
    """uid of the level, as replies name it."""
    kubectl("apply", "-k", BASE.parent / "flow-control")
    uid = kubectl.json("get", "prioritylevelconfiguration", "experiments-agents")["metadata"]["uid"]
    yield uid
    kubectl("delete", "-k", BASE.parent / "flow-control")


def test_reports_are_told_from_everything_else(level, cluster, api, agent_token, namespace, make_result):
    make_result("mnist")
    agent = cluster.api(agent_token("mnist-abcde"))
    report = objects.path("Result", namespace, "mnist", subresource="status")
    while True:  # the server takes a new schema up some time after it was made
        reply = agent.patch(report, {"status": {"summary": "epoch 1"}})
        assert reply.status == 200, reply
        if reply.headers["X-Kubernetes-PF-PriorityLevel-UID"] == level:
            break
    assert agent.get(objects.path("Job", namespace, "mnist", version="v1")).headers["X-Kubernetes-PF-PriorityLevel-UID"] != level
    assert api.patch(report, {"status": {"summary": "epoch 2"}}).headers["X-Kubernetes-PF-PriorityLevel-UID"] != level
