"""What a server goes on saying: said in the log, tried again with patience, and over when it is over."""

import time

import pytest

from agent.harness import append, curve
from faults import replies
from faults.proxy import Hold, Late, LoseRequest, Twice


def is_patch(request):
    return request.method == "PATCH"


def first_epoch(agent, results, job):
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted(job, 1)
    agent.wait_for_log("publish: resting")


def resource_version(results, job):
    return results.get(job)["metadata"]["resourceVersion"]


# --- requests that come twice, or late ---


def test_an_old_report_that_comes_late_changes_nothing(start_through, proxy, results):
    """The fence: what the late one was to go over is not there any more, and nobody hears of it."""
    job = "late"
    agent = start_through(job)
    first_epoch(agent, results, job)
    late = proxy.add(Late(), method="PATCH", times=1)
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    results.wait_for_accepted(job, 2)
    append(agent.metrics, {"epoch": 3, "loss": 0.25})
    results.wait_for_accepted(job, 3)
    before = resource_version(results, job)
    late.deliver()
    assert late.status == 409
    assert resource_version(results, job) == before
    append(agent.metrics, {"epoch": 4, "loss": 0.125})
    results.wait_for_accepted(job, 4)
    agent.stop()
    assert [request.status for request in proxy.of("PATCH")].count(409) == 0
    assert curve(results.get(job)["status"], "loss") == {1: 1, 2: 0.5, 3: 0.25, 4: 0.125}


@pytest.mark.parametrize("answer", [0, 1])
def test_a_report_that_comes_twice_counts_once(start_through, proxy, results, answer):
    """The second is refused; an agent that gets that answer looks, and finds its own report."""
    job = f"twice-{answer}"
    agent = start_through(job)
    first_epoch(agent, results, job)
    proxy.add(Twice(answer), method="PATCH", times=1)
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    results.wait_for_accepted(job, 2)
    append(agent.metrics, {"epoch": 3, "loss": 0.25})
    status = results.wait_for_accepted(job, 3)["status"]
    assert curve(status, "loss") == {1: 1, 2: 0.5, 3: 0.25}
    assert status["agent"]["accepted"] == 3


def test_a_create_that_comes_late_makes_no_second_result(start_through, proxy, results):
    late = proxy.add(Late(), method="POST", times=1)
    agent = start_through("made-once")
    first_epoch(agent, results, "made-once")
    before = resource_version(results, "made-once")
    late.deliver()
    assert late.status == 409
    assert resource_version(results, "made-once") == before


# --- a server that says when ---


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
@pytest.mark.parametrize("reply", [replies.busy, replies.unavailable])
def test_retry_after_is_waited_for(start_through, proxy, results, clock, method, reply):
    """On the agent's own clock: no request comes before, also where the first back-off would be over."""
    job = f"{reply.__name__}-{method.lower()}"
    proxy.add(reply(job, retry_after=40), method=method, path="/results", times=1)
    agent = start_through(job)
    append(agent.metrics, {"epoch": 1, "loss": 1})
    proxy.wait_for(lambda request: request.method == method and request.status == reply(job).status)
    n = len(proxy.requests)
    assert clock.run_until(agent, lambda: len(proxy.requests) > n) >= 39  # the first second may be part of one
    results.wait_for_accepted(job, 1)


# --- a server that does not relent ---


def times_of(proxy, method, n):
    """When the first and the n-th request of that method came."""
    proxy.wait_for(lambda request: request.method == method)
    before = time.monotonic()
    proxy.wait_for(lambda request: request.method == method, n)
    return before, time.monotonic()


@pytest.mark.parametrize("reply", [replies.conflict, replies.not_found, replies.gone])
def test_reports_that_always_conflict_are_not_sent_in_a_loop(start_through, proxy, results, reply):
    """A CRD without status subresource, a webhook of somebody's: the Result is there, and no report gets
    through. The first is looked into at once, the others are given time."""
    job = f"loop-{reply.__name__.replace('_', '-')}"
    agent = start_through(job)
    first_epoch(agent, results, job)
    proxy.requests.clear()
    proxy.add(reply(job), method="PATCH")
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    before, after = times_of(proxy, "PATCH", 4)
    assert after - before >= 1.5  # a second less up to a half, two seconds less up to a half
    assert reply(job).body.split('"message": "')[1][:20] in agent.log
    proxy.clear()
    assert curve(results.wait_for_accepted(job, 2)["status"], "loss") == {1: 1, 2: 0.5}


def test_a_create_that_always_conflicts_is_not_sent_in_a_loop(start_through, proxy, results):
    """A quota that many count against at once: 409, and the Result is not there."""
    proxy.add(replies.quota_conflict("crowded"), method="POST")
    agent = start_through("crowded")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    before, after = times_of(proxy, "POST", 4)
    assert after - before >= 1.5
    assert "resourcequotas" in agent.log
    proxy.clear()
    results.wait_for_accepted("crowded", 1)


@pytest.mark.parametrize("reply", [replies.quota, replies.forbidden, replies.invalid, replies.not_found])
def test_a_create_that_is_refused_is_said_once_and_tried_again(start_through, proxy, results, clock, reply):
    job = f"unmade-{reply.__name__.replace('_', '-')}"
    proxy.add(reply(job), method="POST", times=5)
    agent = start_through(job)
    append(agent.metrics, {"epoch": 1, "loss": 1})
    clock.run_until_requests(agent, 6, "POST")
    results.wait_for_accepted(job, 1)
    warnings = [line for line in agent.log.splitlines() if "creating the Result" in line and "warning" in line]
    assert len(warnings) == 1 and "trying again" in warnings[0]
    assert reply(job).body.split('"message": "')[1][:20].replace('\\"', '"') in warnings[0]


def test_a_refused_report_is_tried_again_slowly(start_through, proxy, results, clock):
    """A rule of the server's may be changed again: what it refused is asked for minutes later, though
    the trainer has nothing new."""
    agent = start_through("refused")
    first_epoch(agent, results, "refused")
    proxy.add(replies.invalid("refused"), method="PATCH")
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    agent.wait_for_log("the server refuses the report")
    assert "Too long: may not be more than 256 bytes" in agent.log
    assert clock.run_until_requests(agent, len(proxy.of("PATCH")) + 1) >= 60
    append(agent.metrics, {"epoch": 2, "loss": 0.25})
    clock.run_until_requests(agent, len(proxy.of("PATCH")) + 1)
    assert agent.log.count("error: ") == 1
    proxy.clear()
    clock.run_until(agent, lambda: results.get("refused")["status"]["agent"]["accepted"] == 3)
    assert curve(results.get("refused")["status"], "loss") == {1: 1, 2: 0.25}


def test_the_exit_code_is_asked_for_again(start_through, proxy, results, api, make_job, make_pod, namespace):
    """One reply that is lost at the end is not the difference between Succeeded and Interrupted."""
    pod = make_pod("ended-abcde", of=make_job("ended"))
    ended = {"name": "train", "image": "train", "imageID": "train", "ready": False, "restartCount": 0,
             "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}}
    api.patch(f"/api/v1/namespaces/{namespace}/pods/ended-abcde/status", {"status": {"containerStatuses": [ended]}})
    agent = start_through("ended", env={"POD_NAME": "ended-abcde", "POD_UID": pod["metadata"]["uid"]})
    first_epoch(agent, results, "ended")
    proxy.add(replies.unavailable("ended", retry_after=1), path="/pods/", times=2)
    agent.stop()
    assert results.get("ended")["status"]["phase"] == "Succeeded"


def test_the_last_report_has_time_of_its_own(start_through, proxy, results, clock):
    """The second that a call which is under way is given when the end comes is not that of the calls after it."""
    agent = start_through("last")
    first_epoch(agent, results, "last")
    before = proxy.add(Hold(), method="PATCH", times=1)
    last = proxy.add(Hold(then=LoseRequest()), method="PATCH", times=1)
    n = len(proxy.of("PATCH"))
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    proxy.wait_for(is_patch, n + 1)
    append(agent.metrics, {"epoch": 3, "loss": 0.25}, {"end": True})
    agent.process.terminate()
    agent.wait_for_log("reading what is left")
    before.release()
    proxy.wait_for(is_patch, n + 2)
    clock.advance(agent, 2)
    last.release()
    assert agent.process.wait() == 0
    status = results.get("last")["status"]
    assert (status["phase"], status["epoch"]) == ("Succeeded", 3)
    assert len(proxy.of("PATCH")) == n + 3
