"""The manifests in deploy/ as they are built, changed only in what a machine without a cluster cannot give."""

import subprocess
from pathlib import Path

import yaml

import images
from images import ROOT

DEPLOY = ROOT / "deploy"
KINDS = ("Deployment", "StatefulSet", "Job")
# Health checks would need systemd's timers; limits, a kind of cgroups that not every machine has. What
# follows the end of a container is for the tests to do.
NOT_HERE = ("restartPolicy", "restartPolicyRules", "startupProbe", "livenessProbe", "resources")


def pod(kustomization, mount, directory):
    """The pod of that directory, with `mount` in place of the CSI volume and the other volumes in `directory`."""
    documents = _build(DEPLOY / kustomization)
    [template] = [document["spec"]["template"] for document in documents if document["kind"] in KINDS]
    files = {document["metadata"]["name"]: document["data"] for document in documents if document["kind"] == "ConfigMap"}
    spec = template["spec"]

    # A native sidecar is an init container that stays; podman would wait for its end.
    native = [container for container in spec["initContainers"] if container.get("restartPolicy") == "Always"]
    ordinary = [container for container in spec["initContainers"] if container not in native]
    spec |= {"initContainers": ordinary, "containers": native + spec["containers"], "restartPolicy": "Never"}
    for container in ordinary + spec["containers"]:
        container["image"] = images.AGENT if "akv-agent" in container["image"] else images.SHELL
        container["imagePullPolicy"] = "Never"
        for field in NOT_HERE:
            container.pop(field, None)
        _read_by_the_app(container)

    # podman has all of these but the CSI volume, without modes of files and with names that all pods share.
    for volume in spec["volumes"]:
        name = volume.pop("name")
        [(kind, source)] = volume.items()
        path = mount.directory if kind == "csi" else _volume(directory / name, kind, source, files)
        volume.clear()
        volume |= {"name": name, "hostPath": {"path": str(path), "type": "Directory"}}
    name = Path(kustomization).name
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"akv-{name}"}, "spec": spec}


def _read_by_the_app(container):
    """Variables that a newer kubelet would take from a file: the demonstration app reads that file itself."""
    refs = [item["valueFrom"]["fileKeyRef"] for item in container.get("env") or [] if "valueFrom" in item]
    if refs:
        path = "/run/akv-agent"
        container["env"] = [{"name": "ENV_FILE", "value": f"{path}/{refs[0]['path']}"}]
        container["volumeMounts"].append({"name": refs[0]["volumeName"], "mountPath": path, "readOnly": True})


def replace_variables(document, container_name, **values):
    """Sets variables of a container; None removes one."""
    [container] = [one for one in document["spec"]["containers"] if one["name"] == container_name]
    kept = [variable for variable in container["env"] if variable["name"] not in values]
    new = [{"name": name, "value": value} for name, value in values.items() if value is not None]
    container["env"] = kept + new


def _build(directory):
    done = subprocess.run(
        ["kubectl", "kustomize", directory], capture_output=True, text=True, timeout=60, check=True
    )
    return list(yaml.safe_load_all(done.stdout))


def _volume(path: Path, kind, source, files):
    path.mkdir()
    if kind == "emptyDir":
        path.chmod(0o777)
        return path
    assert kind == "configMap", kind
    for name, text in files[source["name"]].items():
        file = path / name
        file.write_text(text)
        file.chmod(source.get("defaultMode", 0o644))
    return path
