"""With a real kube-controller-manager: garbage collection takes Results, and Jobs make pods."""

import pytest

from agent.harness import append, curve
from cluster import objects
from faults.proxy import LoseRequest

AT_ONCE = "?propagationPolicy=Background"


@pytest.fixture(scope="module")
def cluster(controlled_cluster):
    """All fixtures of this module work on this one."""
    return controlled_cluster


@pytest.fixture
def wait_for_pod(kubectl):
    """wait_for_pod(job, *others): the pod that the Job controller made for the Job, none of the others."""

    def wait(job, *others):
        names = "".join(f",metadata.name!={pod['metadata']['name']}" for pod in others)
        selector = ["-l", f"batch.kubernetes.io/controller-uid={job['metadata']['uid']}",
                    *(["--field-selector", names[1:]] if names else [])]
        kubectl("wait", "--for=create", "pod", *selector, "--timeout=120s", timeout_s=150)
        (pod,) = kubectl.json("get", "pods", *selector)["items"]
        return pod

    return wait


@pytest.fixture
def posts(proxy):
    """How often a Result was made, or tried to."""
    return lambda: len(proxy.of("POST"))


@pytest.fixture
def experiment_with_a_run(make_experiment, make_job, wait_for_pod, start_in, results):
    """experiment_with_a_run("mnist"): an Experiment, and the agent of its Job, which has reported."""

    def run(name, *flags):
        experiment = make_experiment(name)
        job = make_job(f"{name}-1a2b3c4d", of=experiment)
        agent = start_in(wait_for_pod(job), *flags, through_proxy=True)
        append(agent.metrics, {"epoch": 1, "loss": 1})
        results.wait_for_accepted(f"{name}-1a2b3c4d", 1)
        return experiment, agent

    return run


def delete_experiment(api, experiment, policy):
    metadata = experiment["metadata"]
    reply = api.delete(objects.path("Experiment", metadata["namespace"], metadata["name"])
                       + f"?propagationPolicy={policy}")
    assert reply.status == 200, reply


def wait_for_end(kubectl, what):
    kubectl("wait", "--for=delete", what, "--timeout=120s", timeout_s=150)


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_an_experiment_is_deleted_under_its_running_job(experiment_with_a_run, results, api, kubectl, posts, policy):
    experiment, agent = experiment_with_a_run("mnist")
    delete_experiment(api, experiment, policy)
    wait_for_end(kubectl, "result/mnist-1a2b3c4d")
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    agent.wait_for_log("the Result was deleted with its owner: it is not made anew")
    wait_for_end(kubectl, "experiment/mnist")
    append(agent.metrics, {"epoch": 3, "loss": 0.5})
    agent.advance(120)
    agent.stop()
    assert results.get("mnist-1a2b3c4d") is None
    assert posts() == 1


def test_an_experiment_made_anew_does_not_own_what_the_old_one_did(experiment_with_a_run, make_experiment, results,
                                                                  api, kubectl, posts):
    """A Result with the old uid would be collected again and again."""
    experiment, agent = experiment_with_a_run("mnist")
    delete_experiment(api, experiment, "Background")
    wait_for_end(kubectl, "result/mnist-1a2b3c4d")
    make_experiment("mnist")
    agent.advance(31)
    agent.wait_for_log("the Result was deleted with its owner: it is not made anew")
    agent.stop()
    assert results.get("mnist-1a2b3c4d") is None
    assert posts() == 1


def test_an_agent_that_starts_when_its_experiment_is_going_makes_none(make_experiment, make_job, wait_for_pod, results,
                                                                      start_in, api, kubectl, posts):
    """Something holds the Experiment back; its Job and pod are there for a while."""
    experiment = make_experiment("held")
    job = make_job("held-1a2b3c4d", of=experiment)
    pod = wait_for_pod(job)
    kubectl("patch", "experiment", "held", "--type=merge", "-p", '{"metadata":{"finalizers":["example.com/held"]}}')
    delete_experiment(api, experiment, "Background")
    agent = start_in(pod, through_proxy=True)
    append(agent.metrics, {"epoch": 1, "loss": 1})
    agent.wait_for_log("there is no Result, and its owner is gone or going")
    agent.stop()
    assert posts() == 0 and results.get("held-1a2b3c4d") is None
    kubectl("patch", "experiment", "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')


def test_no_loop_where_the_owner_may_not_be_read(experiment_with_a_run, results, api, kubectl, namespace, posts):
    """It is made anew once, and collected; that tells enough."""
    role = objects.path("Role", namespace, objects.AGENT, version="v1")
    rules = api.get(role).body["rules"]
    experiment, agent = experiment_with_a_run("mnist")
    reply = api.patch(role, {"rules": [rule for rule in rules if rule["resources"] != ["experiments"]]})
    assert reply.status == 200, reply
    api.patch(f"/apis/batch/v1/namespaces/{namespace}/jobs/mnist-1a2b3c4d", {"metadata": {"ownerReferences": None}})
    delete_experiment(api, experiment, "Background")
    agent.wait_for_log("publish: resting")
    wait_for_end(kubectl, "result/mnist-1a2b3c4d")
    agent.advance(31)
    agent.wait_for_log("it is made anew")
    wait_for_end(kubectl, "result/mnist-1a2b3c4d")
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    agent.advance(31)
    agent.wait_for_log("deleted again, and whether its owner is there may not be asked: it is not made anew")
    agent.advance(120)
    agent.stop()
    assert posts() == 2 and results.get("mnist-1a2b3c4d") is None


def test_a_result_deleted_by_a_person_is_made_anew_complete(experiment_with_a_run, results, api, posts):
    experiment, agent = experiment_with_a_run("mnist")
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    old = results.wait_for_accepted("mnist-1a2b3c4d", 2)
    assert api.delete(f"{results.path}/mnist-1a2b3c4d").status == 200
    agent.advance(31)
    new = results.wait_for_accepted("mnist-1a2b3c4d", 2)
    assert new["metadata"]["uid"] != old["metadata"]["uid"]
    assert new["metadata"]["ownerReferences"][0]["uid"] == experiment["metadata"]["uid"]
    assert new["spec"] == old["spec"] and new["status"] == old["status"]
    assert posts() == 2


def test_a_job_retries(make_experiment, make_job, wait_for_pod, results, start_in, set_trainer):
    """The controller makes the second pod when the first has failed (10 s later, its own back-off)."""
    job = make_job("mnist-1a2b3c4d", of=make_experiment("mnist"), backoffLimit=1)
    first = wait_for_pod(job)
    agent = start_in(first)
    append(agent.metrics, *({"epoch": epoch, "loss": epoch} for epoch in (1, 2, 3)))
    results.wait_for_accepted("mnist-1a2b3c4d", 3)
    set_trainer(first, exit_code=137, reason="OOMKilled", phase="Failed")
    agent.stop()
    status = results.get("mnist-1a2b3c4d")["status"]
    assert status["phase"] == "Interrupted"
    assert status["attempt"]["exitCode"] == 137 and status["attempt"]["reason"] == "OOMKilled"

    second = wait_for_pod(job, first)
    agent = start_in(second)
    append(agent.metrics, {"epoch": 3, "loss": 30})
    status = results.wait_for_accepted("mnist-1a2b3c4d", 4)["status"]
    assert status["attempt"] == {"jobUID": job["metadata"]["uid"], "podName": second["metadata"]["name"],
                                 "podUID": second["metadata"]["uid"], "number": 2}
    set_trainer(second, exit_code=1, phase="Failed")
    agent.stop()
    status = results.get("mnist-1a2b3c4d")["status"]
    assert status["phase"] == "Failed"
    assert curve(status, "loss") == {1: 1, 2: 2, 3: 30}


def test_a_job_made_anew_under_the_old_name(make_experiment, make_job, wait_for_pod, results, start_in, api, namespace,
                                            kubectl):
    """Its Result is the Experiment's and stays: attempt 2, and epochs before its first stay too."""
    experiment = make_experiment("mnist")
    for number in (1, 2):
        job = make_job("mnist-1a2b3c4d", of=experiment)
        agent = start_in(wait_for_pod(job))
        append(agent.metrics, *({"epoch": epoch, "loss": epoch * number} for epoch in (number, number + 1)))
        status = results.wait_for("mnist-1a2b3c4d",
                                  lambda status: status.get("attempt", {}).get("number") == number
                                  and status["epoch"] == number + 1)["status"]
        agent.stop()
        assert status["attempt"]["jobUID"] == job["metadata"]["uid"]
        api.delete(objects.path("Job", namespace, "mnist-1a2b3c4d") + AT_ONCE)
        wait_for_end(kubectl, "job/mnist-1a2b3c4d")
    assert curve(status, "loss") == {1: 1, 2: 4, 3: 6}


def test_a_job_made_anew_owns_a_result_of_its_own(make_job, wait_for_pod, results, start_in, api, namespace, kubectl):
    """The old Job's Result is collected with it."""
    old = None
    for number in (1, 2):
        job = make_job("alone")
        agent = start_in(wait_for_pod(job))
        append(agent.metrics, {"epoch": number, "loss": number})
        result = results.wait_for("alone", lambda status: status.get("epoch") == number)
        assert result["metadata"]["uid"] != old
        assert result["metadata"]["ownerReferences"][0]["uid"] == job["metadata"]["uid"]
        old = result["metadata"]["uid"]
        agent.stop()
        api.delete(objects.path("Job", namespace, "alone") + AT_ONCE)
        wait_for_end(kubectl, "result/alone")
    assert curve(result["status"], "loss") == {2: 2}


def test_a_pod_that_was_cut_off_finds_its_job_done(make_job, wait_for_pod, results, start_in, set_trainer, kubectl, api,
                                                   namespace, proxy):
    """Its replacement has reported and succeeded; the old one never got through until then."""
    job = make_job("cut", backoffLimit=3)
    old_pod = wait_for_pod(job)
    name = old_pod["metadata"]["name"]
    reply = api.post(f"/api/v1/namespaces/{namespace}/pods/{name}/binding", {
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": {"kind": "Node", "name": "lost"}})
    assert reply.status == 201, reply
    proxy.add(LoseRequest())
    old = start_in(old_pod, through_proxy=True)
    append(old.metrics, {"epoch": 1, "loss": 9})
    old.wait_for_log("nothing is lost meanwhile")
    kubectl("delete", "pod", name, "--wait=false")

    new_pod = wait_for_pod(job, old_pod)
    new = start_in(new_pod)
    append(new.metrics, {"epoch": 1, "loss": 1}, {"epoch": 2, "loss": 0.5})
    results.wait_for_accepted("cut", 2)
    set_trainer(new_pod, exit_code=0, reason="Completed", phase="Succeeded")
    new.stop()
    before = results.get("cut")
    assert before["status"]["phase"] == "Succeeded"
    proxy.clear()
    old.advance(60)
    old.wait_for_log(f"(pod {new_pod['metadata']['name']}) reports for this Job: this one publishes no more")
    old.stop()
    assert results.get("cut") == before
