"""Scenarios of deploy/ beside the seed: their names, and ways to break them.

Each way is a folder, the rule that it breaks, and the change.
"""

from lint import Rule
from lint.pod import pods

MANAGED = "identities/managed-identity"
PRINCIPAL = "identities/service-principal"
IN_POD = "synced-secret/in-pod"
HOLDER = "synced-secret/holder"
AS_IT_WAS = "legacy/as-it-was"
WITH_AGENT = "legacy/with-agent"
VARIANTS = [MANAGED, PRINCIPAL, IN_POD, HOLDER, AS_IT_WAS, WITH_AGENT]

# What its README has in one namespace at the same time.
TOGETHER = [(AS_IT_WAS, WITH_AGENT), ("seed", IN_POD, HOLDER)]

# What came before the agent, or does without it.
WITHOUT_AGENT = {IN_POD, AS_IT_WAS}


class Scenario:
    """The documents of one build, with short ways to the places that a test breaks."""

    def __init__(self, docs):
        self.docs = docs

    def one(self, kind):
        [doc] = [doc for doc in self.docs if doc["kind"] == kind]
        return doc

    def remove(self, kind):
        self.docs.remove(self.one(kind))

    def pod(self, name):
        [pod] = [pod for pod in pods(self.docs) if pod.where == f"Deployment/{name}"]
        return pod

    def container(self, pod, name):
        [container] = [c for c in self.pod(pod).containers if c.spec["name"] == name]
        return container.spec

    @property
    def provider_class(self):
        return self.one("SecretProviderClass")["spec"]

    @property
    def synced(self):
        return self.provider_class["secretObjects"][0]


def drop_env(scenario, pod, container, name):
    env = scenario.container(pod, container)["env"]
    env.remove(next(item for item in env if item["name"] == name))


def mount_everywhere(scenario, pod, volume):
    scenario.container(pod, "app")["volumeMounts"].append({"name": volume, "mountPath": "/v", "readOnly": True})


BREAKS = [
    (MANAGED, Rule.SPC_ONE_MODE, lambda s: s.provider_class["parameters"].update(usePodIdentity="true")),
    (MANAGED, Rule.SPC_IDENTITY, lambda s: s.provider_class["parameters"].pop("useVMManagedIdentity")),
    (MANAGED, Rule.SPC_PARAMETER_VALUE, lambda s: s.provider_class["parameters"].update(userAssignedIdentityID="x")),
    (MANAGED, Rule.AGENT_IDENTITY, lambda s: drop_env(s, "seed-sidecar", "akv-agent", "AKV_AGENT_IDENTITY")),
    (MANAGED, Rule.AGENT_IDENTITY, lambda s: drop_env(s, "seed-sidecar", "akv-agent", "AZURE_CLIENT_ID")),
    (
        PRINCIPAL,
        Rule.SPC_IDENTITY,
        lambda s: s.pod("seed-sidecar").volumes["secrets"]["csi"].pop("nodePublishSecretRef"),
    ),
    (PRINCIPAL, Rule.SPC_IDENTITY, lambda s: s.provider_class["parameters"].update(useVMManagedIdentity="true")),
    (
        PRINCIPAL,
        Rule.AGENT_IDENTITY,
        lambda s: s.pod("seed-sidecar").volumes["service-principal"]["secret"]["items"][0].update(path="secret"),
    ),
    (PRINCIPAL, Rule.AGENT_IDENTITY_ALONE, lambda s: mount_everywhere(s, "seed-sidecar", "service-principal")),
    (
        PRINCIPAL,
        Rule.SECRET_SYNCED,
        lambda s: s.pod("seed-sidecar").volumes["service-principal"]["secret"].update(secretName="another"),
    ),
    (IN_POD, Rule.SYNC_OBJECT, lambda s: s.synced["data"][0].update(objectName="Password")),
    (IN_POD, Rule.SYNC_MOUNTED, lambda s: s.container("seed-synced-in-pod", "app")["volumeMounts"].pop(0)),
    (IN_POD, Rule.SECRET_SYNCED, lambda s: s.synced.update(secretName="another")),
    (IN_POD, Rule.SECRET_SYNCED, lambda s: s.synced["data"][0].update(key="password")),
    (HOLDER, Rule.SYNC_MOUNTED, lambda s: s.container("seed-holder", "holder").pop("volumeMounts")),
    (HOLDER, Rule.AGENT_REFERENCE, lambda s: s.synced["data"][0].update(key="password")),
    (HOLDER, Rule.AGENT_REFERENCE, lambda s: s.pod("seed-synced").volumes["secrets"]["secret"].update(secretName="x")),
    (HOLDER, Rule.AGENT_MOUNT, lambda s: s.pod("seed-synced").volumes["secrets"].pop("secret")),
    (AS_IT_WAS, Rule.SPC_IDENTITY, lambda s: s.remove("AzureIdentityBinding")),
    (AS_IT_WAS, Rule.SPC_IDENTITY, lambda s: s.one("AzureIdentityBinding")["spec"].update(selector="x")),
    (AS_IT_WAS, Rule.SPC_IDENTITY, lambda s: s.one("AzureIdentity")["metadata"].update(name="x")),
    (AS_IT_WAS, Rule.SPC_IDENTITY, lambda s: s.pod("legacy-as-it-was").metadata["labels"].pop("aadpodidbinding")),
    (WITH_AGENT, Rule.AGENT_IDENTITY, lambda s: s.remove("AzureIdentityBinding")),
    (WITH_AGENT, Rule.AGENT_IDENTITY, lambda s: drop_env(s, "legacy-with-agent", "app", "AKV_AGENT_IDENTITY")),
]
