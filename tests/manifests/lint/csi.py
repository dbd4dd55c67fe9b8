"""Volumes of the Secrets Store CSI driver and who mounts them."""

from .agent_container import settings, use_of
from .pod import find, pods
from .rule import Finding, Rule

AGENT = ("init", "sidecar", "exec")


def lint(docs):
    for pod in pods(docs):
        for name in filter(pod.is_secrets_volume, pod.volumes):
            if pod.volumes[name]["csi"].get("readOnly") is not True:
                yield Finding(Rule.CSI_READ_ONLY, pod.where, name)
            secret_provider_class = pod.secret_provider_class(name)
            if not find(docs, "SecretProviderClass", secret_provider_class, pod.namespace):
                yield Finding(Rule.CSI_CLASS_EXISTS, pod.where, str(secret_provider_class))
        agents = [container for container in pod.containers if use_of(container) in AGENT]
        for container in pod.containers:
            yield from _mounts(container, alone=any(_hands_out(agent, docs) for agent in agents))


def _hands_out(agent, docs):
    """Whether the app gets from the agent what it needs of the volume, and not from the volume."""
    return use_of(agent) != "sidecar" or settings(agent, docs).env_file is not None


def _mounts(container, alone):
    for mount in container.mounts:
        if not container.pod.is_secrets_volume(mount["name"]):
            continue
        if mount.get("readOnly") is not True:
            yield Finding(Rule.CSI_READ_ONLY, container.where, mount["name"])
        if "subPath" in mount or "subPathExpr" in mount:
            yield Finding(Rule.CSI_NO_SUB_PATH, container.where, mount["name"])
        if alone and use_of(container) not in AGENT:
            yield Finding(Rule.CSI_AGENT_ONLY, container.where, mount["name"])
