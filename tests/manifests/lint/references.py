"""Names by which one object refers to another; the API server checks few of them."""

from .pod import find, name_of, pods
from .rule import Finding, Rule


def lint(docs):
    for doc in docs:
        yield from _selector(doc)
    for pod in pods(docs):
        yield from _pod(pod, docs)


def _selector(doc):
    spec = doc.get("spec") or {}
    if "selector" not in spec or "template" not in spec:
        return
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    for key, value in (spec["selector"].get("matchLabels") or {}).items():
        if labels.get(key) != value:
            yield Finding(Rule.SELECTOR_MATCHES, name_of(doc), key)


def _pod(pod, docs):
    account = pod.spec.get("serviceAccountName")
    if account and not find(docs, "ServiceAccount", account, pod.namespace):
        yield Finding(Rule.SERVICE_ACCOUNT_EXISTS, pod.where, account)
    for volume in pod.volumes.values():
        config_map = (volume.get("configMap") or {}).get("name")
        if config_map and not find(docs, "ConfigMap", config_map, pod.namespace):
            yield Finding(Rule.CONFIG_MAP_EXISTS, pod.where, config_map)
    for container in pod.containers:
        for mount in container.mounts:
            if mount["name"] not in pod.volumes:
                yield Finding(Rule.VOLUME_EXISTS, container.where, mount["name"])
