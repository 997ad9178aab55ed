"""The API of k8s/base on a real server: what it takes, what it refuses, and how kubectl shows it."""

import copy
import datetime
import json
import re
import textwrap

import kubernetes
import pytest

from . import objects
from .apiserver import BASE, CRDS

FREE = {"spec.jobSpec", "spec.jobSpec.template", "status.values", "status.job_parameters"}
PHASES = ["Pending", "Running", "Succeeded", "Failed", "Stopped", "Interrupted"]

# All that the agent publishes.
STATUS = {
    "phase": "Running",
    "summary": "epoch 12/90 loss=0.21 val_acc=0.93",
    "epoch": 12,
    "totalEpochs": 90,
    "step": 11000,
    "values": {"loss": 0.21, "val_acc": 0.93},
    "job_parameters": {"lr": 0.01, "optimizer": "adam", "nesterov": True, "layers": [64, 64]},
    "axis": "epoch",
    "x": [1, 2, 2.5, 12],
    "metrics": [
        {"name": "loss", "latest": 0.21, "min": 0.21, "max": 2.3, "values": [2.3, None, 0.4, 0.21]},
        {"name": "val_acc", "latest": 0.93, "min": 0.5, "max": 0.93, "values": [None, 0.5, None, 0.93]},
        {"name": "only/nan", "values": [None, None, None, None]},
    ],
    "objective": {"metric": "val_acc", "value": 0.93, "epoch": 12},
    "nonFinite": {"loss": 3, "only/nan": 4},
    "outputPath": "/mnt/out/mnist-7f3a",
    "checkpoint": {"path": "/mnt/out/mnist-7f3a/12.pt", "epoch": 11.5},
    "attempt": {"jobUID": "0f3e", "podName": "mnist-7f3a-abcde", "podUID": "11aa", "number": 1, "exitCode": 0,
                "restarts": 0, "reason": "Completed"},
    "startTime": "2026-01-01T10:00:00.123456Z",
    "lastReportTime": "2026-01-01T11:00:00Z",
    "completionTime": "2026-01-01T12:00:00Z",
    "conditions": [{"type": "Reporting", "status": "True", "reason": "Reporting", "message": "",
                    "lastTransitionTime": "2026-01-01T10:00:00Z"}],
    "agent": {"version": "0.1.0", "accepted": 1234, "rejected": 2, "dropped": 0, "lostBytes": 0,
              "notes": ["loss is taken from metrics.jsonl, not from stdout"]},
}

SPACE = {
    "parameters": {"batch": [32, 64], "optimizer": ["adam", "sgd"], "nesterov": [True, False], "drop": [0, 0.5, "auto"]},
    "ranges": {"lr": {"min": 0.0001, "max": 0.1, "scale": "Log", "type": "Double"},
               "layers": {"min": 1, "max": 9, "scale": "Linear", "step": 2, "type": "Integer"},
               "momentum": {"min": 0.5, "max": 0.999, "scale": "ReverseLog", "type": "Double"}},
}


# --- the schema ---


def schema_of(api, crd, version):
    body = api.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd}").body
    return next(one["schema"]["openAPIV3Schema"] for one in body["spec"]["versions"] if one["name"] == version)


def walk(schema, path=""):
    """Each node of a schema with its path; the server adds what metadata holds."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        if path or name != "metadata":
            yield from walk(child, f"{path}.{name}".lstrip("."))
    if isinstance(schema.get("additionalProperties"), dict):
        yield from walk(schema["additionalProperties"], path + ".*")
    if "items" in schema:
        yield from walk(schema["items"], path + "[]")


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("crd", CRDS)
def test_every_field_is_described(api, crd, version):
    for path, schema in walk(schema_of(api, crd, version)):
        text = schema.get("description", "")
        assert len(text) > 6 and text[-1] in ".)", f"{crd} {version} {path}: {text!r}"


@pytest.mark.parametrize("crd", CRDS)
def test_everything_is_bounded(api, crd):
    for path, schema in walk(schema_of(api, crd, "v2")):
        if path in FREE:
            assert schema["x-kubernetes-preserve-unknown-fields"], path
            continue
        if schema.get("type") == "string":
            assert "maxLength" in schema, path
        if schema.get("type") == "array":
            assert "maxItems" in schema, path
        if "additionalProperties" in schema:
            assert "maxProperties" in schema, path
        if schema.get("x-kubernetes-preserve-unknown-fields") and "type" in schema:
            assert "maxProperties" in schema, path


def test_versions_and_names(api):
    for crd, short in zip(CRDS, ("exp", "res")):
        spec = api.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd}").body["spec"]
        assert spec["conversion"]["strategy"] == "None"
        assert spec["names"]["shortNames"] == [short] and spec["names"]["categories"] == ["ml"]
        by_name = {one["name"]: one for one in spec["versions"]}
        assert by_name["v2"]["storage"] and by_name["v2"]["served"] and by_name["v2"]["subresources"] == {"status": {}}
        assert not by_name["v1"]["storage"] and by_name["v1"]["served"] and "subresources" not in by_name["v1"]


def test_server_has_no_complaints(api):
    for crd in CRDS:
        conditions = {one["type"]: one for one in api.get(
            f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{crd}").body["status"]["conditions"]}
        assert conditions["Established"]["status"] == "True"
        assert conditions["NamesAccepted"]["status"] == "True"
        assert conditions.get("NonStructuralSchema", {"status": "False"})["status"] == "False"


def test_base_in_another_namespace(cluster, tmp_path):
    """A kustomization with a namespace of its own moves all of the agent's rights there."""
    (tmp_path / "base").symlink_to(BASE)
    (tmp_path / "team").mkdir()
    (tmp_path / "team" / "kustomization.yaml").write_text("namespace: team\nresources: [../base]\n")
    text = cluster.kubectl("kustomize", tmp_path / "team").stdout
    # Service account, role, binding, and the binding's subject; and of the policy, which has no namespace, kustomize
    # does not know that: the server does.
    assert text.count("namespace: team") == 6
    assert "namespace: default" not in text
    made = cluster.kubectl("apply", "--dry-run=server", "-o", "name", "-f", "-", input=text, check=False).stdout
    assert "validatingadmissionpolicy.admissionregistration.k8s.io/experiments-agent" in made


# --- what v2 takes ---


def test_whole_status_is_kept(api, make_experiment, make_result, namespace):
    experiment = make_experiment("mnist", **SPACE)
    made = make_result("mnist-7f3a", of=experiment, parameters={"lr": 0.01, "optimizer": "adam"},
                       stop={"requested": True, "reason": "worse than the median"}, status=STATUS)
    for body in (made, api.get(objects.path("Result", namespace, "mnist-7f3a")).body):
        assert body["status"] == STATUS
        assert body["spec"] == {"experiment": "mnist", "parameters": {"lr": 0.01, "optimizer": "adam"},
                                "stop": {"requested": True, "reason": "worse than the median"}}


def test_whole_experiment_is_kept(api, make_experiment, namespace):
    job_spec = {"backoffLimit": 2, "ttlSecondsAfterFinished": 60, "template": objects.pod_template({"a": "b"})}
    spec = {**SPACE, "jobSpec": job_spec, "suspend": False, "output": "/mnt/results/$(JOB_NAME)",
            "objective": {"metric": "val_acc", "goal": "Maximize", "target": 0.99},
            "budget": {"maxJobs": 100, "parallelism": 4, "maxFailed": 5, "maxSeconds": 86400},
            "fidelity": {"axis": "epoch", "min": 1, "max": 81, "factor": 3, "parameter": "epochs"}}
    make_experiment("mnist", **spec)
    assert api.get(objects.path("Experiment", namespace, "mnist")).body["spec"] == spec


def test_range_defaults(make_experiment):
    made = make_experiment("mnist", ranges={"lr": {"min": 0, "max": 1}})
    assert made["spec"]["ranges"]["lr"] == {"min": 0, "max": 1, "scale": "Linear", "type": "Double"}


def test_result_without_spec_or_status(make_result):
    assert "spec" not in make_result("mnist-7f3a")


def test_nulls(api, make_result):
    """In a list of values null stays; a key that is null goes."""
    made = make_result("mnist-7f3a", status=STATUS)
    reply = objects.set_status(api, made, {"x": [1, 2], "values": {"loss": None}, "objective": None, "metrics": [
        {"name": "loss", "values": [None, 1]}]})
    assert reply.status == 200, reply
    status = reply.body["status"]
    assert status["metrics"] == [{"name": "loss", "values": [None, 1]}]
    assert status["values"] == {"val_acc": 0.93} and "objective" not in status and status["epoch"] == 12


@pytest.mark.parametrize("phase", PHASES)
def test_phases(api, make_result, phase):
    assert objects.set_status(api, make_result("mnist-7f3a"), {"phase": phase}).status == 200


@pytest.mark.parametrize("axis", ["epoch", "step", "trial", "row"])
def test_axes(api, make_result, axis):
    assert objects.set_status(api, make_result("mnist-7f3a"), {"axis": axis}).status == 200


def test_largest_status(api, make_result):
    """The bounds themselves are within, and checking them costs no more than the server allows."""
    rows = 2048
    status = {"x": list(range(rows)),
              "metrics": [{"name": f"{i:063}", "values": [0.5] * rows} for i in range(64)]}
    assert objects.set_status(api, make_result("mnist-7f3a"), status).status == 200


# --- what v2 refuses ---


def causes(reply):
    assert reply.status == 422, reply
    return [(cause["field"], cause["message"]) for cause in reply.body["details"]["causes"]]


@pytest.mark.parametrize("status, field", [
    ({"phase": "Weird"}, "status.phase"),
    ({"axis": "time"}, "status.axis"),
    ({"epoch": "12"}, "status.epoch"),
    ({"summary": "s" * 513}, "status.summary"),
    ({"x": list(range(2049))}, "status.x"),
    ({"x": [None]}, "status.x[0]"),
    ({"metrics": [{"values": []}]}, "status.metrics[0].name"),
    ({"metrics": [{"name": "n" * 64}]}, "status.metrics[0].name"),
    ({"metrics": [{"name": str(i)} for i in range(65)]}, "status.metrics"),
    ({"nonFinite": {"loss": -1}}, "status.nonFinite.loss"),
    ({"nonFinite": {str(i): 1 for i in range(65)}}, "status.nonFinite"),
    ({"attempt": {"number": 0}}, "status.attempt.number"),
    ({"startTime": "yesterday"}, "status.startTime"),
    ({"conditions": [{"type": "Reporting"}]}, "status.conditions[0].status"),
    ({"conditions": [{"type": "A", "status": "True"}] * 2}, "status.conditions[1]"),
    ({"agent": {"notes": ["n"] * 17}}, "status.agent.notes"),
])
def test_refused_status(api, make_result, status, field):
    found = causes(objects.set_status(api, make_result("mnist-7f3a"), status))
    assert field in [name for name, _ in found], found


@pytest.mark.parametrize("status", [
    {"x": [1, 2], "metrics": [{"name": "loss", "values": [1]}]},
    {"metrics": [{"name": "loss", "values": [1]}]},
    {"x": [1], "metrics": [{"name": "loss", "values": [1]}, {"name": "acc", "values": []}]},
])
def test_refused_columns_of_another_length(api, make_result, status):
    assert causes(objects.set_status(api, make_result("mnist-7f3a"), status)) == [
        ("status.metrics", 'Invalid value: values of a metric has to have as many items as x')]


def test_unknown_fields(api, make_result):
    made = make_result("mnist-7f3a")
    reply = objects.set_status(api, made, {"loss": 1})
    assert reply.status == 422 and 'unknown field "status.loss"' in reply.message
    reply = objects.set_status(api, made, {"loss": 1, "epoch": 3}, query="")
    assert reply.status == 200 and reply.body["status"] == {"epoch": 3}
    assert r'unknown field \"status.loss\"' in reply.headers["Warning"]


@pytest.mark.parametrize("spec, field, message", [
    ({"ranges": {"lr": {"min": 1, "max": 1}}}, "spec.ranges[lr].min", "min has to be less than max"),
    ({"ranges": {"lr": {"min": 0, "max": 1, "scale": "Log"}}}, "spec.ranges[lr].min", "scale Log or ReverseLog needs min > 0"),
    ({"ranges": {"lr": {"min": -1, "max": 1, "scale": "ReverseLog"}}}, "spec.ranges[lr].min", "needs min > 0"),
    ({"ranges": {"lr": {"min": 1, "max": 2, "scale": "Log", "step": 0.5}}}, "spec.ranges[lr].step", "step needs scale Linear"),
    ({"ranges": {"lr": {"min": 1, "max": 2, "step": 3}}}, "spec.ranges[lr].step", "within max - min"),
    ({"ranges": {"lr": {"min": 1, "max": 2, "step": 0}}}, "spec.ranges.lr.step", "greater than 0"),
    ({"ranges": {"n": {"min": 1, "max": 2.5, "type": "Integer"}}}, "spec.ranges[n].type", "needs whole min, max and step"),
    ({"ranges": {"n": {"min": 0.5, "max": 2, "type": "Integer"}}}, "spec.ranges[n].type", "needs whole min, max and step"),
    ({"ranges": {"n": {"min": 1, "max": 1e300, "type": "Integer"}}}, "spec.ranges[n].type", "2^53 - 1"),
    ({"ranges": {"n": {"min": 1, "max": 4, "step": 1.5, "type": "Integer"}}}, "spec.ranges[n].type", "whole"),
    ({"ranges": {"lr": {"min": 1}}}, "spec.ranges.lr.max", "Required value"),
    ({"ranges": {"lr": {"min": 1, "max": 2, "scale": "log"}}}, "spec.ranges.lr.scale", "Unsupported value"),
    ({"parameters": {"lr": [1]}, "ranges": {"lr": {"min": 1, "max": 2}}}, "spec.ranges", "a name stands in parameters and in ranges"),
    ({"parameters": {"lr": 1}}, "spec.parameters.lr", "must be of type array"),
    ({"objective": {"metric": "loss"}}, "spec.objective.goal", "Required value"),
    ({"objective": {"metric": "loss", "goal": "Least"}}, "spec.objective.goal", "Unsupported value"),
    ({"budget": {"parallelism": 0}}, "spec.budget.parallelism", "greater than or equal to 1"),
    ({"fidelity": {"min": 5, "max": 3}}, "spec.fidelity.min", "at most max"),
    ({"fidelity": {"max": 3, "factor": 1}}, "spec.fidelity.factor", "greater than 1"),
    ({"jobSpec": {"spec": {"template": {}}}}, "spec.jobSpec.template", "Required value"),
])
def test_refused_experiment(api, namespace, spec, field, message):
    reply = api.post(objects.path("Experiment", namespace), objects.experiment(namespace, "mnist", **spec))
    assert any(name == field and message in text for name, text in causes(reply)), reply


def test_name_that_leaves_no_room_for_jobs(api, namespace, make_experiment):
    assert "has more than 54 characters" in causes(api.post(
        objects.path("Experiment", namespace), objects.experiment(namespace, "n" * 55)))[0][1]
    make_experiment("n" * 54)
    # One that came in through v1 can still be changed.
    make_experiment("n" * 55, version="v1")
    assert api.patch(objects.path("Experiment", namespace, "n" * 55), {"spec": {"suspend": True}}).status == 200


# --- the space is fixed, in both versions ---


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("change, field", [
    ({"parameters": {"batch": [32, 128]}}, "spec.parameters"),
    ({"parameters": {"batch": [32]}}, "spec.parameters"),
    ({"parameters": {"batch": [64, 32]}}, "spec.parameters"),
    ({"parameters": {"batch": ["32", 64]}}, "spec.parameters"),
    ({"parameters": {"batch": None}}, "spec.parameters"),
    ({"parameters": {"batch": None, "size": [32, 64]}}, "spec.parameters"),
    ({"parameters": {"more": [1]}}, "spec.parameters"),
    ({"parameters": None}, "spec.parameters"),
    ({"ranges": {"lr": {"max": 0.2}}}, "spec.ranges"),
    ({"ranges": {"lr": {"scale": "Linear"}}}, "spec.ranges"),
    ({"ranges": {"lr": None}}, "spec.ranges"),
    ({"ranges": {"more": {"min": 0, "max": 1}}}, "spec.ranges"),
    ({"ranges": None}, "spec.ranges"),
    (None, "spec"),
])
def test_space_is_fixed(api, make_experiment, namespace, version, change, field):
    make_experiment("mnist", **SPACE)
    reply = api.patch(objects.path("Experiment", namespace, "mnist", version=version), {"spec": change})
    found = causes(reply)
    assert field == found[0][0], found
    if field != "spec":
        assert "the space of an Experiment does not change" in found[0][1]


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("spec", [{"parameters": {}}, {"parameters": None}, SPACE])
def test_rest_of_an_experiment_changes(api, make_experiment, namespace, version, spec):
    """Also the objective: a Result names the metric that its own is of. No parameters are no parameters."""
    spec = {name: value for name, value in spec.items() if value is not None}
    body = make_experiment("mnist", **spec)
    path = objects.path("Experiment", namespace, "mnist", version=version)
    if not spec.get("parameters"):
        assert api.patch(path, {"spec": {"parameters": None}}).status == 200
        assert api.patch(path, {"spec": {"parameters": {}, "ranges": {}}}).status == 200
    for change in ({"suspend": True}, {"objective": {"metric": "a", "goal": "Minimize"}},
                   {"objective": {"metric": "b", "goal": "Maximize"}}, {"objective": None},
                   {"budget": {"maxJobs": 3}}, {"jobSpec": {"backoffLimit": 7}}):
        reply = api.patch(path, {"spec": change})
        assert reply.status == 200, reply
    assert reply.body["metadata"]["uid"] == body["metadata"]["uid"]


@pytest.mark.parametrize("flags", [[], ["--server-side"]])
def test_apply_again(kubectl, namespace, flags):
    """kubectl writes 1.0 as 1, so that applying a manifest again changes nothing."""
    manifest = textwrap.dedent("""\
        apiVersion: ml.intel.com/v2
        kind: Experiment
        metadata: {name: mnist}
        spec:
          parameters: {lr: [0.1, 1.0, 1e-3, 100000000000000000000, yes]}
          ranges: {drop: {min: 0.0, max: 1.0}}
        """)
    for _ in range(3):
        kubectl("apply", *flags, "-f", "-", input=manifest)
    assert kubectl.json("get", "exp", "mnist")["metadata"]["generation"] == 1


def test_whole_number_sent_as_float(api, make_experiment, namespace):
    """The server stores 1.0 as 1 and then takes 1.0 for a change: its own reply can be sent back."""
    body = make_experiment("mnist", parameters={"lr": [1.0]})
    assert body["spec"]["parameters"]["lr"] == [1]
    path = objects.path("Experiment", namespace, "mnist", version="v1")
    current = api.get(path).body
    assert api.put(path, current).status == 200
    reply = api.patch(path, {"spec": {"parameters": {"lr": [1.0]}}})
    assert "1.0 counts as a change" in causes(reply)[0][1]


# --- the status stays ---


def test_status_cannot_be_removed(api, make_result, namespace):
    made = make_result("mnist-7f3a", status=STATUS)
    assert causes(objects.set_status(api, made, None, query="")) == [("status", "Forbidden: status cannot be removed")]
    path = objects.path("Result", namespace, "mnist-7f3a", version="v1")
    assert causes(api.patch(path, {"status": None})) == [("status", "Forbidden: status cannot be removed")]
    body = api.get(path).body
    del body["status"]
    assert causes(api.put(path, body)) == [("status", "Forbidden: status cannot be removed")]
    # An update through v2 leaves the status alone, whatever it says of it.
    path = objects.path("Result", namespace, "mnist-7f3a")
    body = api.get(path).body
    del body["status"]
    assert api.put(path, body).body["status"] == STATUS


# --- a client of each version on the same objects ---


class OldClient:
    """Reads and writes as the client of 2018 does: whole objects, through v1."""

    def __init__(self, cluster, namespace):
        settings = kubernetes.client.Configuration(host=cluster.server)
        settings.ssl_ca_cert = cluster.ca_file
        settings.api_key = {"authorization": "Bearer " + cluster.api().token}
        settings.proxy = None
        self.api = kubernetes.client.CustomObjectsApi(kubernetes.client.ApiClient(settings))
        self.namespace = namespace

    def create(self, plural, body):
        return self.api.create_namespaced_custom_object("ml.intel.com", "v1", self.namespace, plural, body)

    def get(self, plural, name):
        return self.api.get_namespaced_custom_object("ml.intel.com", "v1", self.namespace, plural, name)

    def replace(self, plural, body):
        return self.api.replace_namespaced_custom_object(
            "ml.intel.com", "v1", self.namespace, plural, body["metadata"]["name"], body)

    @staticmethod
    def experiment(name, job_spec, parameters):
        return {"apiVersion": "ml.intel.com/v1", "kind": "Experiment", "metadata": {"name": name},
                "spec": {"jobSpec": job_spec, "parameters": parameters}, "status": {}}

    @staticmethod
    def result(meta, experiment, status):
        """What it writes has no spec, whatever it read."""
        meta = {**meta, "labels": {"experiment": experiment["metadata"]["name"]}, "ownerReferences": [
            {"apiVersion": "ml.intel.com/v1", "controller": True, "kind": "Experiment", "blockOwnerDeletion": True,
             "name": experiment["metadata"]["name"], "uid": experiment["metadata"]["uid"]}]}
        return {"apiVersion": "ml.intel.com/v1", "kind": "Result", "metadata": meta, "status": status}


@pytest.fixture
def old(cluster, namespace):
    return OldClient(cluster, namespace)


def test_old_trainer_then_agent(api, old, namespace):
    job_spec = {"backoffLimit": 1, "template": objects.pod_template()}
    experiment = old.create("experiments", old.experiment("mnist", job_spec, {"x": [1, 2.5, "a", True, None]}))
    assert experiment["spec"]["parameters"] == {"x": [1, 2.5, "a", True, None]}
    result = old.create("results", old.result({"name": "mnist-1a2b3c4d"}, experiment, {"job_parameters": {"x": 1}}))
    result["status"]["values"] = {"step-10": {"loss": 0.5, "accuracy": 0.6}}
    result = old.replace("results", old.result(result["metadata"], experiment, result["status"]))
    result["status"]["values"]["step-20"] = {"loss": 0.4, "accuracy": 0.7}
    old.replace("results", old.result(result["metadata"], experiment, result["status"]))

    nested = {"step-10": {"loss": 0.5, "accuracy": 0.6}, "step-20": {"loss": 0.4, "accuracy": 0.7}}
    body = api.get(objects.path("Result", namespace, "mnist-1a2b3c4d")).body
    assert body["apiVersion"] == "ml.intel.com/v2"
    assert body["status"] == {"job_parameters": {"x": 1}, "values": nested}

    reply = objects.set_status(api, body, {**STATUS, "job_parameters": {"x": 1}})
    assert reply.status == 200, reply
    result = old.get("results", "mnist-1a2b3c4d")
    assert result["status"]["values"] == {**nested, "loss": 0.21, "val_acc": 0.93}
    assert result["status"]["metrics"] == STATUS["metrics"]


def test_agent_then_old_client(api, old, make_experiment, make_result, namespace):
    """Read through v1 and written back, what the agent published is still there; the spec is not,
    since Results of 2018 have none. Written from scratch, the columns go until the next publish."""
    experiment = make_experiment("mnist", **SPACE)
    made = make_result("mnist-7f3a", of=experiment, parameters={"lr": 1}, status=STATUS)
    result = old.get("results", "mnist-7f3a")
    assert result["apiVersion"] == "ml.intel.com/v1" and result["status"] == STATUS
    assert result["metadata"]["ownerReferences"][0]["name"] == "mnist"
    status = result["status"]
    status["values"]["fitness"] = 0.86
    old.replace("results", old.result(result["metadata"], experiment, status))
    body = api.get(objects.path("Result", namespace, "mnist-7f3a")).body
    assert body["status"] == {**STATUS, "values": {**STATUS["values"], "fitness": 0.86}}
    assert "spec" not in body and body["metadata"]["labels"] == {"experiment": "mnist"}

    old.replace("results", old.result({"name": "mnist-7f3a", "resourceVersion": body["metadata"]["resourceVersion"]},
                                      experiment, {"values": {"fitness": 0.9}}))
    assert objects.set_status(api, made, STATUS).body["status"] == {
        **STATUS, "values": {**STATUS["values"], "fitness": 0.9}}


def test_old_client_updates_an_experiment(api, old, make_experiment, namespace):
    """It writes parameters and jobSpec alone. Where that would lose a part of the space it is refused."""
    job_spec = {"template": objects.pod_template()}
    make_experiment("plain", parameters={"x": [1]}, suspend=True)
    body = old.experiment("plain", job_spec, {"x": [1]})
    body["metadata"] = old.get("experiments", "plain")["metadata"]
    body["status"] = {"best": {"x": 1}}
    old.replace("experiments", body)
    assert api.get(objects.path("Experiment", namespace, "plain")).body["status"] == {"best": {"x": 1}}

    make_experiment("ranged", ranges={"lr": {"min": 0, "max": 1}})
    body = old.experiment("ranged", job_spec, {})
    body["metadata"] = old.get("experiments", "ranged")["metadata"]
    with pytest.raises(kubernetes.client.ApiException) as error:
        old.replace("experiments", body)
    assert error.value.status == 422 and "does not change" in error.value.body


def test_fields_that_no_version_knows_go(old, api, namespace):
    old.create("results", {"apiVersion": "ml.intel.com/v1", "kind": "Result", "metadata": {"name": "r"},
                           "status": {"mine": 1, "values": {"mine": 1}}})
    assert old.get("results", "r")["status"] == {"values": {"mine": 1}}


def test_bad_value_from_v1_does_not_stop_the_agent(api, make_result, namespace):
    made = make_result("mnist-7f3a", version="v1", status={"phase": "Weird", "values": {"loss": 1}})
    made["kind"] = "Result"
    assert objects.set_status(api, made, {"epoch": 1}).status == 200
    assert objects.set_status(api, made, {"phase": "Running"}).body["status"]["phase"] == "Running"


def test_writers_of_each_kind_in_turn(api, old, kubectl, make_experiment, make_result, namespace):
    """Server-side apply, merge patch and whole objects of v1 on one Result."""
    experiment = make_experiment("mnist")
    made = make_result("mnist-7f3a", of=experiment, status=STATUS)
    manifest = json.dumps({"apiVersion": "ml.intel.com/v2", "kind": "Result", "metadata": {"name": "mnist-7f3a"},
                           "spec": {"experiment": "mnist", "parameters": {"lr": 0.01}}, "status": STATUS})
    for round_ in range(2):
        kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=manifest)
        kubectl("apply", "--server-side", "--force-conflicts", "--subresource=status", "-f", "-", input=manifest)
        status = copy.deepcopy(old.get("results", "mnist-7f3a"))["status"]
        assert status == STATUS
        status["values"] = {"fitness": round_}
        meta = old.get("results", "mnist-7f3a")["metadata"]
        old.replace("results", old.result(meta, experiment, status))
        reply = objects.set_status(api, made, {"values": {"loss": round_}})
        assert reply.status == 200 and reply.body["status"]["values"] == {"fitness": round_, "loss": round_}


# --- kubectl ---


def normalized(text):
    """Ages of seconds are those of the machine's speed."""
    lines = re.sub(r"\b\d+s\b", lambda age: "0s".ljust(len(age[0])), text).splitlines()
    return [line.rstrip() for line in lines]


@pytest.fixture
def shown(make_experiment, make_result):
    experiment = make_experiment("mnist", objective={"metric": "val_acc", "goal": "Maximize", "target": 0.99},
                                 budget={"maxJobs": 20, "parallelism": 4}, output="/mnt/results/$(JOB_NAME)")
    make_experiment("plain", suspend=True)
    reported = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=30)).isoformat()
    make_result("mnist-00", of=experiment)
    make_result("mnist-01", of=experiment, status={"phase": "Pending", "conditions": [
        {"type": "Reporting", "status": "False", "reason": "NoMetricsFile"}]})
    make_result("mnist-02", of=experiment, status={**STATUS, "lastReportTime": reported})
    make_result("mnist-03", of=experiment, status={
        **STATUS, "phase": "Succeeded", "epoch": 90, "summary": "epoch 90/90 loss=0.11 val_acc=0.97",
        "objective": {"metric": "val_acc", "value": 0.97, "epoch": 88}, "lastReportTime": reported})
    make_result("mnist-04", of=experiment, status={"phase": "Failed", "epoch": 0.43, "summary": "epoch 0.43 loss=NaN",
                                                   "attempt": {"number": 3}})
    make_result("mnist-05", of=experiment, status={"phase": "Stopped", "step": 1000000,
                                                   "summary": "step 1000000 loss=0.9"})
    make_result("mnist-06", of=experiment, status={"phase": "Interrupted"})
    make_result("old", version="v1", status={"values": {"fitness": 0.86}})


def test_get_results(kubectl, shown):
    assert normalized(kubectl("get", "results").stdout) == textwrap.dedent("""\
        NAME       EXPERIMENT   PHASE         EPOCH   SUMMARY                              AGE
        mnist-00   mnist                                                                   0s
        mnist-01   mnist        Pending                                                    0s
        mnist-02   mnist        Running       12      epoch 12/90 loss=0.21 val_acc=0.93   0s
        mnist-03   mnist        Succeeded     90      epoch 90/90 loss=0.11 val_acc=0.97   0s
        mnist-04   mnist        Failed        0.43    epoch 0.43 loss=NaN                  0s
        mnist-05   mnist        Stopped               step 1000000 loss=0.9                0s
        mnist-06   mnist        Interrupted                                                0s
        old                                                                                0s
        """).splitlines()


def test_get_results_wide(kubectl, shown):
    lines = normalized(kubectl("get", "res", "-o", "wide").stdout)
    assert lines[:5] == textwrap.dedent("""\
        NAME       EXPERIMENT   PHASE         EPOCH   SUMMARY                              AGE   OBJECTIVE   BEST   AT    ATTEMPT   LAST REPORT   REPORTING       OUTPUT
        mnist-00   mnist                                                                   0s
        mnist-01   mnist        Pending                                                    0s                                                     NoMetricsFile
        mnist-02   mnist        Running       12      epoch 12/90 loss=0.21 val_acc=0.93   0s    val_acc     0.93   12    1         30d           Reporting       /mnt/out/mnist-7f3a
        mnist-03   mnist        Succeeded     90      epoch 90/90 loss=0.11 val_acc=0.97   0s    val_acc     0.97   88    1         30d           Reporting       /mnt/out/mnist-7f3a
        """).splitlines()


def test_get_experiments(kubectl, shown):
    assert normalized(kubectl("get", "exp").stdout) == textwrap.dedent("""\
        NAME    OBJECTIVE   GOAL       MAX JOBS   SUSPENDED   AGE
        mnist   val_acc     Maximize   20                     0s
        plain                                     true        0s
        """).splitlines()
    assert normalized(kubectl("get", "exp", "-o", "wide").stdout)[:2] == textwrap.dedent("""\
        NAME    OBJECTIVE   GOAL       MAX JOBS   SUSPENDED   AGE   TARGET   PARALLELISM   OUTPUT
        mnist   val_acc     Maximize   20                     0s    0.99     4             /mnt/results/$(JOB_NAME)
        """).splitlines()


def test_get_category_and_by_name(kubectl, shown):
    names = [line.split()[0] for line in kubectl("get", "ml", "--no-headers").stdout.splitlines() if line]
    assert names == (["experiment.ml.intel.com/mnist", "experiment.ml.intel.com/plain"]
                     + [f"result.ml.intel.com/mnist-0{i}" for i in range(7)] + ["result.ml.intel.com/old"])
    for words in (("experiments", "mnist"), ("experiment", "mnist"), ("exp", "mnist"), ("experiments.v1.ml.intel.com", "mnist"),
                  ("results", "mnist-02"), ("res", "mnist-02"), ("results.v1.ml.intel.com", "mnist-02")):
        assert kubectl("get", *words, "-o", "jsonpath={.metadata.name}").stdout == words[1]


@pytest.mark.parametrize("selector, expected", [
    ("status.phase=Failed", ["mnist-04"]),
    ("status.phase!=Failed,spec.experiment=mnist", [f"mnist-0{i}" for i in (0, 1, 2, 3, 5, 6)]),
    ("spec.experiment=other", []),
    ("spec.experiment=", ["old"]),
])
def test_field_selectors(kubectl, shown, selector, expected):
    text = kubectl("get", "results", "--field-selector", selector, "-o", "jsonpath={.items[*].metadata.name}").stdout
    assert text.split() == expected


@pytest.mark.parametrize("crd, where", [
    (crd, where) for crd, wheres in (
        ("results", ("spec", "spec.stop", "status", "status.metrics", "status.objective", "status.checkpoint",
                     "status.attempt", "status.conditions", "status.agent")),
        ("experiments", ("spec", "spec.ranges", "spec.objective", "spec.budget", "spec.fidelity", "spec.jobSpec")))
    for where in wheres])
def test_explain_teaches(kubectl, api, crd, where):
    text = kubectl("explain", f"{crd}.{where}").stdout
    assert "VERSION:    v2" in text
    schema = schema_of(api, f"{crd}.ml.intel.com", "v2")
    for name in where.split("."):
        schema = schema["properties"][name]
        schema = schema.get("items", schema)
        schema = schema.get("additionalProperties", schema)
    words = " ".join(text.split())
    for name, child in schema["properties"].items():
        assert re.search(rf"^  {name}\t<", text, re.MULTILINE), name
        assert " ".join(child["description"].split()) in words, name


# --- what the agent may do ---


def test_agent_rights(cluster, api, agent_token, make_experiment, make_job, make_pod, namespace):
    experiment = make_experiment("mnist")
    job = make_job("mnist-7f3a", of=experiment)
    pod = make_pod("mnist-7f3a-abcde", of=job)
    agent = cluster.api(token=agent_token("mnist-7f3a-abcde"))
    body = objects.result(namespace, "mnist-7f3a", of=experiment)
    assert agent.post(objects.path("Result", namespace), body).status == 201
    status = {**STATUS, "attempt": {**STATUS["attempt"], "podUID": pod["metadata"]["uid"]}}
    assert objects.set_status(agent, body, status).status == 200
    for kind, name in (("Experiment", "mnist"), ("Job", "mnist-7f3a"), ("Pod", "mnist-7f3a-abcde"), ("Result", "mnist-7f3a")):
        assert agent.get(objects.path(kind, namespace, name)).status == 200, kind
        assert agent.get(objects.path(kind, namespace)).status == 403, kind
        assert agent.delete(objects.path(kind, namespace, name)).status == 403, kind
    assert agent.patch(objects.path("Result", namespace, "mnist-7f3a"), {"spec": {"stop": {"requested": True}}}).status == 403
    assert agent.patch(objects.path("Result", namespace, "mnist-7f3a", version="v1"), {"status": {"epoch": 1}}).status == 403
    assert agent.post(objects.path("Result", "default"), objects.result("default", "mnist-7f3a")).status == 403


def test_agent_watches_its_result(cluster, agent_token, make_result, namespace):
    make_result("mnist-7f3a")
    agent = cluster.api(token=agent_token("mnist-7f3a-abcde"))
    reply = agent.get(objects.path("Result", namespace) + "?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Dmnist-7f3a")
    assert reply.status == 200 and reply.body["object"]["metadata"]["name"] == "mnist-7f3a"
