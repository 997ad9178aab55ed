"""k8s/base/policy.yaml: an agent writes the Result of its own pod's Job, through either version, and nothing else."""

import pytest

from cluster import objects

LONG = "a-search-over-learning-rates-and-warm-up-lengths-0123456789-abc"  # 63 characters, as many as a name may have


def result(namespace, name, version="v2", **more):
    return {"apiVersion": f"ml.intel.com/{version}", "kind": "Result", "metadata": {"name": name, "namespace": namespace},
            **more}


@pytest.fixture
def act_as(cluster, agent_token):
    """act_as("mnist-abcde"): the API as the agent of that pod."""
    return lambda pod: cluster.api(agent_token(pod))


@pytest.fixture
def create(act_as, namespace):
    """create("mnist-abcde", "mnist", …): the pod's agent makes the Job's Result; the reply."""
    return lambda pod, name, version="v2", **more: act_as(pod).post(
        objects.path("Result", namespace, version=version), result(namespace, name, version=version, **more))


def refused(reply, because):
    assert reply.status in (403, 422), reply
    assert because in reply.body["message"], reply.body["message"]


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("pod, job", [
    ("mnist-abcde", "mnist"),
    ("mnist-0-abcde", "mnist"),
    ("mnist", "mnist"),  # a bare pod, whose Result has its own name
    (LONG[:58] + "abcde", LONG),
    (LONG[:58] + "abcde", LONG[:58]),
    (LONG[:57] + "-abcde", LONG[:57]),
    (LONG[:55] + "-0-abcde", LONG),
    (LONG[:55] + "-0-abcde", LONG[:55]),
])
def test_the_result_of_the_own_job_is_made(create, version, pod, job):
    assert create(pod, job, version=version).status == 201


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("pod, job", [
    ("mnist-abcde", "mnis"),
    ("mnist-abcde", "mnist-abcd"),
    ("mnist-1-abcde", "mnist"),  # another index than 0 of an Indexed Job
    ("mnist-abcdef", "mnist"),
    ("mnist-large-abcde", "mnist"),
    (LONG[:58] + "abcde", LONG[:56]),
    (LONG[:55] + "-1-abcde", LONG),
])
def test_no_other_result_is_made(create, version, pod, job):
    refused(create(pod, job, version=version), f"pod {pod} is none of Job {job}, whose Result this is")


def test_a_token_that_is_bound_to_no_pod_is_refused(cluster, kubectl, namespace):
    token = kubectl("create", "token", objects.AGENT).stdout.strip()
    reply = cluster.api(token).post(objects.path("Result", namespace), result(namespace, "mnist"))
    refused(reply, "an agent reports from a pod, with a token that is bound to it")


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("fields, because", [
    ({"metadata": {"finalizers": ["example.com/stay"]}}, "sets no finalizers"),
    ({"spec": {"stop": {"requested": True}}}, "asks for no stop"),
])
def test_what_no_agent_makes_is_refused(act_as, namespace, fields, because, version):
    body = result(namespace, "mnist", version=version)
    body["metadata"].update(fields.get("metadata", {}))
    body.update({name: value for name, value in fields.items() if name != "metadata"})
    refused(act_as("mnist-abcde").post(objects.path("Result", namespace, version=version), body), because)


def report(api, namespace, name, attempt):
    return api.patch(objects.path("Result", namespace, name, subresource="status"), {"status": {"attempt": attempt}})


def test_it_reports_for_its_own_job_and_for_its_own_pod(act_as, api, namespace, make_result):
    for name in ("mnist", "other"):
        make_result(name)
    agent = act_as("mnist-abcde")
    uid = api.get(objects.path("Pod", namespace, "mnist-abcde", version="v1")).body["metadata"]["uid"]
    assert report(agent, namespace, "mnist", {"podUID": uid, "number": 1}).status == 200
    refused(report(agent, namespace, "other", {"podUID": uid, "number": 1}), "is none of Job other")
    refused(report(agent, namespace, "mnist", {"podUID": "0" * 36, "number": 2}), "attempt.podUID is to be that of pod")


def test_a_status_report_changes_nothing_else(act_as, api, namespace, make_result):
    before = make_result("mnist", parameters={"lr": 0.1})
    reply = act_as("mnist-abcde").patch(
        objects.path("Result", namespace, "mnist", subresource="status"),
        {"metadata": {"labels": {"a": "b"}, "finalizers": ["example.com/stay"]}, "spec": {"parameters": {"lr": 1}},
         "status": {"summary": "epoch 1"}})
    after = api.get(objects.path("Result", namespace, "mnist")).body
    assert after["spec"] == before["spec"]
    assert "finalizers" not in after["metadata"] and "labels" not in after["metadata"]
    assert reply.status == 403 or after["status"]["summary"] == "epoch 1"


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("verb", ["put", "patch", "delete"])
def test_the_object_itself_is_out_of_reach(act_as, api, namespace, make_result, version, verb):
    """By the role: v1 has no status subresource, and is no way around."""
    make_result("mnist")
    agent, path = act_as("mnist-abcde"), objects.path("Result", namespace, "mnist", version=version)
    body = {**api.get(path).body, "status": {"summary": "forged"}}
    reply = agent.delete(path) if verb == "delete" else getattr(agent, verb)(path, body)
    refused(reply, "cannot")
    assert "status" not in api.get(path).body


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("fields, because", [
    ({"spec": {"stop": {"requested": False}}}, "says nothing in the spec"),
    ({"metadata": {"labels": {"a": "b"}}}, "leaves labels, annotations and owners"),
    ({"metadata": {"annotations": {"a": "b"}}}, "leaves labels, annotations and owners"),
    ({"metadata": {"finalizers": ["example.com/stay"]}}, "sets no finalizers"),
])
def test_a_role_that_allows_too_much_opens_nothing(act_as, api, namespace, make_result, version, fields, because):
    make_result("mnist", parameters={"lr": 0.1})
    path = "/apis/rbac.authorization.k8s.io/v1/namespaces/" + namespace
    assert api.post(path + "/roles", {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
                                      "metadata": {"name": "too-much"},
                                      "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}).status == 201
    assert api.post(path + "/rolebindings", {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "too-much"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "too-much"},
        "subjects": [{"kind": "ServiceAccount", "name": objects.AGENT, "namespace": namespace}]}).status == 201
    agent = act_as("mnist-abcde")
    while agent.get(objects.path("Result", namespace)).status == 403:
        pass  # the server has not heard of the binding yet
    refused(agent.patch(objects.path("Result", namespace, "mnist", version=version), fields), because)
    refused(agent.delete(objects.path("Result", namespace, "mnist", version=version)), "an agent deletes no Result")
    refused(agent.delete(objects.path("Result", namespace, version=version)), "an agent deletes no Result")


def test_a_role_of_another_namespace_opens_nothing(act_as, api, namespace):
    """A Job of the same name there is not the pod's."""
    other = objects.create_namespace(api, namespace[:60] + "-b")
    assert api.post(f"/apis/rbac.authorization.k8s.io/v1/namespaces/{other}/rolebindings", {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "from-elsewhere"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": objects.AGENT},
        "subjects": [{"kind": "ServiceAccount", "name": objects.AGENT, "namespace": namespace}]}).status == 201
    agent = act_as("mnist-abcde")
    while agent.get(objects.path("Result", other, "mnist")).status == 403:
        pass  # the server has not heard of the binding yet
    refused(agent.post(objects.path("Result", other), result(other, "mnist")),
            "an agent reports in the namespace of its pod")


def test_others_are_not_concerned(cluster, kubectl, api, namespace, make_result):
    """Neither an optimizer's service account nor a person."""
    make_result("mnist")
    kubectl("create", "serviceaccount", "optimizer")
    kubectl("create", "rolebinding", "optimizer", "--clusterrole=cluster-admin", f"--serviceaccount={namespace}:optimizer")
    optimizer = cluster.api(kubectl("create", "token", "optimizer").stdout.strip())
    stop = {"spec": {"stop": {"requested": True, "reason": "median rule"}}}
    assert optimizer.patch(objects.path("Result", namespace, "mnist"), stop).status == 200
    assert optimizer.post(objects.path("Result", namespace), result(namespace, "new")).status == 201
    assert api.patch(objects.path("Result", namespace, "mnist"), {"metadata": {"labels": {"a": "b"}}}).status == 200
