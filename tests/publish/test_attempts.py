"""Attempts of one Job: replacement pods, trainers and agents that are started anew, pods that come back."""

import shutil

import pytest

from agent.harness import append, curve
from faults.proxy import LoseRequest, Reply


def epochs(*numbers, factor=1):
    return [{"epoch": epoch, "loss": factor * epoch, "acc": epoch / 8} for epoch in numbers]


def fail(pod, set_trainer):
    set_trainer(pod, exit_code=1, phase="Failed")


@pytest.fixture
def first_attempt(results, make_job, make_pod, start_in, set_trainer):
    """first_attempt("job"): its first pod reported epochs 1 to 5 and failed. Returns the Job."""

    def run(name):
        job = make_job(name, backoffLimit=3)
        pod = make_pod(f"{name}-first", of=job)
        agent = start_in(pod)
        append(agent.metrics, *epochs(1, 2, 3, 4, 5), {"checkpoint": "/out/5.pt"}, "no metric at all {")
        results.wait_for(name, lambda status: status.get("checkpoint") and status["agent"]["rejected"] == 1)
        fail(pod, set_trainer)
        agent.stop()
        return job

    return run


def test_a_replacement_goes_on_from_what_was_reported(first_attempt, results, make_pod, start_in):
    """Its directory is empty: what was reported before is on the server alone."""
    job = first_attempt("resumed")
    before = results.get("resumed")["status"]
    assert before["phase"] == "Interrupted" and before["attempt"]["exitCode"] == 1
    assert before["attempt"]["reason"] == "Error"

    pod = make_pod("resumed-other", of=job)
    agent = start_in(pod)
    status = results.wait_for("resumed", lambda status: status["attempt"]["number"] == 2)["status"]
    assert curve(status, "loss") == {1: 1, 2: 2, 3: 3, 4: 4, 5: 5}  # nothing was read yet
    assert status["values"] == before["values"] and status["checkpoint"] == before["checkpoint"]
    assert status["startTime"] == before["startTime"] and status["lastReportTime"] == before["lastReportTime"]
    assert "exitCode" not in status["attempt"] and status["attempt"]["podUID"] == pod["metadata"]["uid"]

    append(agent.metrics, *epochs(4, factor=10))
    status = results.wait_for_accepted("resumed", 7)["status"]
    assert curve(status, "loss") == {1: 1, 2: 2, 3: 3, 4: 40}
    append(agent.metrics, *epochs(5, 6, factor=10))
    agent.stop()
    status = results.get("resumed")["status"]
    assert curve(status, "loss") == {1: 1, 2: 2, 3: 3, 4: 40, 5: 50, 6: 60}
    assert curve(status, "acc") == {epoch: epoch / 8 for epoch in range(1, 7)}
    assert status["metrics"][0]["min"] == 1 and status["metrics"][0]["max"] == 60
    assert status["agent"]["accepted"] == 9 and status["agent"]["rejected"] == 1


def test_records_count_that_come_before_the_server_is_reached(first_attempt, results, make_pod, start_in, proxy):
    job = first_attempt("late")
    proxy.add(LoseRequest())
    agent = start_in(make_pod("late-other", of=job), through_proxy=True)
    append(agent.metrics, *epochs(3, 4, factor=10))
    agent.wait_for_log("following")
    agent.wait_for_log("nothing is lost meanwhile")
    proxy.clear()
    status = results.wait_for("late", lambda status: status["attempt"]["number"] == 2)["status"]
    assert curve(status, "loss") == {1: 1, 2: 2, 3: 30, 4: 40}


def test_a_run_that_starts_over_is_its_own(first_attempt, results, make_pod, start_in):
    job = first_attempt("over")
    agent = start_in(make_pod("over-other", of=job))
    append(agent.metrics, *epochs(1, 2, factor=10))
    status = results.wait_for_accepted("over", 8)["status"]
    assert curve(status, "loss") == {1: 10, 2: 20}
    assert status["metrics"][0]["min"] == 1  # over all attempts


def test_an_agent_that_lost_its_state_doubles_nothing(first_attempt, results, make_pod, start_in):
    """Attempt 2's agent is killed, and its files are read again by one that knows nothing."""
    pod = make_pod("forgot-other", of=first_attempt("forgot"))
    agent = start_in(pod)
    append(agent.metrics, *epochs(4, 5, factor=10), "not a metric {")
    results.wait_for("forgot", lambda status: status["agent"]["accepted"] == 8 and status["agent"]["rejected"] == 2)
    agent.process.kill()
    agent.process.wait()
    shutil.rmtree(agent.dir / ".agent")
    agent = start_in(pod)
    append(agent.metrics, *epochs(6, factor=10))
    status = results.wait_for("forgot", lambda status: status["epoch"] == 6)["status"]
    assert status["attempt"]["number"] == 2
    assert curve(status, "loss") == {1: 1, 2: 2, 3: 3, 4: 40, 5: 50, 6: 60}
    assert status["agent"]["accepted"] <= 9 and status["agent"]["rejected"] == 2


def test_a_result_that_is_deleted_comes_back_with_all_attempts(first_attempt, results, api, make_pod, start_in):
    job = first_attempt("back")
    agent = start_in(make_pod("back-other", of=job))
    append(agent.metrics, *epochs(4, factor=10))
    old = results.wait_for_accepted("back", 7)
    assert api.delete(f"{results.path}/back").status == 200
    agent.advance(31)
    new = results.wait_for_accepted("back", 7)
    assert new["metadata"]["uid"] != old["metadata"]["uid"]
    assert {**new["status"], "conditions": 0} == {**old["status"], "conditions": 0}


def test_a_job_made_anew_under_the_old_name_is_a_new_attempt(first_attempt, results, api, namespace, make_job,
                                                             make_pod, start_in):
    first_attempt("anew")
    assert api.delete(f"/apis/batch/v1/namespaces/{namespace}/jobs/anew?propagationPolicy=Background").status == 200
    job = make_job("anew")
    agent = start_in(make_pod("anew-other", of=job), "--owner", "none")
    append(agent.metrics, *epochs(3, factor=10))
    status = results.wait_for_accepted("anew", 7)["status"]
    assert status["attempt"]["number"] == 2 and status["attempt"]["jobUID"] == job["metadata"]["uid"]
    assert curve(status, "loss") == {1: 1, 2: 2, 3: 30}


def test_a_pod_of_the_job_that_was_replaced_stops(results, api, namespace, make_job, make_pod, start_in):
    """Nothing has deleted its pod yet, so that does not say that it is over."""
    agents = []
    for name in ("first", "other"):
        api.delete(f"/apis/batch/v1/namespaces/{namespace}/jobs/twice?propagationPolicy=Background")
        agents.append(start_in(make_pod(f"twice-{name}", of=make_job("twice")), "--owner", "none"))
        append(agents[-1].metrics, *epochs(len(agents)))
        results.wait_for("twice", lambda status: status.get("attempt", {}).get("podName") == f"twice-{name}")
    append(agents[0].metrics, *epochs(3))
    agents[0].wait_for_log("a newer attempt (pod twice-other) reports for this Job")
    assert curve(results.get("twice")["status"], "loss") == {1: 1, 2: 2}


def test_of_several_pods_the_first_one_reports(results, make_job, make_pod, start_in):
    job = make_job("wide", parallelism=2, completions=2)
    one = start_in(make_pod("wide-first", of=job))
    append(one.metrics, *epochs(1))
    results.wait_for_accepted("wide", 1)
    two = start_in(make_pod("wide-other", of=job))
    append(two.metrics, *epochs(1, 2, factor=10))
    two.wait_for_log("another pod (pod wide-first) reports for this Job: this one publishes no more")
    append(one.metrics, *epochs(2))
    two.stop()
    one.stop()
    status = results.get("wide")["status"]
    assert curve(status, "loss") == {1: 1, 2: 2}
    assert status["attempt"]["podName"] == "wide-first" and status["attempt"]["number"] == 1


@pytest.mark.parametrize("has_reported", [True, False])
@pytest.mark.parametrize("is_restarted", [True, False])
def test_a_pod_that_was_cut_off_stops(results, kubectl, api, namespace, make_job, make_pod, start_in, proxy,
                                      has_reported, is_restarted):
    """Its node was lost: it is to be deleted and cannot be told. Its replacement reports, and then the old
    one comes back, whichever numbers the two have."""
    job = make_job("cut")
    old_pod = make_pod("cut-older", of=job)
    bind(api, namespace, "cut-older")
    if not has_reported:
        proxy.add(LoseRequest())
    old = start_in(old_pod, through_proxy=True)
    append(old.metrics, *epochs(1, 2))
    if has_reported:
        results.wait_for_accepted("cut", 2)
        proxy.add(LoseRequest())
    old.wait_for_log("following")
    kubectl("delete", "pod", "cut-older", "--wait=false")
    assert kubectl.json("get", "pod", "cut-older")["metadata"]["deletionTimestamp"]

    new = start_in(make_pod("cut-newer", of=job))
    append(new.metrics, *epochs(2, 3, factor=10))
    results.wait_for("cut", lambda status: status.get("attempt", {}).get("podName") == "cut-newer"
                     and status["epoch"] == 3)
    if is_restarted:
        old.process.kill()
        old.process.wait()
        old = start_in(old_pod, through_proxy=True)
    append(old.metrics, *epochs(7, 8))
    old.wait_for_log("following")
    proxy.clear()
    old.advance(60)
    old.wait_for_log("(pod cut-newer) reports for this Job: this one publishes no more")
    append(new.metrics, *epochs(4, factor=10))
    old.stop()
    new.stop()
    status = results.get("cut")["status"]
    assert curve(status, "loss") == ({1: 1} if has_reported else {}) | {2: 20, 3: 30, 4: 40}
    assert status["attempt"]["podName"] == "cut-newer"


def bind(api, namespace, name):
    """To a node that does not exist: from then on nothing but a kubelet ends the pod."""
    reply = api.post(f"/api/v1/namespaces/{namespace}/pods/{name}/binding", {
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": {"kind": "Node", "name": "lost"}})
    assert reply.status == 201, reply


def test_a_report_of_an_older_pod_is_gone_over(first_attempt, results, api, make_pod, start_in):
    """As when etcd was put back to an earlier time: the number of the other is no higher, it has ended."""
    job = first_attempt("restored")
    before = results.get("restored")["status"]
    agent = start_in(make_pod("restored-other", of=job))
    append(agent.metrics, *epochs(6))
    results.wait_for_accepted("restored", 7)
    assert api.patch(f"{results.path}/restored/status", {"status": before}).status == 200
    append(agent.metrics, *epochs(7))
    status = results.wait_for_accepted("restored", 8)["status"]
    assert status["attempt"]["number"] == 2
    assert curve(status, "loss") == {epoch: epoch for epoch in range(1, 8)}


def test_a_replacement_that_shares_the_volume_goes_on_from_its_state(results, make_job, make_pod, start, set_trainer):
    """The first pod's state is on the volume: its records are not read twice, and epochs from the second
    one's first on are its own."""
    job = make_job("shared", backoffLimit=3)
    for number, name, said in ((1, "shared-first", epochs(1, 2, 3, 4, 5)),
                               (2, "shared-other", [{"epoch": 3, "loss": 30}])):
        pod = make_pod(name, of=job)
        agent = start("shared", pod=name, place="volume", named=True)
        append(agent.metrics, *said)
        status = results.wait_for("shared", lambda status: status.get("attempt", {}).get("number") == number
                                  and status["agent"]["accepted"] == 4 + number)["status"]
        fail(pod, set_trainer)
        agent.stop()
    assert curve(status, "loss") == {1: 1, 2: 2, 3: 30}
    assert curve(status, "acc") == {1: 1 / 8, 2: 2 / 8, 3: None}


# --- a trainer that is started anew in its pod ---


def train_until_5(results, start_in, pod, name, **more):
    agent = start_in(pod, **more)
    append(agent.metrics, *epochs(1, 2, 3, 4, 5))
    results.wait_for_accepted(name, 5)
    return agent


def test_a_trainer_that_is_started_anew(results, make_job, make_pod, start_in, set_trainer):
    pod = make_pod("again-first", of=make_job("again"))
    agent = train_until_5(results, start_in, pod, "again")
    set_trainer(pod, exit_code=137, reason="OOMKilled", restarts=1, again=True)
    append(agent.metrics, {"epoch": 3, "loss": 30})
    status = results.wait_for("again", lambda status: "restarts" in status["attempt"])["status"]
    assert curve(status, "loss") == {1: 1, 2: 2, 3: 30}
    assert curve(status, "acc") == {1: 1 / 8, 2: 2 / 8, 3: None}
    assert status["phase"] == "Running"
    assert {key: status["attempt"][key] for key in ("number", "restarts", "exitCode", "reason")} == {
        "number": 1, "restarts": 1, "exitCode": 137, "reason": "OOMKilled"}
    set_trainer(pod, exit_code=0, reason="Completed", restarts=1)
    agent.stop()
    status = results.get("again")["status"]
    assert status["phase"] == "Succeeded"
    assert {key: status["attempt"][key] for key in ("restarts", "exitCode", "reason")} == {
        "restarts": 1, "exitCode": 0, "reason": "Completed"}


def test_x_that_goes_back_alone_is_no_start_anew(results, make_job, make_pod, start_in, proxy):
    """Two questions at most, however often it goes back; nothing becomes void."""
    pod = make_pod("folds-first", of=make_job("folds"))
    agent = train_until_5(results, start_in, pod, "folds", through_proxy=True)
    append(agent.metrics, *epochs(1, 2, 3, factor=10), *epochs(1, 2, factor=20), *epochs(1, factor=30))
    proxy.wait_for(is_pod)
    agent.advance(11)
    proxy.wait_for(is_pod, 2)
    status = results.wait_for_accepted("folds", 11)["status"]
    assert curve(status, "loss") == {1: 30, 2: 40, 3: 30, 4: 4, 5: 5}
    assert "restarts" not in status["attempt"]
    append(agent.metrics, *epochs(1, 2, 1, 2, 1, factor=40))
    results.wait_for_accepted("folds", 16)
    assert len([request for request in proxy.requests if is_pod(request)]) == 2
    agent.advance(20)
    proxy.wait_for(is_pod, 3)


def is_pod(request):
    return request.method == "GET" and "/pods/" in request.path


def test_the_kubelet_may_tell_later(results, make_job, make_pod, start_in, set_trainer, proxy):
    pod = make_pod("slow-first", of=make_job("slow"))
    agent = train_until_5(results, start_in, pod, "slow", through_proxy=True)
    append(agent.metrics, *epochs(4, factor=10))
    proxy.wait_for(is_pod)
    results.wait_for_accepted("slow", 6)
    set_trainer(pod, exit_code=1, restarts=2, again=True)
    agent.advance(11)
    status = results.wait_for("slow", lambda status: "restarts" in status["attempt"])["status"]
    assert curve(status, "loss") == {1: 1, 2: 2, 3: 3, 4: 40}
    assert status["attempt"]["restarts"] == 2


def test_not_being_allowed_to_ask_makes_it_only_less_precise(results, make_job, make_pod, start_in, proxy):
    proxy.add(Reply(403, {}, '{"kind":"Status","status":"Failure","message":"pods is forbidden","code":403}'),
              path="/pods/")
    pod = make_pod("denied-first", of=make_job("denied"))
    agent = train_until_5(results, start_in, pod, "denied", through_proxy=True)
    append(agent.metrics, *epochs(3, factor=10))
    agent.wait_for_log("whether the trainer was started anew is not known: pods is forbidden")
    agent.stop()
    status = results.get("denied")["status"]
    assert curve(status, "loss") == {1: 1, 2: 2, 3: 30, 4: 4, 5: 5}
    assert status["phase"] == "Interrupted"


# --- others write ---


def test_a_write_of_2018_that_drops_the_curve_is_made_good(results, api, start, namespace):
    """A PUT of v1 replaces the whole status; the next look finds another version and reports again."""
    agent = start("put")
    append(agent.metrics, *epochs(1, 2))
    ours = results.wait_for_accepted("put", 2)
    path = f"/apis/ml.intel.com/v1/namespaces/{namespace}/results/put"
    body = api.get(path).body
    body["status"] = {"values": {"theirs": 1}}
    assert api.put(path, body).status == 200
    assert "metrics" not in results.get("put")["status"]
    agent.advance(31)
    status = results.wait_for_accepted("put", 2)["status"]
    assert curve(status, "loss") == {1: 1, 2: 2}
    assert status["values"] == {"theirs": 1, **ours["status"]["values"]}


def test_a_report_that_changes_nothing_is_no_write(results, api, start, proxy):
    """After somebody else's write the agent reports once more, and then is quiet again."""
    agent = start("still", server=proxy.server, ca_file=proxy.ca_file)
    append(agent.metrics, *epochs(1))
    results.wait_for_accepted("still", 1)
    agent.wait_for_log("publish: resting")
    before = len(proxy.of("PATCH"))
    reply = api.patch(f"{results.path}/still", {"metadata": {"labels": {"seen": "yes"}}})
    agent.advance(31)
    proxy.wait_for(lambda request: request.method == "PATCH", before + 1)
    looks = len(proxy.of("GET"))
    agent.advance(31)
    proxy.wait_for(lambda request: request.method == "GET", looks + 1)
    agent.stop()
    assert len(proxy.of("PATCH")) in (before + 1, before + 2)  # the last is of the end
    assert int(results.get("still")["metadata"]["resourceVersion"]) > int(reply.body["metadata"]["resourceVersion"])
