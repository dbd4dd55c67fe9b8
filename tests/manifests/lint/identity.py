"""Who a pod is for the vault: the driver by the SecretProviderClass, and the agent by its own configuration."""

from .agent_container import settings, use_of
from .pod import find, namespace_of, pods
from .rule import Finding, Rule
from .secret_provider_class import ways

USE_LABEL = "azure.workload.identity/use"
SKIP_ANNOTATION = "azure.workload.identity/skip-containers"
BINDING_LABEL = "aadpodidbinding"


def lint(docs):
    for pod in pods(docs):
        yield from _driver(pod, docs)
        agents = [c for c in pod.containers if use_of(c) in ("init", "sidecar", "exec")]
        yield from _agents(pod, agents, docs)
        yield from _alone(pod, agents, docs)


def _driver(pod, docs):
    for name in filter(pod.is_secrets_volume, pod.volumes):
        provider_class = find(docs, "SecretProviderClass", pod.secret_provider_class(name), pod.namespace)
        credential = pod.volumes[name]["csi"].get("nodePublishSecretRef")
        way = (ways(provider_class) or ["service principal"])[0] if provider_class else None
        if way == "service principal" and not credential:
            yield Finding(Rule.SPC_IDENTITY, pod.where, "no nodePublishSecretRef")
        if way not in ("service principal", None) and credential:
            yield Finding(Rule.SPC_IDENTITY, pod.where, "a nodePublishSecretRef that nobody reads")
        if way == "usePodIdentity" and not _bound(pod, docs):
            yield Finding(Rule.SPC_IDENTITY, pod.where, "no AzureIdentityBinding selects the pod")


def _agents(pod, agents, docs):
    for agent in agents:
        told = settings(agent, docs)
        if told.asks_vault and not _has(pod, agent, told, docs):
            yield Finding(Rule.AGENT_IDENTITY, pod.where, told.identity)


def _has(pod, agent, told, docs):
    match told.identity:
        case "auto" | "workload":
            return _labelled(pod)
        case "pod-identity":
            return _bound(pod, docs)
        case "managed":
            # A node has several.
            return "AZURE_CLIENT_ID" in agent.env
        case "service-principal":
            return _credential(agent, told) is not None
    return False


def _credential(agent, told):
    """The Secret volume in which the agent finds its credential."""
    mount, below = agent.mount_of(told.credential_file) if told.credential_file else (None, None)
    secret = agent.pod.volumes.get(mount["name"], {}).get("secret") if mount else None
    paths = {item["path"] for item in (secret or {}).get("items") or []}
    return mount["name"] if below in paths else None


def _labelled(pod):
    return (pod.metadata.get("labels") or {}).get(USE_LABEL) == "true"


def _bound(pod, docs):
    """Whether AAD Pod Identity gives the pod an identity."""
    selector = (pod.metadata.get("labels") or {}).get(BINDING_LABEL)
    bindings = [
        doc["spec"]
        for doc in docs
        if doc["kind"] == "AzureIdentityBinding" and namespace_of(doc) == pod.namespace
    ]
    return any(
        binding.get("selector") == selector
        and find(docs, "AzureIdentity", binding.get("azureIdentity"), pod.namespace)
        for binding in bindings
    )


def _alone(pod, agents, docs):
    names = {agent.spec["name"] for agent in agents}
    annotations = pod.metadata.get("annotations") or {}
    skipped = {name.strip() for name in annotations.get(SKIP_ANNOTATION, "").split(";")}
    credentials = {_credential(agent, settings(agent, docs)) for agent in agents} - {None}
    for container in pod.containers:
        if container.spec["name"] in names:
            continue
        gets_token = _labelled(pod) and container.spec["name"] not in skipped
        if gets_token or credentials & {mount["name"] for mount in container.mounts}:
            yield Finding(Rule.AGENT_IDENTITY_ALONE, container.where)
