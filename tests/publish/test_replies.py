"""Each row of the API server's replies: what the agent makes of it. The real server gives those that it
can give on demand; for the others a proxy stands before it."""

import os
import time

import pytest

from agent.harness import append, curve
from faults.proxy import FaultProxy, Hold, LoseReply, LoseRequest, Reply, Truncate

STATUS = '{"kind":"Status","apiVersion":"v1","status":"Failure","message":"%s","reason":"%s","code":%d}'


def is_patch(request):
    return request.method == "PATCH"


def two_epochs(agent, results, job):
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted(job, 1)
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    return results.wait_for_accepted(job, 2)["status"]


# --- what passes: tried again, nothing lost ---


@pytest.mark.parametrize("name, fault", [
    ("busy", Reply(429, {"Retry-After": "1", "Content-Type": "text/plain"}, "Too many requests, please try again later.")),
    ("unavailable", Reply(503, {"Retry-After": "1"}, STATUS % ("the server is currently unable", "ServiceUnavailable", 503))),
    ("timeout", Reply(504, {}, STATUS % ("request did not complete within the allotted timeout", "Timeout", 504))),
    ("internal", Reply(500, {}, STATUS % ("an error on the server", "InternalError", 500))),
    ("expired", Reply(401, {}, STATUS % ("Unauthorized", "Unauthorized", 401))),
    ("denied", Reply(403, {}, STATUS % ("forbidden", "Forbidden", 403))),
    ("lost-reply", LoseReply()),
    ("lost-request", LoseRequest()),
    ("truncated", Truncate()),
    ("garbage", Reply(502, {"Content-Type": "text/html"}, "<html>bad gateway</html>")),
    ("redirect", Reply(302, {"Location": "https://127.0.0.1:1/"}, "")),
])
def test_a_failed_report_is_sent_again(start_through, proxy, results, name, fault):
    proxy.add(fault, method="PATCH", times=1)
    agent = start_through(name)
    status = two_epochs(agent, results, name)
    assert curve(status, "loss") == {1: 1, 2: 0.5}
    assert len(proxy.of("PATCH")) >= 3  # one that failed, and an epoch each


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("name, fault", [
    ("busy", Reply(429, {"Retry-After": "1"}, "Too many requests")),
    ("lost", LoseReply()),
    ("unauthorized", Reply(401, {}, STATUS % ("Unauthorized", "Unauthorized", 401))),
])
def test_a_failed_look_or_create_is_done_again(start_through, proxy, results, name, fault, method):
    job = f"{name}-{method.lower()}"
    proxy.add(fault, method=method, path="/results", times=1)
    status = two_epochs(start_through(job), results, job)
    assert curve(status, "loss") == {1: 1, 2: 0.5}


def test_a_quota_that_refuses_the_create(start_through, proxy, results):
    """403 on create: looked again, created when the quota allows."""
    proxy.add(Reply(403, {}, STATUS % ("exceeded quota: count/results", "Forbidden", 403)), method="POST", times=2)
    agent = start_through("quota")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("quota", 1)
    assert "exceeded quota" in agent.log
    methods = [request.method for request in proxy.requests if request.path.endswith(("/results", "/results/quota"))]
    assert methods[:5] == ["GET", "POST", "GET", "POST", "GET"]


def test_a_create_whose_reply_was_lost_is_not_done_twice(start_through, proxy, results):
    proxy.add(LoseReply(), method="POST", times=1)
    agent = start_through("once")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("once", 1)
    assert [request.status for request in proxy.of("POST")] in ([None], [None, 409])


def test_retry_after_is_honoured(start_through, proxy, results):
    """No request comes before the time that the server named is over, on the loop's own clock."""
    proxy.add(Reply(429, {"Retry-After": "2"}, "Too many requests"), method="PATCH", times=1)
    agent = start_through("patient")
    proxy.wait_for(is_patch)
    before = time.monotonic()
    proxy.wait_for(is_patch, 2)
    assert time.monotonic() - before >= 1.9
    agent.stop()


def test_frozen_etcd(start, private_cluster, tmp_path):
    """The server answers only after 34 s by itself; we ask for 5 and go on following meanwhile."""
    agent = start("frozen", "--namespace", "default", "--token-file", private_cluster.token_file,
                  server=private_cluster.server, ca_file=private_cluster.ca_file)
    append(agent.metrics, {"epoch": 1, "loss": 1})
    agent.wait_for_log("publish: resting")
    with private_cluster.paused_etcd():
        append(agent.metrics, {"epoch": 2, "loss": 0.5})
        agent.wait_for_log("nothing is lost meanwhile")
    agent.wait_for_log("the API server is back")
    agent.stop()
    body = private_cluster.api().get("/apis/ml.intel.com/v2/namespaces/default/results/frozen").body
    assert curve(body["status"], "loss") == {1: 1, 2: 0.5}


# --- what does not pass by itself: said, and following goes on ---


def test_missing_crd_is_said_and_waited_for(start, private_cluster):
    api = private_cluster.api()
    crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/results.ml.intel.com"
    assert api.delete(crd).status == 200
    private_cluster.kubectl("wait", "--for=delete", "crd/results.ml.intel.com", "--timeout=60s")
    agent = start("early", "--namespace", "default", "--token-file", private_cluster.token_file,
                  server=private_cluster.server, ca_file=private_cluster.ca_file)
    append(agent.metrics, {"epoch": 1, "loss": 1})
    agent.wait_for_log("no such API")
    private_cluster.install()
    agent.wait_for_log("the API server is back")
    agent.stop()
    assert api.get("/apis/ml.intel.com/v2/namespaces/default/results/early").body["status"]["values"] == {"loss": 1}


def test_missing_namespace_is_said(start, results):
    agent = start("nowhere", "--namespace", "no-such-namespace")
    agent.wait_for_log("no-such-namespace")
    agent.stop_in_vain()


@pytest.mark.parametrize("status, reason, message", [
    (422, "Invalid", "status.x: Invalid value"),
    (400, "BadRequest", "cannot parse"),
    (413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728"),
    (500, "", "etcdserver: request is too large"),
    (500, "", "rpc error: trying to send message larger than max (2097153 vs. 2097152)"),
])
def test_a_refused_report_is_not_sent_again_as_it_is(start_through, proxy, results, status, reason, message):
    job = "refused"
    agent = start_through(job)
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted(job, 1)
    proxy.add(Reply(status, {}, STATUS % (message, reason, status)), method="PATCH", times=1)
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    agent.wait_for_log("the server refuses the report")
    refused = proxy.of("PATCH")[-1]
    append(agent.metrics, {"epoch": 3, "loss": 0.25})
    status_now = results.wait_for_accepted(job, 3)["status"]
    assert curve(status_now, "loss") == {1: 1, 2: 0.5, 3: 0.25}
    assert message in agent.log
    assert sum(request.body == refused.body for request in proxy.of("PATCH")) == 1


def test_a_warning_of_the_server_is_said(start_through, proxy, results):
    """An older CRD prunes a field that it does not know, and warns."""
    warning = '299 - "unknown field \\"status.newer\\""'
    real = results.api
    agent = start_through("warned")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("warned", 1)
    agent.stop()
    body = {"metadata": {"name": "warned", "resourceVersion": "1"}}
    proxy.add(Reply(200, {"Warning": warning}, __import__("json").dumps(body)), method="PATCH", times=1)
    again = start_through("warned")
    again.wait_for_log("unknown field")
    again.close()
    assert real is results.api


# --- conflicts ---


def test_409_is_looked_into_and_the_report_goes_again(start, results, api):
    agent = start("conflict")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("conflict", 1)
    assert api.patch(f"{results.path}/conflict", {"metadata": {"annotations": {"a": "b"}}}).status == 200
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    result = results.wait_for_accepted("conflict", 2)
    assert result["metadata"]["annotations"] == {"a": "b"}
    assert "publish: asking for the Result" in agent.log


def test_created_by_somebody_else_meanwhile(start_through, proxy, results, make_result):
    """AlreadyExists on create: taken as it is."""
    proxy.add(Reply(404, {}, STATUS % ("not found", "NotFound", 404)), method="GET", path="/results/raced", times=1)
    made = make_result("raced")
    agent = start_through("raced")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    assert results.wait_for_accepted("raced", 1)["metadata"]["uid"] == made["metadata"]["uid"]


# --- on the wire ---


def test_no_request_without_a_change(start_through, proxy, results):
    """Each report differs from the one before; a line that changes nothing makes none."""
    agent = start_through("quiet")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("quiet", 1)
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    results.wait_for_accepted("quiet", 2)
    append(agent.metrics, "", "", "")
    append(agent.metrics, {"epoch": 3, "loss": 0.25})
    results.wait_for_accepted("quiet", 3)
    agent.stop()
    bodies = [request.body["status"] for request in proxy.of("PATCH")]
    assert all(before != after for before, after in zip(bodies, bodies[1:]))
    assert len(proxy.of("POST")) == 1


def test_each_report_is_fenced_complete_and_bounded(start_through, proxy, results):
    agent = start_through("wire")
    for epoch in range(1, 4):
        append(agent.metrics, {"epoch": epoch, "loss": epoch})
        results.wait_for_accepted("wire", epoch)
    agent.stop()
    patches = proxy.of("PATCH")
    for request in patches:
        assert request.path.endswith("/results/wire/status")
        assert request.query == "timeout=5s"
        assert request.headers["Content-Type"] == "application/merge-patch+json"
        assert request.headers["User-Agent"].startswith("experiments-agent/")
        assert request.headers["Authorization"].startswith("Bearer ")
        assert request.body["metadata"]["resourceVersion"]
        assert "completionTime" in request.body["status"]  # null until the end
    assert patches[-1].body["status"]["x"] == [1, 2, 3]
    (created,) = proxy.of("POST")
    assert "status" not in created.body


def test_spacing_by_default_is_seconds(start_through, proxy, results):
    """A burst of epochs is reported once at once, and the rest when SIGTERM comes: first what is known, then all."""
    agent = start_through("spaced", "--interval", "1h,1h")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("spaced", 1)
    for epoch in range(2, 100):
        append(agent.metrics, {"epoch": epoch, "loss": epoch})
    agent.stop()
    reports = [request for request in proxy.of("PATCH") if request.body["status"]["agent"]["accepted"]]
    first, *known, last = [request.body["status"]["epoch"] for request in reports]
    assert (first, last) == (1, 99) and len(known) <= 1


def test_token_is_read_again_for_each_request(start_through, proxy, results, agent_token):
    agent = start_through("rotated")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("rotated", 1)
    new = agent_token("rotated-abcde", duration="2h")
    agent.token_file.write_text(new + "\n")
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    results.wait_for_accepted("rotated", 2)
    assert proxy.of("PATCH")[-1].headers["Authorization"] == f"Bearer {new}"


def test_a_token_that_goes_bad_and_comes_back(start, results, agent_token):
    agent = start("revoked")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("revoked", 1)
    good = agent.token_file.read_text()
    agent.token_file.write_text("not-a-token")
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    agent.wait_for_log("unauthorized")
    agent.token_file.write_text("")
    agent.token_file.write_text(good)
    results.wait_for_accepted("revoked", 2)


def test_a_client_certificate_opens_the_door(cluster, start, results, tmp_path):
    with FaultProxy(cluster.server, cluster.ca_file, wants_client_cert=True) as door:
        there = {"server": door.server, "ca_file": door.ca_file}
        refused = start("without", **there)
        append(refused.metrics, {"epoch": 1, "loss": 1})
        refused.wait_for_log("unreachable")
        append(start("with", "--state", tmp_path / "state", "--client-cert", door.ca_file, "--client-key", door.key_file,
                     **there).metrics,
               {"epoch": 2, "loss": 0.5})
        results.wait_for_accepted("with", 1)
        assert results.get("without") is None


def test_only_index_0_of_an_indexed_job_publishes(start, results):
    second = start("indexed", env={"JOB_COMPLETION_INDEX": "1"})
    second.wait_for_log("only index 0")
    append(second.metrics, {"epoch": 1, "loss": 1})
    second.stop()
    assert results.get("indexed") is None
    start("indexed", env={"JOB_COMPLETION_INDEX": "0"})
    results.wait_for_accepted("indexed", 1)


def test_proxies_of_the_environment_are_ignored(start, results):
    dead = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY")}
    append(start("direct", env=dead).metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("direct", 1)


def test_a_server_that_is_not_trusted_gets_nothing(start, proxy, cluster, results):
    agent = start("untrusted", server=proxy.server, ca_file=cluster.ca_file)
    agent.wait_for_log("certificate")
    agent.stop_in_vain()
    assert proxy.requests == []


def test_a_certificate_of_another_host_is_refused(start, cluster):
    with FaultProxy(cluster.server, cluster.ca_file, names="DNS:elsewhere.example") as proxy:
        agent = start("misnamed", server=proxy.server, ca_file=proxy.ca_file)
        agent.wait_for_log("unreachable")
        agent.stop_in_vain()
        assert proxy.requests == []


def test_ipv6(start, cluster, results):
    if not os.path.exists("/proc/net/if_inet6") or "00000000000000000000000000000001" not in open("/proc/net/if_inet6").read():
        pytest.fail("this test needs the loopback address ::1")
    with FaultProxy(cluster.server, cluster.ca_file, names="IP:::1", address="::1") as proxy:
        port = proxy.server.rsplit(":", 1)[1]
        # As in a pod of an IPv6 cluster: the agent makes the URL itself.
        agent = start("six", server=proxy.server, ca_file=proxy.ca_file)
        append(agent.metrics, {"epoch": 1, "loss": 1})
        results.wait_for_accepted("six", 1)
        assert f"[::1]:{port}" in proxy.requests[0].headers["Host"]


# --- the end ---


def test_the_end_comes_in_time_also_when_the_server_hangs(start_through, proxy, results):
    """SIGTERM with a report under way that is never answered: the agent still leaves by itself."""
    agent = start_through("hanging")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("hanging", 1)
    hold = proxy.add(Hold())
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    proxy.wait_for(lambda request: is_patch(request) and request.status is None)
    agent.stop_in_vain()
    hold.release()


def test_the_last_report_waits_for_one_that_is_under_way(start_through, proxy, results):
    agent = start_through("slow")
    append(agent.metrics, {"epoch": 1, "loss": 1})
    results.wait_for_accepted("slow", 1)
    hold = proxy.add(Hold(), method="PATCH", times=1)
    append(agent.metrics, {"epoch": 2, "loss": 0.5})
    proxy.wait_for(lambda request: is_patch(request) and request.status is None)
    append(agent.metrics, {"end": True})
    agent.process.terminate()
    agent.wait_for_log("reading what is left")
    hold.release()
    assert agent.process.wait() == 0
    status = results.get("slow")["status"]
    assert status["phase"] == "Succeeded"
    assert curve(status, "loss") == {1: 1, 2: 0.5}
