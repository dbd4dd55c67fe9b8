"""Workloads of every kind as users have them, and kustomizations of them with the project's components."""

import copy
import os

import yaml

from lint.build import DEPLOY, build, documents

COMPONENTS = DEPLOY / "kustomize" / "components"
# The values of the label, each with a component of that name.
USES = ("init", "sidecar", "native-sidecar", "exec", "exit-restart")
KINDS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob")
JOBS = ("Job", "CronJob")
ASKED, DONE = "akv-agent.io/inject", "akv-agent.io/injected"
NAMESPACE = "shop"

HARDENED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
RESOURCES = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"cpu": "1", "memory": "64Mi"}}
PLAIN = {
    "image": "registry.example/app:1",
    "command": ["/app", "--listen=:8080"],
    "securityContext": HARDENED,
    "resources": RESOURCES,
}

CONFIG_FILE = """\
vault: myk8skv
env:
  DB_PASSWORD: db-password
outputs:
  - envFile: /run/akv-agent/app.env
"""
PROVIDER_CLASS = {
    "apiVersion": "secrets-store.csi.x-k8s.io/v1",
    "kind": "SecretProviderClass",
    "metadata": {"name": "akv-agent"},
    "spec": {
        "provider": "azure",
        "parameters": {
            "clientID": "11111111-1111-1111-1111-111111111111",
            "tenantID": "00000000-0000-0000-0000-000000000000",
            "keyvaultName": "myk8skv",
            "objects": "array:\n  - |\n    objectName: db-password\n    objectType: secret\n",
        },
    },
}


def kinds_of(use):
    """The kinds that this component takes."""
    return [kind for kind in KINDS if use != "sidecar" or kind not in JOBS]


def bare(use):
    """A pod with as little as a pod may have, but hardened."""
    app = {"name": "app", **copy.deepcopy(PLAIN)}
    if use != "exec":
        # What a container has to say to see the env file.
        app["volumeMounts"] = [{"name": "akv-agent-env", "mountPath": "/run/akv-agent", "readOnly": True}]
    return _pod(containers=[app])


def furnished(use):
    """A pod with something in each list that a component adds to."""
    pod = bare(use)
    app = pod["containers"][0]
    app["env"] = [{"name": "LOG", "value": "info"}]
    app["args"] = ["--verbose"]
    app.setdefault("volumeMounts", []).append({"name": "scratch", "mountPath": "/tmp"})
    pod["containers"].append({"name": "proxy", **copy.deepcopy(PLAIN)})
    pod["initContainers"] = [{"name": "migrate", **copy.deepcopy(PLAIN)}]
    pod["volumes"] = [{"name": "scratch", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}}]
    return pod


def _pod(**lists):
    return {
        "serviceAccountName": "app",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **lists,
    }


def workload(kind, name, pod, use=None):
    """An object of that kind, which asks for the agent if `use` is given."""
    # The webhook of workload identity gives a token to every container that is not named.
    others = [c["name"] for key in ("initContainers", "containers") for c in pod.get(key) or []]
    if use == "exec":
        others = [*others[: len(pod.get("initContainers") or [])], *others[-1:], "install-akv-agent"]
        others = [other for other in others if other != "app"]
    template = {
        "metadata": {
            "labels": {"app": name, "azure.workload.identity/use": "true"},
            "annotations": {"azure.workload.identity/skip-containers": ";".join(others)},
        },
        "spec": pod,
    }
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {"app": name}}
    if use:
        metadata["labels"][ASKED] = use
    selector = {"matchLabels": {"app": name}}
    if kind in JOBS:
        pod["restartPolicy"] = "Never"
        job = {"template": template}
        spec = job if kind == "Job" else {"schedule": "0 3 * * *", "jobTemplate": {"spec": job}}
        return {"apiVersion": "batch/v1", "kind": kind, "metadata": metadata, "spec": spec}
    spec = {"selector": selector, "template": template}
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


def every_workload(use):
    """Each kind that the component takes in both shapes, and one that does not ask."""
    docs = [
        workload(kind, f"{shape.__name__}-{kind.lower()}", shape(use), use)
        for kind in kinds_of(use)
        for shape in (bare, furnished)
    ]
    return [*docs, workload("Deployment", "bystander", furnished("exec"))]


def config_map(use):
    """The ConfigMap that users provide."""
    data = {"config.yaml": CONFIG_FILE.partition("outputs:")[0] if use == "exec" else CONFIG_FILE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "akv-agent"}, "data": data}


def service_account():
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app"}}


def write(directory, docs, components=(), **fields):
    """A kustomization of these objects in `directory`, which is made."""
    directory.mkdir(parents=True)
    (directory / "objects.yaml").write_text(yaml.safe_dump_all(docs))
    used = [os.path.relpath(COMPONENTS / name, directory.resolve()) for name in components]
    content = {"resources": ["objects.yaml"], "components": used, **fields}
    (directory / "kustomization.yaml").write_text(yaml.safe_dump(content))
    return directory


def built(directory, docs, components=(), **fields):
    """The documents that such a kustomization leads to."""
    return documents(build(write(directory, docs, components, **fields)))
