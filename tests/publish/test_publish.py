"""From a metrics file to a Result in the API of a real cluster, with the real agent and kubectl."""

import json

import pytest

from agent.harness import append, curve


def test_file_to_kubectl_get(start, results, kubectl, make_experiment, make_job):
    experiment = make_experiment("mnist", objective={"metric": "val_acc", "goal": "Maximize"},
                                 output="/mnt/out/$(JOB_NAME)")
    job = make_job("mnist-1a2b3c4d", of=experiment, parameters={"lr": 0.01, "Layers": 2})
    agent = start("mnist-1a2b3c4d", named=True)
    append(agent.metrics, {"epoch": 1, "loss": 0.5, "val_acc": 0.75, "total_epochs": 3},
           {"epoch": 2, "loss": 0.25, "val_acc": 0.875}, {"epoch": 3, "loss": 0.21, "val_acc": 0.5})
    result = results.wait_for_accepted("mnist-1a2b3c4d", 3)

    metadata, status = result["metadata"], result["status"]
    assert metadata["labels"] == {"experiment": "mnist"}
    assert metadata["ownerReferences"] == [{"apiVersion": "ml.intel.com/v1", "kind": "Experiment", "name": "mnist",
                                            "uid": experiment["metadata"]["uid"], "controller": True}]
    assert result["spec"] == {"experiment": "mnist", "parameters": {"lr": 0.01, "Layers": 2}}
    assert status["job_parameters"] == {"lr": 0.01, "Layers": 2}
    assert curve(status, "loss") == {1: 0.5, 2: 0.25, 3: 0.21}
    assert status["objective"] == {"metric": "val_acc", "value": 0.875, "epoch": 2}
    assert status["outputPath"] == "/mnt/out/mnist-1a2b3c4d"
    pod = kubectl.json("get", "pod", "mnist-1a2b3c4d-abcde")
    assert status["attempt"] == {"jobUID": job["metadata"]["uid"], "podName": "mnist-1a2b3c4d-abcde",
                                 "podUID": pod["metadata"]["uid"], "number": 1}
    assert status["metrics"][0]["name"] == "val_acc"

    header, row = kubectl("get", "results").stdout.splitlines()
    assert header.split()[:5] == ["NAME", "EXPERIMENT", "PHASE", "EPOCH", "SUMMARY"]
    assert row.split()[:4] == ["mnist-1a2b3c4d", "mnist", "Running", "3"]
    assert "epoch 3/3" in row and "loss=0.21" in row


def test_without_an_experiment_the_job_owns_the_result(start, results, make_job):
    job = make_job("alone")
    append(start("alone").metrics, {"epoch": 1, "loss": 1})
    result = results.wait_for_accepted("alone", 1)
    assert result["metadata"]["ownerReferences"] == [
        {"apiVersion": "batch/v1", "kind": "Job", "name": "alone", "uid": job["metadata"]["uid"]}]
    assert "labels" not in result["metadata"]


def test_owner_none(start, results, make_job):
    make_job("free")
    append(start("free", "--owner", "none").metrics, {"epoch": 1, "loss": 1})
    assert "ownerReferences" not in results.wait_for_accepted("free", 1)["metadata"]


def test_the_launchers_environment_is_enough(start, results, make_experiment):
    """No Job can be read: experiment and parameters come from the original's variables."""
    experiment = make_experiment("bert")
    agent = start("bert-0badcafe", env={
        "EXPERIMENT_NAME": "bert", "EXPERIMENT_UID": experiment["metadata"]["uid"],
        "PARAMETER_LR_FLOAT": "0.125", "PARAMETER_LAYERS_INT": "2", "PARAMETER_NAME_STR": "1e3",
        "PARAMETER_TIED_WEIGHTS_BOOL": "true"})
    append(agent.metrics, {"epoch": 1, "loss": 1})
    result = results.wait_for_accepted("bert-0badcafe", 1)
    assert result["spec"]["parameters"] == {"lr": 0.125, "layers": 2, "name": "1e3", "tied_weights": True}
    assert result["metadata"]["ownerReferences"][0]["uid"] == experiment["metadata"]["uid"]


def test_the_first_report_comes_at_once_and_says_why_there_is_no_curve(start, results):
    start("early")
    status = results.wait_for("early", lambda status: "conditions" in status)["status"]
    assert status["phase"] == "Pending"
    assert status["conditions"][0]["reason"] == "NoMetricsFile"


def test_the_last_report_comes_on_sigterm(start, results):
    agent = start("late", "--interval", "1h")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("late", 1)
    append(agent.metrics, {"epoch": 2, "loss": 0.5}, {"end": True})
    agent.stop()
    status = results.get("late")["status"]
    assert status["phase"] == "Succeeded"
    assert curve(status, "loss") == {1: 1, 2: 0.5}
    assert status["completionTime"]


def test_exit_code_and_reason_come_from_the_pod(start, results, api, make_job, make_pod, namespace):
    job = make_job("oom", backoffLimit=0)
    pod = make_pod("oom-abcde", of=job)
    agent = start("oom", env={"POD_NAME": "oom-abcde", "POD_UID": pod["metadata"]["uid"]})
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("oom", 1)
    ended = {"name": "train", "image": "train", "imageID": "train", "ready": False, "restartCount": 2,
             "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}}
    reply = api.patch(f"/api/v1/namespaces/{namespace}/pods/oom-abcde/status",
                      {"status": {"containerStatuses": [ended]}})
    assert reply.status == 200, reply
    agent.stop()
    status = results.get("oom")["status"]
    assert status["phase"] == "Failed"
    assert status["attempt"]["exitCode"] == 137
    assert status["attempt"]["reason"] == "OOMKilled"
    assert status["attempt"]["restarts"] == 2


def test_a_failure_with_a_retry_left_is_an_interruption(start, results, api, make_job, make_pod, namespace):
    pod = make_pod("again-abcde", of=make_job("again", backoffLimit=3))
    agent = start("again", env={"POD_NAME": "again-abcde", "POD_UID": pod["metadata"]["uid"]})
    results.wait_for("again", lambda status: "phase" in status)
    ended = {"name": "train", "image": "train", "imageID": "train", "ready": False, "restartCount": 0,
             "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}
    api.patch(f"/api/v1/namespaces/{namespace}/pods/again-abcde/status", {"status": {"containerStatuses": [ended]}})
    agent.stop()
    assert results.get("again")["status"]["phase"] == "Interrupted"
    assert results.get("again")["status"]["attempt"]["exitCode"] == 1


def test_another_experiments_result_is_left_alone(start, results, make_experiment, make_result):
    theirs = make_result("shared-name", of=make_experiment("theirs"), status={"values": {"loss": 9}})
    agent = start("shared-name", env={"EXPERIMENT_NAME": "ours"})
    append(agent.metrics, {"epoch": 1, "loss": 1})
    agent.wait_for_log("belongs to Experiment theirs, not to ours")
    log = agent.stop()
    assert "following" in log  # it goes on
    assert results.get("shared-name") == theirs


def test_a_replacement_pod_is_the_next_attempt(start, results, kubectl):
    for number, pod in ((1, "retried-first"), (2, "retried-other")):
        agent = start("retried", pod=pod, named=True)
        append(agent.metrics, {"epoch": number, "loss": 1})
        results.wait_for("retried", lambda status: status.get("attempt", {}).get("number") == number)
        agent.stop()
        kubectl("delete", "pod", pod, "--grace-period=0", "--force")
    assert results.get("retried")["status"]["attempt"]["podName"] == "retried-other"


def test_an_old_pod_that_was_cut_off_stops(start, results, api, make_pod):
    agent = start("cut", env={"POD_UID": make_pod("cut-abcde")["metadata"]["uid"]})
    append(agent.metrics, {"epoch": 1, "loss": 1})
    result = results.wait_for_accepted("cut", 1)
    body = {"status": {"attempt": {"podUID": "uid-2", "podName": "cut-newer", "number": 2}, "summary": "the new one"}}
    assert api.patch(f"{results.path}/cut/status", body).status == 200
    append(agent.metrics, {"epoch": 2, "loss": 1})
    agent.wait_for_log("a newer attempt (pod cut-newer) reports for this Job")
    agent.stop()
    assert results.get("cut")["status"]["summary"] == "the new one"
    assert results.get("cut")["metadata"]["uid"] == result["metadata"]["uid"]


def request_stop(results, api, name):
    patch = {"spec": {"stop": {"requested": True, "reason": "median rule"}}}
    assert api.patch(f"{results.path}/{name}", patch).status == 200


def test_somebody_elses_write_is_seen_and_ours_goes_on(start, results, api):
    agent = start("busy")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("busy", 1)
    request_stop(results, api, "busy")
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    status = results.wait_for_accepted("busy", 2)["status"]
    assert curve(status, "loss") == {1: 1, 2: 0.5}
    agent.wait_for_log("a stop was requested: median rule")
    agent.stop()
    assert results.get("busy")["status"]["phase"] == "Stopped"


def test_a_stop_request_is_seen_without_anything_to_publish(start, results, api):
    agent = start("quiet")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("quiet", 1)
    request_stop(results, api, "quiet")
    agent.advance(31)
    agent.wait_for_log("a stop was requested: median rule")
    agent.stop()


def test_a_watch_tells_of_a_stop_request_at_once(start, results, api):
    """The clock stands as good as still: it is no look that finds it."""
    agent = start("watched", "--watch")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("watched", 1)
    request_stop(results, api, "watched")
    agent.wait_for_log("a stop was requested: median rule")
    log = agent.stop()
    assert "the watch tells of a change" in log[:log.index("a stop was requested")]


def test_a_watch_survives_the_server(start, private_cluster):
    api = private_cluster.api()
    path = "/apis/ml.intel.com/v2/namespaces/default/results/watch-outage"
    agent = start("watch-outage", "--watch", "--namespace", "default", "--token-file", private_cluster.token_file,
                  server=private_cluster.server, ca_file=private_cluster.ca_file)
    append(agent.metrics, {"epoch": 1, "loss": 1})
    agent.wait_for_log("publish: resting")
    private_cluster.stop_apiserver()
    agent.wait_for_log("watching the Result: unreachable")
    private_cluster.start_apiserver()
    assert api.patch(path, {"spec": {"stop": {"requested": True, "reason": "median rule"}}}).status == 200
    agent.wait_for_log("a stop was requested: median rule")  # by a look, where that came before the new watch
    n = 0
    while "the watch tells of a change" not in agent.log:
        n += 1
        assert api.patch(path, {"metadata": {"labels": {"n": str(n)}}}).status == 200
    agent.stop()


def test_a_result_that_is_deleted_is_made_anew_complete(start, results, api, make_job):
    make_job("deleted")
    agent = start("deleted")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    old = results.wait_for_accepted("deleted", 1)
    assert api.delete(f"{results.path}/deleted").status == 200
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    new = results.wait_for_accepted("deleted", 2)
    assert new["metadata"]["uid"] != old["metadata"]["uid"]
    assert curve(new["status"], "loss") == {1: 1, 2: 0.5}


def test_a_result_whose_owner_is_gone_is_not_made_anew(start, results, api, make_job, namespace):
    make_job("gone")
    agent = start("gone")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("gone", 1)
    assert api.delete(f"/apis/batch/v1/namespaces/{namespace}/jobs/gone?propagationPolicy=Background").status == 200
    assert api.delete(f"{results.path}/gone").status == 200
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    agent.wait_for_log("deleted with its owner")
    agent.stop()
    assert results.get("gone") is None


def test_restarted_agent_is_the_same_attempt_and_goes_on(start, results):
    for epoch in (1, 2):
        agent = start("restarted", named=True)
        append(agent.metrics, {"epoch": epoch, "loss": epoch})
        status = results.wait_for_accepted("restarted", epoch)["status"]
        agent.process.kill()
    assert curve(status, "loss") == {1: 1, 2: 2}
    assert status["attempt"]["number"] == 1


def test_restarted_server(start, private_cluster, tmp_path):
    """The server goes away in the middle: nothing is lost, and the agent finds it again."""
    # Its own server, and an administrator's token: what matters here is the outage.
    token = open(private_cluster.token_file).read()
    agent = start("outage", "--namespace", "default", "--token-file", private_cluster.token_file,
                  server=private_cluster.server, ca_file=private_cluster.ca_file)
    append(agent.metrics, {"epoch": 1, "loss": 1})
    agent.wait_for_log("publish: resting")
    private_cluster.stop_apiserver()
    append(agent.metrics, *({"epoch": epoch, "loss": epoch} for epoch in range(2, 102)))
    agent.wait_for_log("unreachable")
    private_cluster.start_apiserver()
    agent.wait_for_log("the API server is back")
    agent.stop()
    result = private_cluster.api(token.strip()).get("/apis/ml.intel.com/v2/namespaces/default/results/outage").body
    assert result["status"]["agent"]["accepted"] == 101
    assert result["status"]["values"] == {"loss": 101}


def test_manifests_of_to_are_what_publishing_would_have_made(start, results, kubectl, make_job, tmp_path):
    make_job("both")
    to = tmp_path / "manifests"
    agent = start("both", "--to", to, "--owner", "none", env={"PARAMETER_LR_FLOAT": "0.5"})
    append(agent.metrics, {"epoch": 1, "loss": 1, "acc": float("nan"), "checkpoint": "/a/1.pt"},
           {"epoch": 2, "loss": 0.1, "note": "text"}, {"end": True})
    results.wait_for_accepted("both", 3)
    agent.stop()
    published = results.get("both")

    kubectl("delete", "result", "both")
    manifest = to / "both.json"
    kubectl("apply", "--server-side", "-f", manifest)
    kubectl("apply", "--server-side", "--subresource=status", "-f", manifest)
    applied = results.get("both")
    assert applied["spec"] == published["spec"]
    assert applied["status"] == published["status"]
    assert json.loads(manifest.read_text())["status"] == published["status"]


@pytest.mark.parametrize("epochs", [1000, 20000])
def test_a_long_run_fits_its_budget_on_the_server(start, results, epochs):
    agent = start(f"long-{epochs}")
    append(agent.metrics, *({"epoch": epoch, **{f"m{i}": 1 / (epoch + i) for i in range(8)}}
                            for epoch in range(1, epochs + 1)))
    results.wait_for_accepted(f"long-{epochs}", 1)
    agent.stop()
    result = results.get(f"long-{epochs}")
    del result["metadata"]["managedFields"]
    assert 5000 < len(json.dumps(result, separators=(",", ":"))) <= 10240
    assert result["status"]["x"][-1] == epochs
