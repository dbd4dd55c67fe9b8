"""The rules, and what a broken one is reported as."""

from dataclasses import dataclass
from enum import Enum


class Rule(Enum):
    """Every rule there is; each has a test that breaks it."""

    # What one object says of another.
    VOLUME_EXISTS = "every volumeMount names a volume of its pod"
    CONFIG_MAP_EXISTS = "every ConfigMap volume names a ConfigMap of the build"
    SERVICE_ACCOUNT_EXISTS = "every pod's ServiceAccount is in the build"
    SELECTOR_MATCHES = "a workload's selector matches its pod template"
    # Hardening.
    NON_ROOT = "runAsNonRoot is true"
    NUMERIC_USER = "runAsUser is a number other than 0"
    READ_ONLY_ROOT = "readOnlyRootFilesystem is true"
    NO_ESCALATION = "allowPrivilegeEscalation is false"
    NO_CAPABILITIES = "all capabilities are dropped and none is added"
    SECCOMP = "seccompProfile is RuntimeDefault"
    NO_API_TOKEN = "automountServiceAccountToken is false"
    RESOURCES = "requests and limits are set for CPU and memory"
    MEMORY_FLOOR = "a memory limit leaves room for the runtime, which starts and probes containers within it"
    MEMORY_VOLUME = "an emptyDir is in memory and has a size limit"
    NO_HOST_ACCESS = "no host namespace, no host path, no privileged container"
    # SecretProviderClass.
    SPC_PROVIDER = "the provider is azure"
    SPC_PARAMETER_KNOWN = "every parameter is one that the Azure provider reads"
    SPC_PARAMETER_STRING = "every parameter is a string"
    SPC_PARAMETER_PRESENT = "keyvaultName, tenantID and objects are set"
    SPC_PARAMETER_VALUE = "vault name and ids have the form that Azure gives them"
    SPC_ONE_MODE = "no second way to authenticate is switched on"
    SPC_IDENTITY = "a pod that mounts has what the class's way to authenticate needs"
    SPC_OBJECTS_FORM = "objects is YAML with an array of YAML strings"
    SPC_OBJECT_FIELD = "every object has only known fields, and the ones it needs"
    SPC_OBJECT_VALUE = "every object's fields have values that the provider takes"
    # Synced Secrets.
    SYNC_OBJECT = "what is synced is a file of the mount"
    SYNC_MOUNTED = "a class that syncs is mounted by a container"
    SECRET_SYNCED = "a Secret and its key are synced by a class of the build"
    # CSI volumes.
    CSI_READ_ONLY = "a CSI volume and its mounts are read-only"
    CSI_CLASS_EXISTS = "a CSI volume names a SecretProviderClass of its namespace"
    CSI_NO_SUB_PATH = "a CSI volume is not mounted by subPath, which never updates"
    CSI_AGENT_ONLY = "where the agent hands out what a CSI volume has, only its container mounts that"
    # The agent.
    AGENT_BINARY = "the agent's binary is where commands and probes expect it"
    AGENT_CONFIG = "the agent's configuration file is a key of a mounted ConfigMap"
    AGENT_MOUNT = "`mount` is a CSI or Secret volume of the agent's container"
    AGENT_OUTPUT = "the env file lies in a writable volume that the app mounts too"
    AGENT_ENV_FILE_FOUND = "the app reads the env file where the agent writes it"
    AGENT_FILE_KEY = "a fileKeyRef names an emptyDir, and in it a variable that the agent writes for the kubelet"
    AGENT_EXIT_RULE = "where the agent ends on a change, the kubelet restarts what has to be"
    AGENT_REFERENCE = "every reference is a file of the mount or has a vault"
    AGENT_IDENTITY = "a pod whose agent asks the vault has what the agent's identity needs"
    AGENT_IDENTITY_ALONE = "no other container gets the agent's identity"
    SIGNAL_NAMESPACE = "a sidecar that signals shares the process namespace"
    SIGNAL_USER = "a sidecar that signals has the UID of its target"
    SIGNAL_TARGET = "the process that a sidecar signals is started by the pod"


@dataclass(frozen=True)
class Finding:
    """One broken rule, and where."""

    rule: Rule
    where: str
    detail: str = ""

    def __str__(self):
        return f"{self.where}: not so: {self.rule.value}" + (f" ({self.detail})" if self.detail else "")
