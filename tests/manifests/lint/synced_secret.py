"""Kubernetes Secrets that the CSI driver copies from a mount, and who takes values from them."""

from .pod import name_of, namespace_of, pods
from .rule import Finding, Rule
from .secret_provider_class import file_names


def lint(docs):
    for doc in docs:
        if doc["kind"] == "SecretProviderClass":
            yield from _class(doc, docs)
    for pod in pods(docs):
        for secret, key in _taken(pod):
            if key not in keys_of(docs, secret, pod.namespace):
                yield Finding(Rule.SECRET_SYNCED, pod.where, f"{secret}: {key}")


def keys_of(docs, secret, namespace):
    """The keys of a Secret that a class of the namespace makes."""
    return {
        item["key"]
        for doc in docs
        if doc["kind"] == "SecretProviderClass" and namespace_of(doc) == namespace
        for synced in doc["spec"].get("secretObjects") or []
        if synced["secretName"] == secret
        for item in synced["data"]
    }


def _class(doc, docs):
    synced = doc["spec"].get("secretObjects") or []
    for item in (item for entry in synced for item in entry["data"]):
        if item["objectName"] not in file_names(doc):
            yield Finding(Rule.SYNC_OBJECT, name_of(doc), item["objectName"])
    if synced and not any(_mounts(pod, doc) for pod in pods(docs)):
        yield Finding(Rule.SYNC_MOUNTED, name_of(doc))


def _mounts(pod, doc):
    """Whether a container mounts a volume of the class; else the kubelet leaves the volume out."""
    mounted = {mount["name"] for container in pod.containers for mount in container.mounts}
    return pod.namespace == namespace_of(doc) and any(
        pod.is_secrets_volume(name) and pod.secret_provider_class(name) == doc["metadata"]["name"]
        for name in mounted
    )


def _taken(pod):
    """Secret and key of each variable, and of each file. What a driver authenticates with comes from elsewhere."""
    credentials = {
        (volume.get("csi") or {}).get("nodePublishSecretRef", {}).get("name") for volume in pod.volumes.values()
    }
    for container in pod.containers:
        for item in container.spec.get("env") or []:
            reference = (item.get("valueFrom") or {}).get("secretKeyRef")
            if reference:
                yield reference["name"], reference["key"]
    for volume in pod.volumes.values():
        secret = volume.get("secret")
        if secret and secret["secretName"] not in credentials:
            for item in secret.get("items") or []:
                yield secret["secretName"], item["key"]
