"""Objects of the API for tests: made as dictionaries, created with an Api (apiserver.py)."""

import json

GROUP = "ml.intel.com"

PATHS = {
    "Experiment": "/apis/ml.intel.com/{version}/namespaces/{namespace}/experiments",
    "Result": "/apis/ml.intel.com/{version}/namespaces/{namespace}/results",
    "Job": "/apis/batch/v1/namespaces/{namespace}/jobs",
    "Pod": "/api/v1/namespaces/{namespace}/pods",
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/rolebindings",
}

AGENT = "experiments-agent"  # the agent's service account, role and binding of k8s/base


def path(kind, namespace, name=None, version="v2", subresource=None):
    """Where objects of a kind are: the collection, one object, or its subresource."""
    parts = [PATHS[kind].format(namespace=namespace, version=version), name, subresource]
    return "/".join(part for part in parts if part)


def create(api, body):
    """Creates an object in the namespace of its metadata; returns it as stored, or fails the test."""
    version = body["apiVersion"].rsplit("/", 1)[-1]
    reply = api.post(path(body["kind"], body["metadata"]["namespace"], version=version)
                     + "?fieldValidation=Strict", body)
    assert reply.status == 201, reply
    return reply.body


def create_namespace(api, name):
    """A namespace with the agent's service account and rights, as k8s/base has them for "default"."""
    reply = api.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    assert reply.status == 201, reply
    for kind in ("ServiceAccount", "Role", "RoleBinding"):
        body = api.get(path(kind, "default", AGENT)).body
        body["metadata"] = {"name": AGENT, "namespace": name}
        for subject in body.get("subjects", []):
            subject["namespace"] = name
        create(api, body)
    return name


def pod_template(labels=None):
    return {
        "metadata": {"labels": labels or {}},
        "spec": {
            "serviceAccountName": AGENT,
            "restartPolicy": "Never",
            "containers": [{"name": "train", "image": "localhost/train:1"}],
        },
    }


def experiment(namespace, name, version="v2", **spec):
    return {
        "apiVersion": f"{GROUP}/{version}",
        "kind": "Experiment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"parameters": {}, "jobSpec": {"template": pod_template()}, **spec},
    }


def owner(body, controller=True):
    """The ownerReference that makes body the owner."""
    return {"apiVersion": body["apiVersion"], "kind": body["kind"], "name": body["metadata"]["name"],
            "uid": body["metadata"]["uid"], "controller": controller}


def job(namespace, name, of=None, parameters=None, **spec):
    """A Job as an optimizer makes it; of: the Experiment as stored."""
    metadata = {"name": name, "namespace": namespace}
    if of:
        metadata["labels"] = {"experiment_uid": of["metadata"]["uid"], "experiment_name": of["metadata"]["name"]}
        metadata["annotations"] = {"job_parameters": json.dumps(parameters or {})}
        metadata["ownerReferences"] = [owner(of)]
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata,
            "spec": {"template": pod_template(), **spec}}


def pod(namespace, name, of=None):
    """A Pod as the Job controller makes it; of: the Job as stored."""
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace},
            "spec": pod_template()["spec"]}
    if of:
        body["metadata"]["ownerReferences"] = [owner(of)]
        body["metadata"]["labels"] = {"batch.kubernetes.io/job-name": of["metadata"]["name"],
                                      "batch.kubernetes.io/controller-uid": of["metadata"]["uid"],
                                      "job-name": of["metadata"]["name"]}
    return body


def result(namespace, name, version="v2", status=None, of=None, **spec):
    """A Result; of: its Experiment as stored. v2 takes no status when it is made: see set_status()."""
    body = {"apiVersion": f"{GROUP}/{version}", "kind": "Result", "metadata": {"name": name, "namespace": namespace}}
    if of:
        body["metadata"]["labels"] = {"experiment": of["metadata"]["name"]}
        body["metadata"]["ownerReferences"] = [owner(of)]
        if version != "v1":
            spec.setdefault("experiment", of["metadata"]["name"])
    if spec:
        body["spec"] = spec
    if status is not None:
        body["status"] = status
    return body


def set_status(api, body, status, query="?fieldValidation=Strict"):
    """Writes the status of an object as stored, as the agent does; returns the Reply."""
    metadata = body["metadata"]
    return api.patch(path(body["kind"], metadata["namespace"], metadata["name"], subresource="status") + query,
                     {"status": status})
