"""pytest fixtures around a real API server. A conftest.py of another directory gets them with

    from cluster.fixtures import *

(tests/ on the path). All of one pytest run share one server: the one that EXPERIMENTS_TEST_CLUSTER
names, else one of their own that ends with the run.
"""

import itertools
import json
import os
import re

import pytest

from . import objects
from .apiserver import ApiServer

__all__ = ["agent_token", "api", "cluster", "controlled_cluster", "kubectl", "make_experiment", "make_job",
           "make_pod", "make_result", "namespace", "private_cluster"]

_SERVER = pytest.StashKey()
_serial = itertools.count(1)


@pytest.fixture(scope="session")
def cluster(request, tmp_path_factory):
    """The shared ApiServer. Tests that stop or pause theirs take private_cluster."""
    config = request.config
    if _SERVER not in config.stash:
        directory = os.environ.get("EXPERIMENTS_TEST_CLUSTER")
        if directory:
            config.stash[_SERVER] = ApiServer(directory).attach()
        else:
            server = ApiServer(tmp_path_factory.mktemp("cluster")).start(parent_pid=os.getpid())
            config.add_cleanup(server.stop)
            config.stash[_SERVER] = server
    return config.stash[_SERVER]


@pytest.fixture
def private_cluster(tmp_path_factory):
    """An ApiServer for one test alone, to be stopped, restarted or paused. Takes some 4 s."""
    with ApiServer(tmp_path_factory.mktemp("cluster")) as server:
        yield server


@pytest.fixture(scope="session")
def controlled_cluster(tmp_path_factory):
    """An ApiServer with a kube-controller-manager, shared by the tests of one run that need it."""
    with ApiServer(tmp_path_factory.mktemp("controlled"), controllers=True) as server:
        yield server


@pytest.fixture
def api(cluster):
    """Raw calls as the administrator."""
    return cluster.api()


@pytest.fixture
def namespace(api, request):
    """A fresh namespace with the agent's service account and rights in it."""
    word = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:40].strip("-")
    return objects.create_namespace(api, f"{word}-{os.getpid()}-{next(_serial)}")


class Kubectl:
    """kubectl in the test's namespace."""

    def __init__(self, server, namespace_name):
        self.server = server
        self.namespace = namespace_name

    def __call__(self, *arguments, **options):
        """The completed process. check=False: a failure is no error; input: its standard input."""
        return self.server.kubectl("-n", self.namespace, *arguments, **options)

    def json(self, *arguments, **options):
        """Parsed output of -o json."""
        return json.loads(self(*arguments, "-o", "json", **options).stdout)


@pytest.fixture
def kubectl(cluster, namespace):
    return Kubectl(cluster, namespace)


@pytest.fixture
def make_experiment(api, namespace):
    """make_experiment("mnist", parameters={...}, ...): creates it, returns it as stored."""
    return lambda name, **more: objects.create(api, objects.experiment(namespace, name, **more))


@pytest.fixture
def make_job(api, namespace):
    """make_job("mnist-1a2b3c4d", of=experiment, parameters={...}, backoffLimit=0)"""
    return lambda name, **more: objects.create(api, objects.job(namespace, name, **more))


@pytest.fixture
def make_pod(api, namespace):
    """make_pod("mnist-1a2b3c4d-xyz12", of=job)"""
    return lambda name, **more: objects.create(api, objects.pod(namespace, name, **more))


@pytest.fixture
def make_result(api, namespace):
    """make_result("mnist-1a2b3c4d", of=experiment, status={...})"""

    def make(name, status=None, version="v2", **more):
        body = objects.create(api, objects.result(namespace, name, version=version,
                                                  status=status if version == "v1" else None, **more))
        if status is None or version == "v1":
            return body
        reply = objects.set_status(api, body, status)
        assert reply.status == 200, reply
        return reply.body

    return make


@pytest.fixture
def agent_token(kubectl, make_pod):
    """agent_token("mnist-1a2b3c4d-xyz12"): the token that the kubelet would mount into that pod's
    agent; the Pod is made when it does not exist."""

    def token(pod_name, duration="1h"):
        if kubectl("get", "pod", pod_name, check=False).returncode:
            make_pod(pod_name)
        return kubectl("create", "token", objects.AGENT, "--bound-object-kind", "Pod",
                       "--bound-object-name", pod_name, "--duration", duration).stdout.strip()

    return token
