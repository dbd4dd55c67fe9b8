"""Starts a pod as the kubelet does, as far as that matters here: init containers one after the other, a native
sidecar until its startup probe has passed, then the rest.

`podman kube play` would start a native sidecar and the app at once.
"""

import re
import subprocess

import yaml

from waiting import eventually

# How long a native sidecar may take on a busy machine.
STARTUP = 60
KINDS = ("Deployment", "StatefulSet", "Job")


class Workload:
    """The pod of a workload in a kustomization, which is named if there are several, and the ConfigMaps beside it."""

    def __init__(self, directory, name=None, build=("kubectl", "kustomize")):
        done = subprocess.run([*build, directory], capture_output=True, text=True, timeout=60, check=True)
        documents = [document for document in yaml.safe_load_all(done.stdout) if document]
        [spec] = [
            document["spec"]
            for document in documents
            if document["kind"] in KINDS and name in (None, document["metadata"]["name"])
        ]
        self.spec = spec["template"]["spec"]
        claims = spec.get("volumeClaimTemplates") or []
        # To a container they are as any other directory that it may write to.
        self.volumes = self.spec["volumes"] + [{"name": claim["metadata"]["name"], "emptyDir": {}} for claim in claims]
        self.files = {
            document["metadata"]["name"]: document["data"] for document in documents if document["kind"] == "ConfigMap"
        }

    def config_map(self, prefix):
        """The data of a generated ConfigMap, whose name goes on after this."""
        [data] = [data for name, data in self.files.items() if name.startswith(f"{prefix}-")]
        return data


class Kubelet:
    """Starts the containers of a workload in an empty pod."""

    def __init__(self, pod, workload, directory, images, csi=None, secrets=None):
        """`images` has an image that is here for each container; `csi` is the directory that the driver writes, and
        `secrets` has one for each Secret, which the kubelet writes in the same way."""
        self._pod = pod
        self._workload = workload
        self._images = images
        self._csi = csi
        self._secrets = secrets or {}
        directory.mkdir()
        self._volumes = {
            volume["name"]: self._volume(directory / volume["name"], volume) for volume in workload.volumes
        }

    def start(self, env=None, volumes=None):
        """Starts all, and gives the containers by name. `env` and `volumes` has what each agent gets besides."""
        started = {}
        for spec in self._workload.spec.get("initContainers") or []:
            container = started[spec["name"]] = self._start(spec, env, volumes)
            if spec.get("restartPolicy") == "Always":
                self._wait(spec, container)
            else:
                assert container.exit_code() == 0, container.errors()
        for spec in self._workload.spec["containers"]:
            started[spec["name"]] = self._start(spec, env, volumes)
        return started

    def _start(self, spec, env, volumes):
        security = {**self._workload.spec["securityContext"], **spec["securityContext"]}
        # What `Pod.start` does not do of its own accord.
        assert security["readOnlyRootFilesystem"] and security["capabilities"] == {"drop": ["ALL"]}
        mounts = [
            f"{self._volumes[mount['name']]}:{mount['mountPath']}{':ro' if mount.get('readOnly') else ''}"
            for mount in spec.get("volumeMounts") or []
        ]
        command = spec.get("command") or []
        also = [f"--entrypoint={command[0]}"] if command else []
        return self._pod.start(
            spec["name"], self._images[spec["name"]], *command[1:], *(spec.get("args") or []),
            env=self._env(spec) | (env or {}).get(spec["name"], {}),
            volumes=[*mounts, *(volumes or {}).get(spec["name"], [])],
            user=security["runAsUser"], also=also,
        )  # fmt: skip

    def _env(self, spec):
        env = {}
        for source in spec.get("envFrom") or []:
            env |= self._workload.files[source["configMapRef"]["name"]]
        for item in spec.get("env") or []:
            env[item["name"]] = self._value(item, env)
        return env

    def _value(self, item, before):
        if "value" in item:
            # A reference to a variable above; one to anything else stays as it is.
            return re.sub(r"\$\((\w+)\)", lambda match: before.get(match[1], match[0]), item["value"])
        ref = item["valueFrom"]["secretKeyRef"]
        return (self._secrets[ref["name"]] / ref["key"]).read_text()

    def _wait(self, spec, container):
        command = spec["startupProbe"]["exec"]["command"]
        eventually(f"the startup of {spec['name']}", lambda: container.exec(*command).returncode == 0, STARTUP)

    def _volume(self, path, volume):
        """What the driver or the kubelet writes, an emptyDir, or the files of a ConfigMap."""
        if "csi" in volume:
            return self._csi
        if "secret" in volume:
            return self._secrets[volume["secret"]["secretName"]]
        path.mkdir()
        if "emptyDir" in volume:
            path.chmod(0o777)
            return path
        source = volume["configMap"]
        for name, text in self._workload.files[source["name"]].items():
            file = path / name
            file.write_text(text)
            file.chmod(source.get("defaultMode", 0o644))
        return path
