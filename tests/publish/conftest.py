import http.client
import json
import os
import subprocess

import pytest

from agent.harness import AGENT, clean_environment, wait_for_line
from cluster import objects
from cluster.fixtures import *  # noqa: F401,F403
from faults.proxy import FaultProxy


class ClusterAgent:
    """The real agent, publishing to the real API server as the pod POD of Job JOB would."""

    def __init__(self, tmp_path, server, ca_file, token, namespace, job, flags, env, command=()):
        self.dir = tmp_path / "experiments"
        self.dir.mkdir(exist_ok=True)
        self.metrics = self.dir / "metrics.jsonl"
        self.token_file = tmp_path / "token"
        self.token_file.write_text(token)
        self.log_file = tmp_path / f"agent-{job}.log"
        self.clock = tmp_path / "clock"
        if not self.clock.exists():
            os.mkfifo(self.clock)
        environment = clean_environment({"JOB_NAME": job, "EXPERIMENTS_TEST_CLOCK": str(self.clock), **(env or {})})
        arguments = [AGENT, *(["run"] if command else []), "--dir", self.dir, "--server", server, "--ca-file", ca_file, "--token-file",
                     self.token_file, "--namespace", namespace, "--interval", "50ms,50ms", "--verbose", *flags,
                     *(["--", *command] if command else [])]
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(arguments, stderr=log, env=environment, stdin=subprocess.PIPE if command else None,
                                            stdout=subprocess.PIPE if command else None)

    @property
    def log(self):
        return self.log_file.read_text()

    def wait_for_log(self, text):
        wait_for_line(self.log_file, self.process, text)

    def advance(self, seconds):
        """Sets the agent's clock forward."""
        self.clock.write_text(f"{seconds}\n")

    def stop(self):
        """SIGTERM, and the end of it: exit code 0."""
        self.process.terminate()
        assert self.process.wait() == 0, self.log
        return self.log

    def stop_in_vain(self):
        """The same where the last report cannot get through: a pod's default grace period of 30 s is
        enough to leave by itself."""
        self.process.terminate()
        self.wait_for_log("reading what is left")
        self.advance(25)
        assert self.process.wait() == 0, self.log
        assert "did not get through in time" in self.log
        return self.log

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in filter(None, (self.process.stdin, self.process.stdout)):
            pipe.close()


class Results:
    """Reads and watches Results of the test's namespace."""

    def __init__(self, api, namespace):
        self.api = api
        self.path = f"/apis/ml.intel.com/v2/namespaces/{namespace}/results"

    def get(self, name):
        reply = self.api.get(f"{self.path}/{name}")
        return reply.body if reply.status == 200 else None

    def wait_for(self, name, condition):
        """Waits, by a watch, until the status of the Result fulfils the condition; returns the Result."""
        connection = http.client.HTTPSConnection(self.api.host, int(self.api.port), context=self.api.context)
        connection.request("GET", f"{self.path}?watch=true&fieldSelector=metadata.name={name}",
                           headers={"Authorization": "Bearer " + self.api.token})
        try:
            for line in connection.getresponse():
                event = json.loads(line)
                assert "type" in event, f"the watch of {name} was refused: {event}"
                if event["type"] in ("ADDED", "MODIFIED") and condition(event["object"].get("status", {})):
                    return event["object"]
        finally:
            connection.close()
        raise AssertionError(f"the watch of {name} ended")

    def wait_for_accepted(self, name, n):
        return self.wait_for(name, lambda status: status.get("agent", {}).get("accepted", 0) >= n)


@pytest.fixture
def results(api, namespace):
    return Results(api, namespace)


@pytest.fixture
def start(tmp_path, cluster, api, namespace, agent_token):
    """start("job", *flags, server=…, ca_file=…, env=…) starts an agent that ends with the test. Agents of
    one place, a folder's name, share what they follow, as in one pod. named: it is told its pod's
    name and uid. command: that it runs, with pipes."""
    agents = []

    def start_agent(job, *flags, server=None, ca_file=None, env=None, pod=None, place=".", named=False,
                    command=()):
        (tmp_path / place).mkdir(exist_ok=True)
        pod = pod or f"{job}-abcde"
        token = agent_token(pod)
        if named:
            uid = api.get(objects.path("Pod", namespace, pod, version="v1")).body["metadata"]["uid"]
            env = {"POD_NAME": pod, "POD_UID": uid, **(env or {})}
        agent = ClusterAgent(tmp_path / place, server or cluster.server, ca_file or cluster.ca_file, token, namespace,
                             job, flags, env, command)
        agents.append(agent)
        return agent

    yield start_agent
    for agent in agents:
        agent.close()


@pytest.fixture
def start_in(start, start_through):
    """start_in(pod, …) starts the agent of a Pod as stored: with its Job's name, its own, and a directory
    of its own. through_proxy: with the proxy between."""

    def start_in_pod(pod, *flags, through_proxy=False, env=None, **more):
        metadata = pod["metadata"]
        who = {"POD_NAME": metadata["name"], "POD_UID": metadata["uid"], **(env or {})}
        return (start_through if through_proxy else start)(
            metadata["labels"]["job-name"], *flags, pod=metadata["name"], place=metadata["name"], env=who, **more)

    return start_in_pod


@pytest.fixture
def proxy(cluster):
    """A FaultProxy before the shared server."""
    with FaultProxy(cluster.server, cluster.ca_file) as fault_proxy:
        yield fault_proxy


@pytest.fixture
def set_trainer(api, namespace):
    """set_trainer(pod, exit_code=1, …): the pod's status as the kubelet writes it when the trainer ended,
    or with again=True: ended before and runs again. phase: of the pod, where it ends with it."""

    def set_status(pod, exit_code=0, reason="Error", restarts=0, again=False, phase=None):
        ended = {"terminated": {"exitCode": exit_code, "reason": reason}}
        status = {"name": "train", "image": "train", "imageID": "train", "ready": again, "restartCount": restarts,
                  **({"state": {"running": {}}, "lastState": ended} if again else {"state": ended})}
        reply = api.patch(objects.path("Pod", namespace, pod["metadata"]["name"], version="v1", subresource="status"),
                          {"status": {"containerStatuses": [status], **({"phase": phase} if phase else {})}})
        assert reply.status == 200, reply

    return set_status


@pytest.fixture
def start_through(start, proxy):
    """start(), with the proxy between agent and server."""
    return lambda job, *flags, **more: start(job, *flags, server=proxy.server, ca_file=proxy.ca_file, **more)
