"""Values for the charts: cases that are rendered, and what is refused."""

from pathlib import Path

from workloads import USES

SNAPSHOTS = Path(__file__).parent / "snapshots"
AGENT_CONTAINERS = {"akv-agent", "init-akv-agent", "install-akv-agent"}
# The templates that a chart includes.
OURS_IN = (
    "initContainers", "containers", "volumes", "volumeMounts", "command", "env", "podLabels", "podAnnotations",
    "objects", "notes", "initContainer", "sidecar", "nativeSidecar", "install", "configMap", "secretProviderClass",
)  # fmt: skip

PARAMETERS = {
    "keyvaultName": "myk8skv",
    "tenantID": "00000000-0000-0000-0000-000000000000",
    "clientID": "11111111-1111-1111-1111-111111111111",
}
# Read from the volume alone: no vault, and no identity.
CSI = {
    "config": {"vault": None},
    "workloadIdentity": {"enabled": False},
    "secretProviderClass": {"parameters": PARAMETERS, "objects": ["db-password"]},
}
EVERYTHING = {
    "use": "native-sidecar",
    "image": {
        "repository": "registry.example:5000/tools/akv-agent",
        "digest": "sha256:" + "0123456789abcdef" * 4,
        "pullPolicy": "Always",
    },
    "config": {
        "vault": None,
        "mount": "/mnt/secrets-store",
        "env": {"DB_PASSWORD": "db-password", "CERTIFICATE": "mount:web.pem"},
        "outputs": [{"envFile": "/run/akv-agent/app.env", "format": "kubelet", "mode": "0400"}],
        "pollInterval": "off",
    },
    "secretProviderClass": {
        "parameters": {**PARAMETERS, "cloudName": "AzureUSGovernmentCloud", "useAzureTokenProxy": True},
        "objects": [
            "db-password",
            {"objectName": "web", "objectAlias": "web.pem", "filePermission": "0444"},
            {"objectName": "signing", "objectType": "key"},
        ],
    },
    "workloadIdentity": {"enabled": False},
    "env": [{"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"}],
    # More digits than Helm prints of a number that it has read as a fraction.
    "runAsUser": 1000660000,
    "runAsGroup": 1000660000,
    "resources": {"requests": {"cpu": "5m", "memory": "8Mi"}, "limits": {"cpu": 1, "memory": "24Mi"}},
    "startupSeconds": 600,
    "outputVolume": {"sizeLimit": "64Ki"},
}

CASES = {
    **{use: {"agent": {"use": use}} for use in USES},
    **{f"{use}-csi": {"agent": {"use": use, **CSI}} for use in USES},
    "file-key-ref": {"agent": {"use": "native-sidecar", "fileKeyRef": True}},
    "objects-that-exist": {
        "agent": {
            "use": "init", "config": None, "configMap": "my-config", "workloadIdentity": {"enabled": False},
            "secretProviderClass": {"name": "my-class"},
        }
    },
    "everything": {"agent": EVERYTHING},
}  # fmt: skip

# What a case says to exist.
BESIDE = {
    "objects-that-exist": [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "my-config"},
            "data": {
                "config.yaml": "mount: /mnt/secrets-store\nenv: {DB_PASSWORD: db-password}\n"
                "outputs: [{envFile: /run/akv-agent/app.env}]\n"
            },
        },
        {
            "apiVersion": "secrets-store.csi.x-k8s.io/v1",
            "kind": "SecretProviderClass",
            "metadata": {"name": "my-class"},
            "spec": {
                "provider": "azure",
                "parameters": {**PARAMETERS, "objects": "array:\n  - |\n    objectName: db-password\n    objectType: secret\n"},
            },
        },
    ]
}


def _agent(**values):
    return {"agent": values}


def _class(**values):
    return {"agent": {"secretProviderClass": {"parameters": PARAMETERS, "objects": ["a"], **values}}}


REFUSED = {
    # By the schema.
    "an unknown key": (_agent(usee="init"), "additional properties 'usee' not allowed"),
    "an unknown use": (_agent(use="side-car"), "at '/use': value must be one of 'init', 'sidecar'"),
    "no use": (_agent(use=None), "missing property 'use'"),
    "a tag that is a number": (_agent(image={"tag": 1.0}), "at '/image/tag': got number, want string"),
    "a tag in the repository": (_agent(image={"repository": "a/b@sha256:1"}), "at '/image/repository'"),
    "half a digest": (_agent(image={"digest": "sha256:12"}), "at '/image/digest'"),
    "a policy of no kind": (_agent(image={"pullPolicy": "Sometimes"}), "at '/image/pullPolicy'"),
    "root": (_agent(runAsUser=0), "at '/runAsUser': minimum: got 0, want 1"),
    "no limit": (_agent(resources={"limits": None}), "at '/resources': missing property 'limits'"),
    "a limit of no unit": (_agent(resources={"limits": {"memory": "32MB"}}), "at '/resources/limits/memory'"),
    "a volume without a size": (_agent(outputVolume={"sizeLimit": ""}), "at '/outputVolume/sizeLimit'"),
    "a parameter that is ignored": (
        _class(parameters={**PARAMETERS, "resourceGroup": "x"}),
        "at '/secretProviderClass/parameters': additional properties 'resourceGroup' not allowed",
    ),
    "a parameter in the old spelling": (_class(parameters={"tenantId": "x"}), "'tenantId' not allowed"),
    "a vault's URL": (
        _class(parameters={**PARAMETERS, "keyvaultName": "https://myk8skv.vault.azure.net"}),
        "at '/secretProviderClass/parameters/keyvaultName'",
    ),
    "an object of no name": (_class(objects=["db_password"]), "at '/secretProviderClass/objects/0'"),
    "an object of no type": (
        _class(objects=[{"objectName": "a", "objectType": "certificate"}]),
        "at '/secretProviderClass/objects/0/objectType': value must be one of 'secret', 'key', 'cert'",
    ),
    "an agent of no name": (_agent(agents={"Web": {}}), "invalid propertyName 'Web'"),
    "an unknown key of an agent": (_agent(agents={"web": {"usee": 1}}), "at '/agents/web': additional properties"),
    # By the agent's own schema within it.
    "an unknown setting": (_agent(config={"vualt": "abc"}), "at '/config': additional properties 'vualt' not allowed"),
    "a variable of no name": (_agent(config={"env": {"A-B": "a"}}), "invalid propertyName 'A-B'"),
    "a variable of the agent": (_agent(config={"env": {"AKV_AGENT_X": "a"}}), "invalid propertyName 'AKV_AGENT_X'"),
    "a number without a unit": (_agent(config={"splay": "5"}), "at '/config/splay': '5' does not match"),
    "an unknown reaction": (_agent(config={"onChange": [{"reload": True}]}), "at '/config/onChange"),
    "a signal that ends": (_agent(config={"onChange": [{"signal": "KILL"}]}), "at '/config/onChange/0/signal'"),
    "a mode without quotes": (
        _agent(config={"outputs": [{"envFile": "/run/akv-agent/a", "mode": 0o440}]}),
        "at '/config/outputs/0/mode': got number, want null or string",
    ),
    "a mode without quotes, alone": (
        _agent(config={"outputs": {"envFile": "/run/akv-agent/a", "mode": 0o440}}),
        "at '/config/outputs/mode': got number, want null or string",
    ),
    "an unknown setting of an agent": (
        _agent(agents={"web": {"config": {"vualt": "abc"}}}),
        "at '/agents/web/config': additional properties 'vualt' not allowed",
    ),
    # By the templates.
    "two classes": (_class(name="other"), 'has the name "other" of one that exists, and objects or parameters'),
    "a class of nothing": (_class(objects=[]), "secretProviderClass.objects is empty"),
    "a class without a vault": (
        _class(parameters={"tenantID": PARAMETERS["tenantID"]}),
        "secretProviderClass.parameters.keyvaultName is missing",
    ),
    "a class for nobody": (
        _class(parameters={key: PARAMETERS[key] for key in ("keyvaultName", "tenantID")}),
        "useVMManagedIdentity and usePodIdentity who asks the vault; there is none of them",
    ),
    "a class for two": (
        _class(parameters={**PARAMETERS, "useVMManagedIdentity": True}),
        "who asks the vault; there is clientID and useVMManagedIdentity",
    ),
    "no configuration": (_agent(config=None), "config is empty: write the agent's configuration there"),
    "exec without a command": ({"agent": {"use": "exec"}, "command": None}, "exec needs the command"),
    "fileKeyRef with exec": (_agent(use="exec", fileKeyRef=True), "fileKeyRef is not for exec"),
    "fileKeyRef without names": (
        _agent(use="init", fileKeyRef=True, config={"env": None}),
        "fileKeyRef needs the names of the variables",
    ),
    "fileKeyRef of a file for shells": (
        _agent(use="init", fileKeyRef=True, config={"outputs": [{"envFile": "/run/akv-agent/app.env"}]}),
        "fileKeyRef reads /run/akv-agent/app.env in the format kubelet, and config.outputs has no such file",
    ),
    "fileKeyRef of a file that is not there": (
        _agent(use="init", fileKeyRef=True, config={"outputs": {"envFile": "/run/akv-agent/other.env", "format": "kubelet"}}),
        "add {envFile: /run/akv-agent/app.env, format: kubelet}, or leave config.outputs out",
    ),
    "fileKeyRef of two halves": (
        _agent(
            use="init", fileKeyRef=True,
            config={"outputs": [{"envFile": "/run/akv-agent/app.env"}, {"envFile": "/run/akv-agent/b", "format": "kubelet"}]},
        ),
        "config.outputs has no such file",
    ),
    "variables of the agent with exec": (_agent(use="exec", env=[{"name": "A", "value": "b"}]), "env is not for exec"),
    "probes that nobody answers": (
        _agent(use="native-sidecar", config={"listen": "off"}),
        "config.listen is off, and the probes of native-sidecar ask there",
    ),
    "probes that nobody answers, as Helm reads it": (
        _agent(use="sidecar", config={"listen": False}),
        "config.listen is off, and the probes of sidecar ask there",
    ),
    "a cluster without native sidecars": (
        {"agent": {"use": "native-sidecar"}, "kubernetes": "1.28.9"},
        "use native-sidecar needs Kubernetes 1.29 and this is v1.28.9: take sidecar",
    ),
    "a cluster without restarts of all": (
        {"agent": {"use": "exit-restart"}, "kubernetes": "1.35.0"},
        "use exit-restart needs Kubernetes 1.36 and this is v1.35.0: take native-sidecar or exec",
    ),
    "a cluster without fileKeyRef": (
        {"agent": {"use": "init", "fileKeyRef": True}, "kubernetes": "1.34.2"},
        "fileKeyRef needs Kubernetes 1.35 and this is v1.34.2",
    ),
}
