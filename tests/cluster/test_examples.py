"""The manifests of k8s/examples, as a user applies them."""

import json

from .apiserver import BASE

EXAMPLES = BASE.parent / "examples"


def test_the_job_is_accepted_as_it_stands(kubectl):
    done = kubectl("apply", "--dry-run=server", "--validate=strict", "-o", "json", "-f", EXAMPLES / "job.yaml")
    pod = json.loads(done.stdout)["spec"]["template"]["spec"]
    (agent,), (trainer,) = pod["initContainers"], pod["containers"]
    assert agent["restartPolicy"] == "Always"  # what makes it a sidecar
    # The token is the agent's alone, and the metrics file's directory is shared.
    mounts = {container["name"]: {mount["mountPath"] for mount in container["volumeMounts"]}
              for container in (agent, trainer)}
    assert mounts[trainer["name"]] == {"/experiments"}
    assert mounts[agent["name"]] == {"/experiments", "/var/lib/experiments-agent",
                                     "/var/run/secrets/kubernetes.io/serviceaccount"}
