"""What every pod and every container must give up."""

import re

from .pod import pods
from .rule import Finding, Rule

# CRI-O refuses less than 12 MiB; containerd does not, and the container may be killed before its program runs.
LEAST_MEMORY = 16 << 20
UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}


def lint(docs):
    for pod in pods(docs):
        yield from _pod(pod)
        for container in pod.containers:
            yield from _container(container)


def _pod(pod):
    if pod.spec.get("automountServiceAccountToken") is not False:
        yield Finding(Rule.NO_API_TOKEN, pod.where)
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.spec.get(key):
            yield Finding(Rule.NO_HOST_ACCESS, pod.where, key)
    for name, volume in pod.volumes.items():
        if "hostPath" in volume:
            yield Finding(Rule.NO_HOST_ACCESS, pod.where, name)
        empty_dir = volume.get("emptyDir")
        if empty_dir is not None and (empty_dir.get("medium") != "Memory" or "sizeLimit" not in empty_dir):
            yield Finding(Rule.MEMORY_VOLUME, pod.where, name)


def _container(container):
    security = container.security
    if security("runAsNonRoot") is not True:
        yield Finding(Rule.NON_ROOT, container.where)
    user = security("runAsUser")
    # Without a number the kubelet must trust the image, and refuses a user name.
    if type(user) is not int or user == 0:
        yield Finding(Rule.NUMERIC_USER, container.where)
    if security("readOnlyRootFilesystem") is not True:
        yield Finding(Rule.READ_ONLY_ROOT, container.where)
    if security("allowPrivilegeEscalation") is not False:
        yield Finding(Rule.NO_ESCALATION, container.where)
    capabilities = security("capabilities") or {}
    if capabilities.get("drop") != ["ALL"] or capabilities.get("add"):
        yield Finding(Rule.NO_CAPABILITIES, container.where)
    if (security("seccompProfile") or {}).get("type") != "RuntimeDefault":
        yield Finding(Rule.SECCOMP, container.where)
    if security("privileged"):
        yield Finding(Rule.NO_HOST_ACCESS, container.where, "privileged")
    resources = container.spec.get("resources") or {}
    for kind in ("requests", "limits"):
        for resource in ("cpu", "memory"):
            if resource not in (resources.get(kind) or {}):
                yield Finding(Rule.RESOURCES, container.where, f"{kind}.{resource}")
    limit = (resources.get("limits") or {}).get("memory")
    if limit and _bytes(limit) < LEAST_MEMORY:
        yield Finding(Rule.MEMORY_FLOOR, container.where, limit)


def _bytes(quantity):
    number, unit = re.fullmatch(r"(\d+)([KMG]i)", quantity).groups()
    return int(number) * UNITS[unit]
