"""k8s/component: one line in a kustomization, and every template in it has the agent."""

import json
import os
import pathlib

import pytest
import yaml

from cluster import objects

COMPONENT = pathlib.Path(__file__).resolve().parents[2] / "k8s" / "component"

TEMPLATE = {
    "metadata": {"labels": {"team": "vision"}},
    "spec": {
        "restartPolicy": "Never",
        "securityContext": {"runAsNonRoot": True, "runAsUser": 1000, "seccompProfile": {"type": "RuntimeDefault"}},
        "initContainers": [{"name": "fetch", "image": "fetch:1"}],
        "containers": [
            {"name": "trainer", "image": "trainer:1", "args": ["--lr", "0.1"],
             "volumeMounts": [{"name": "data", "mountPath": "/data"}]},
            {"name": "helper", "image": "helper:1"},
        ],
        "volumes": [{"name": "data", "emptyDir": {}}],
    },
}
for container in (*TEMPLATE["spec"]["containers"], *TEMPLATE["spec"]["initContainers"]):
    container["securityContext"] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
OBJECTS = {
    "Job": ({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "one"}, "spec": {"template": TEMPLATE}},
            ("spec", "template")),
    "CronJob": ({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"},
                 "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": TEMPLATE}}}},
                ("spec", "jobTemplate", "spec", "template")),
    "Experiment": ({"apiVersion": "ml.intel.com/v2", "kind": "Experiment", "metadata": {"name": "search"},
                    "spec": {"parameters": {}, "jobSpec": {"template": TEMPLATE}}},
                   ("spec", "jobSpec", "template")),
}


@pytest.fixture
def built(tmp_path, kubectl):
    """built(object, …): what kubectl kustomize makes of them with the component, by kind."""

    def build(*bodies):
        names = []
        for i, body in enumerate(bodies):
            names.append(f"{i}.json")
            (tmp_path / names[-1]).write_text(json.dumps(body))
        (tmp_path / "kustomization.yaml").write_text(json.dumps(
            {"namespace": kubectl.namespace, "resources": names, "components": [os.path.relpath(COMPONENT, tmp_path)]}))
        out = yaml.safe_load_all(kubectl("kustomize", tmp_path).stdout)
        return {one["kind"]: one for one in out}

    return build


def test_the_readme_says_it_as_it_is(tmp_path, kubectl):
    """Its kustomization, with the place of this repository in it."""
    readme = (COMPONENT.parents[1] / "README.md").read_text()
    text = next(block for block in readme.split("```yaml\n")[1:] if "components:" in block).split("```")[0]
    place = os.path.relpath(COMPONENT.parents[1], tmp_path)
    (tmp_path / "kustomization.yaml").write_text(text.replace("path/to/this/repository", place))
    (tmp_path / "job.yaml").write_text(json.dumps(OBJECTS["Job"][0]))
    (job,) = yaml.safe_load_all(kubectl("kustomize", tmp_path).stdout)
    assert job["spec"]["template"]["spec"]["initContainers"][1]["image"] == "registry.example.com/experiments-agent:0.1.0"


def spec_of(body, path):
    for part in path:
        body = body[part]
    return body["spec"]


def test_it_adds_no_object_of_its_own(built):
    assert set(built(*(body for body, _ in OBJECTS.values()))) == set(OBJECTS)


@pytest.mark.parametrize("kind", OBJECTS)
def test_the_template_has_the_agent_and_what_it_had(built, kind):
    body, path = OBJECTS[kind]
    spec = spec_of(built(body)[kind], path)
    assert [container["name"] for container in spec["initContainers"]] == ["fetch", "experiments-agent"]
    assert spec["initContainers"][1]["restartPolicy"] == "Always"
    trainer, helper = spec["containers"]
    assert trainer["volumeMounts"] == [{"name": "data", "mountPath": "/data"},
                                       {"name": "experiments", "mountPath": "/experiments"}]
    assert helper["volumeMounts"] == [{"name": "experiments", "mountPath": "/experiments"}]
    assert trainer["args"] == ["--lr", "0.1"]
    assert [volume["name"] for volume in spec["volumes"]] == ["data", "experiments", "experiments-agent-state",
                                                             "experiments-agent-token"]
    assert spec["serviceAccountName"] == objects.AGENT


def test_the_token_and_the_state_are_the_agents_alone(built):
    body, path = OBJECTS["Job"]
    spec = spec_of(built(body)["Job"], path)
    for container in (*spec["containers"], spec["initContainers"][0]):
        mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
        assert mounted <= {"data", "experiments"}, container["name"]


@pytest.mark.parametrize("kind", OBJECTS)
def test_a_template_without_anything_gets_all_of_it(built, kind):
    body, path = json.loads(json.dumps(OBJECTS[kind]))
    spec_of(body, path).clear()
    spec_of(body, path).update({"restartPolicy": "Never", "containers": [{"name": "trainer", "image": "trainer:1"}]})
    spec = spec_of(built(body)[kind], path)
    assert spec["initContainers"][0]["name"] == "experiments-agent"
    assert spec["containers"][0]["volumeMounts"] == [{"name": "experiments", "mountPath": "/experiments"}]
    assert len(spec["volumes"]) == 3


def test_what_comes_out_is_admitted_where_pod_security_is_restricted(built, api, kubectl, namespace):
    reply = api.patch(f"/api/v1/namespaces/{namespace}",
                      {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
    assert reply.status == 200, reply
    made = built(*(body for body, _ in OBJECTS.values()))
    for kind, path in (("Job", "batch/v1"), ("CronJob", "batch/v1"), ("Experiment", "ml.intel.com/v2")):
        plural = kind.lower() + "s"
        reply = api.post(f"/apis/{path}/namespaces/{namespace}/{plural}?fieldValidation=Strict", made[kind])
        assert reply.status == 201, reply
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one-abcde"},
           "spec": made["Job"]["spec"]["template"]["spec"]}
    reply = api.post(f"/api/v1/namespaces/{namespace}/pods?fieldValidation=Strict", pod)
    assert reply.status == 201, reply


def test_the_example_to_paste_is_the_same_agent():
    """k8s/examples/job.yaml has each field of the component's agent."""
    template = yaml.safe_load((COMPONENT / "agent.yaml").read_text())["template"]["spec"]
    example = yaml.safe_load((COMPONENT.parent / "examples" / "job.yaml").read_text())["spec"]["template"]["spec"]
    assert example["initContainers"] == template["initContainers"]
    assert example["volumes"] == template["volumes"]
    assert example["serviceAccountName"] == template["serviceAccountName"]
