"""Pods and containers as the rules want to see them, whatever workload they come from."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

CSI_DRIVER = "secrets-store.csi.k8s.io"


@dataclass(frozen=True)
class Container:
    """One container of a pod."""

    pod: "Pod"
    spec: dict
    init: bool

    @property
    def where(self):
        return f"{self.pod.where} container {self.spec['name']}"

    @property
    def mounts(self):
        return self.spec.get("volumeMounts") or []

    @property
    def env(self):
        """Literal variables, with `$(NAME)` of earlier ones expanded as the kubelet does."""
        env = {}
        for item in self.spec.get("env") or []:
            value = item.get("value", "")
            for name, earlier in env.items():
                value = value.replace(f"$({name})", earlier)
            env[item["name"]] = value
        return env

    def security(self, key):
        """A security setting: the container's own, else the pod's."""
        own = self.spec.get("securityContext") or {}
        return own.get(key, (self.pod.spec.get("securityContext") or {}).get(key))

    def mount_of(self, path):
        """The volumeMount that `path` lies in, and its path below that mount."""
        path = PurePosixPath(path)
        candidates = [m for m in self.mounts if path.is_relative_to(m["mountPath"])]
        if not candidates:
            return None, None
        mount = max(candidates, key=lambda m: len(m["mountPath"]))
        return mount, str(path.relative_to(mount["mountPath"]))


@dataclass(frozen=True)
class Pod:
    """A pod, or the template of one."""

    where: str
    namespace: str
    metadata: dict
    spec: dict
    # Templates of a StatefulSet, which makes a volume of each.
    claims: tuple = ()

    @cached_property
    def containers(self):
        return [
            Container(self, spec, key == "initContainers")
            for key in ("initContainers", "containers")
            for spec in self.spec.get(key) or []
        ]

    @cached_property
    def volumes(self):
        claimed = {claim["metadata"]["name"]: {"persistentVolumeClaim": {}} for claim in self.claims}
        return claimed | {volume["name"]: volume for volume in self.spec.get("volumes") or []}

    def is_secrets_volume(self, name):
        return self.volumes.get(name, {}).get("csi", {}).get("driver") == CSI_DRIVER

    def secret_provider_class(self, volume_name):
        return (self.volumes[volume_name]["csi"].get("volumeAttributes") or {}).get("secretProviderClass")


def name_of(doc):
    return f"{doc['kind']}/{doc['metadata']['name']}"


def namespace_of(doc):
    return doc["metadata"].get("namespace", "default")


def find(docs, kind, name, namespace):
    """The object of that kind, name and namespace, or None."""
    for doc in docs:
        if doc["kind"] == kind and doc["metadata"]["name"] == name and namespace_of(doc) == namespace:
            return doc
    return None


def pods(docs):
    """Every pod that the documents lead to."""
    for doc in docs:
        spec = doc.get("spec") or {}
        if doc["kind"] == "Pod":
            template = doc
        elif doc["kind"] == "CronJob":
            template = spec["jobTemplate"]["spec"]["template"]
        elif "template" in spec:
            template = spec["template"]
        else:
            continue
        claims = tuple(spec.get("volumeClaimTemplates") or ())
        yield Pod(name_of(doc), namespace_of(doc), template.get("metadata") or {}, template["spec"], claims)
