"""The way to a real API server, and what it answers. Numbers are those of docs/guarantees.md."""

import copy
import os

import pytest

from cluster.fixtures import *  # noqa: F401,F403
from faults.proxy import LoseReply, LoseRequest, Reply
from publish.conftest import proxy, results, start, start_through  # noqa: F401

from scenarios.oracle import Oracle
from scenarios.tools import anonymous_kib, kill, wait_until_asleep

STATUS = '{"kind":"Status","apiVersion":"v1","status":"Failure","message":"%s","reason":"%s","code":%d}'


def is_patch(request):
    return request.method == "PATCH"


def visible(result):
    """What of a Result does not depend on when and under which name it was made."""
    result = copy.deepcopy(result)
    metadata, status = result["metadata"], result["status"]
    for name in ("startTime", "lastReportTime", "completionTime"):
        status.pop(name, None)
    for condition in status["conditions"]:
        del condition["lastTransitionTime"]
    for name in ("podName", "podUID", "jobUID"):
        status["attempt"].pop(name, None)
    return {"labels": metadata.get("labels"), "owners": len(metadata.get("ownerReferences", [])),
            "spec": result.get("spec"), "status": status}


def wait_for_all(results, job, oracle):
    return results.wait_for_accepted(job, oracle.accepted)


@pytest.fixture
def undisturbed(start, results, tmp_path):
    """undisturbed(lines): what a Result looks like when nothing fails."""
    def make(n):
        oracle = Oracle()
        folder = tmp_path / "undisturbed"
        folder.mkdir()
        agent = start("undisturbed", "--dir", folder)
        oracle.write(folder / "metrics.jsonl", n)
        wait_for_all(results, "undisturbed", oracle)
        agent.stop()
        return visible(results.get("undisturbed"))

    return make


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_02_the_reply_is_lost_after_the_server_committed_it(start_through, proxy, results, oracle, undisturbed, method):
    expected = undisturbed(6)
    proxy.add(LoseReply(), method=method, times=2)
    agent = start_through("job")
    oracle.write(agent.metrics, 3)
    wait_for_all(results, "job", oracle)
    proxy.add(LoseReply(), method=method, times=1)
    oracle.write(agent.metrics, 3)
    wait_for_all(results, "job", oracle)
    agent.stop()
    oracle.check(results.get("job")["status"])
    assert visible(results.get("job")) == expected
    assert None in [request.status for request in proxy.of(method)]


@pytest.mark.parametrize("when", ["before-the-reply", "after-the-reply"])
def test_03_killed_between_a_2xx_and_the_checkpoint(start_through, proxy, results, oracle, undisturbed, when):
    """The server has it; whether the agent had heard so, or had kept that, makes no difference."""
    expected = undisturbed(8)
    agent = start_through("job", named=True)
    for _ in range(3):
        oracle.write(agent.metrics, 2)
        if when == "before-the-reply":
            proxy.add(LoseReply(), method="PATCH", times=1)
        wait_for_all(results, "job", oracle)
        kill(agent)
        agent = start_through("job", named=True)
    oracle.write(agent.metrics, 2)
    wait_for_all(results, "job", oracle)
    agent.stop()
    oracle.check(results.get("job")["status"])
    assert visible(results.get("job")) == expected
    assert [request.status for request in proxy.of("POST")] == [201]


@pytest.mark.parametrize("fault", [LoseRequest(), Reply(503, {}, "down")], ids=["unreachable", "503"])
def test_31_the_server_is_down_for_an_hour(start_through, proxy, results, oracle, fault):
    """Memory does not grow with what is written meanwhile, and few requests are made."""
    agent = start_through("job", "--interval", "5s,60s")
    oracle.write(agent.metrics, 3)
    wait_for_all(results, "job", oracle)
    proxy.add(fault)
    used = []
    for minute in range(60):
        with open(agent.metrics, "ab") as writer:
            writer.write(oracle.block(3000))
        agent.advance(60)
        wait_until_asleep(agent)
        if minute in (29, 59):
            used.append(anonymous_kib(agent.process))
    down = len(proxy.requests)
    proxy.clear()
    agent.advance(600)
    agent.wait_for_log("the API server is back")
    agent.stop()
    oracle.check(results.get("job")["status"])
    assert used[1] <= used[0] + 256
    assert down < 200


@pytest.mark.parametrize("code", [429, 503])
def test_32_retry_after_is_honoured(start_through, proxy, results, oracle, code):
    """By the agent's clock, which stands as good as still: no request before, one soon after."""
    agent = start_through("job")
    oracle.write(agent.metrics, 3)
    wait_for_all(results, "job", oracle)
    patches = len(proxy.of("PATCH"))
    proxy.add(Reply(code, {"Retry-After": "300"}, "later"), method="PATCH", times=1)
    oracle.write(agent.metrics, 3)
    proxy.wait_for(is_patch, patches + 1)
    agent.wait_for_log(f"{code}")
    oracle.write(agent.metrics, 3)  # more to say is no reason to ask earlier
    for _ in range(9):
        agent.advance(30)
        wait_until_asleep(agent)
    assert len(proxy.of("PATCH")) == patches + 1
    while len(proxy.of("PATCH")) == patches + 1:  # and soon after
        agent.advance(30)
        wait_until_asleep(agent)
    wait_for_all(results, "job", oracle)
    agent.stop()
    oracle.check(results.get("job")["status"])


def test_33_409_on_create(start_through, proxy, results, oracle, make_result):
    """Somebody made it between our look and our create: theirs is read back, and gone on with."""
    made = make_result("job")
    proxy.add(Reply(404, {}, STATUS % ("not found", "NotFound", 404)), method="GET", path="/results/job", times=1)
    agent = start_through("job")
    oracle.write(agent.metrics, 3)
    result = wait_for_all(results, "job", oracle)
    agent.stop()
    assert result["metadata"]["uid"] == made["metadata"]["uid"]
    assert [request.status for request in proxy.of("POST")] == [409]
    after = [request for request in proxy.requests if request.path.endswith(("/results", "/results/job"))]
    create = next(i for i, request in enumerate(after) if request.method == "POST")
    assert after[create + 1].method == "GET"
    oracle.check(results.get("job")["status"])


def test_33_a_quota_that_is_full(start_through, proxy, results, oracle):
    """403 is of no use to tell whether ours is there: looked again, and made when there is room."""
    quota = Reply(403, {}, STATUS % ("exceeded quota: count/results", "Forbidden", 403))
    proxy.add(quota, method="POST", times=3)
    agent = start_through("job")
    oracle.write(agent.metrics, 3)
    agent.wait_for_log("exceeded quota")
    result = None
    while not result or result.get("status", {}).get("agent", {}).get("accepted") != 3:
        agent.advance(60)
        wait_until_asleep(agent)
        result = results.get("job")
    agent.stop()
    oracle.check(results.get("job")["status"])
    calls = [request.method for request in proxy.requests if request.path.endswith(("/results", "/results/job"))]
    assert calls[:8] == ["GET", "POST"] * 4


@pytest.mark.parametrize("code, reason, message", [
    (400, "BadRequest", "cannot parse"),
    (422, "Invalid", "status.x: Invalid value"),
    (413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728"),
    (404, "NotFound", "the server could not find the requested resource"),
], ids=["400", "422", "413", "404"])
def test_34_a_permanent_4xx_is_said(start_through, proxy, results, oracle, code, reason, message):
    """In the log, with what the server said; and what is written later gets through when it can."""
    agent = start_through("job")
    oracle.write(agent.metrics, 3)
    wait_for_all(results, "job", oracle)
    proxy.add(Reply(code, {}, STATUS % (message, reason, code)), method="PATCH")
    oracle.write(agent.metrics, 3)
    agent.wait_for_log(message)
    requests = len(proxy.requests)
    for _ in range(60):
        agent.advance(60)
        wait_until_asleep(agent)
    assert len(proxy.requests) - requests < 400
    proxy.clear()
    oracle.write(agent.metrics, 3)
    agent.advance(600)
    wait_for_all(results, "job", oracle)
    agent.stop()
    oracle.check(results.get("job")["status"])
    said = [line for line in agent.log.splitlines() if message in line]
    assert any("error" in line or "warning" in line for line in said)


def test_44_the_token_is_rotated(start_through, proxy, results, oracle, agent_token, tmp_path):
    """As the kubelet does it: the file is a link through ..data, which is swapped."""
    agent = start_through("job")
    oracle.write(agent.metrics, 3)
    wait_for_all(results, "job", oracle)
    tokens = []
    for k in (1, 2):
        tokens.append(agent_token("job-abcde", duration=f"{k + 1}h"))
        folder = tmp_path / f"..token-{k}"
        folder.mkdir()
        (folder / "token").write_text(tokens[-1])
        (tmp_path / "..data_tmp").symlink_to(folder.name)
        os.replace(tmp_path / "..data_tmp", tmp_path / "..data")
        if k == 1:
            (tmp_path / "link").symlink_to("..data/token")
            os.replace(tmp_path / "link", agent.token_file)
        oracle.write(agent.metrics, 3)
        wait_for_all(results, "job", oracle)
        assert proxy.of("PATCH")[-1].headers["Authorization"] == f"Bearer {tokens[-1]}"
    agent.stop()
    oracle.check(results.get("job")["status"])


def test_07_a_backlog_at_sigterm_reaches_the_server(start_through, results, oracle):
    agent = start_through("job", "--interval", "1h,1h")
    oracle.write(agent.metrics, 3)
    wait_for_all(results, "job", oracle)
    oracle.write(agent.metrics, 30000)
    agent.stop()
    oracle.check(results.get("job")["status"])
