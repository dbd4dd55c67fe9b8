"""The rules hold for what is in deploy/, and each of them fires when it is broken."""

import pytest

from lint import Rule, lint
from lint.pod import find
from variants import BREAKS as OTHER_BREAKS

NAMESPACE = "akv-agent-seed"


class Seed:
    """The seed scenario's documents, with short ways to the places that a test breaks."""

    def __init__(self, docs):
        self.docs = docs

    def find(self, kind, name):
        return find(self.docs, kind, name, NAMESPACE)

    def remove(self, kind, name):
        self.docs.remove(self.find(kind, name))

    def template(self, use):
        return self.find("Deployment", f"seed-{use}")["spec"]["template"]

    def pod(self, use):
        return self.template(use)["spec"]

    def container(self, use, name):
        pod = self.pod(use)
        return named(pod["initContainers"] + pod["containers"], name)

    def security(self, use, name):
        return self.container(use, name)["securityContext"]

    def mount(self, use, name, volume):
        return named(self.container(use, name)["volumeMounts"], volume)

    def volume(self, use, name):
        return named(self.pod(use)["volumes"], name)

    def env(self, use, name, variable):
        return named(self.container(use, name)["env"], variable)

    def set_program(self, use, name, probe, program):
        """The first word of a probe's command, or of the container's where `probe` is None."""
        container = self.container(use, name)
        command = container[probe]["exec"]["command"] if probe else container["command"]
        command[0] = program

    def add_file_key(self, file_format="kubelet", **changes):
        """The sidecar's app takes a variable from the agent's file, but for one thing that is changed."""
        file_format = {"name": "AKV_AGENT_ENV_FILE_FORMAT", "value": file_format}
        self.container("sidecar", "akv-agent")["env"].append(file_format)
        ref = {"volumeName": "env", "path": "app.env", "key": "SECRET", **changes}
        self.container("sidecar", "app")["env"].append({"name": "SECRET", "valueFrom": {"fileKeyRef": ref}})

    def exit_on_change(self, use="sidecar", name="akv-agent", **rule):
        """The agent ends on a change, and its container has this rule or, without one, none."""
        container = self.container(use, name)
        for item in container.get("env", []):
            if item["name"] == "AKV_AGENT_ON_CHANGE":
                item["value"] = "exit:42"
        if rule:
            rule = {"action": "RestartAllContainers", "operator": "In", "values": [42], **rule}
            codes = {"operator": rule.pop("operator"), "values": rule.pop("values")}
            container["restartPolicyRules"] = [{**rule, "exitCodes": codes}]

    @property
    def parameters(self):
        return self.find("SecretProviderClass", "seed-secrets")["spec"]["parameters"]

    def edit_objects(self, old, new):
        assert old in self.parameters["objects"]
        self.parameters["objects"] = self.parameters["objects"].replace(old, new)

    def edit_config(self, old, new):
        data = self.find("ConfigMap", "seed-exec-agent")["data"]
        assert old in data["config.yaml"]
        data["config.yaml"] = data["config.yaml"].replace(old, new)


def end_for_ever(s):
    """The wrapper ends on a change, in a pod of which nothing is started anew."""
    s.edit_config("restart: {signal: TERM, grace: 10s}", "exit: 42")
    s.pod("exec")["restartPolicy"] = "Never"


def share_the_volume(s):
    s.container("sidecar", "app")["volumeMounts"].append(
        {"name": "secrets", "mountPath": "/mnt/secrets-store", "readOnly": True}
    )


def share_without_an_output(s):
    """As with a server that reads the files itself, and is only told by the agent."""
    share_the_volume(s)
    s.container("sidecar", "akv-agent")["env"].remove(s.env("sidecar", "akv-agent", "AKV_AGENT_ENV_FILE"))


def forget_the_policy(s):
    s.exit_on_change(action="RestartAllContainers")
    s.container("sidecar", "akv-agent").pop("restartPolicy")


def named(items, name):
    return next(item for item in items if item["name"] == name)


def add_object_field(field):
    return lambda s: s.edit_objects("objectType: secret", f"objectType: secret\n    {field}")


# Each breaks one rule in one place; a rule with several ways to be broken has several entries.
BREAKS = [
    (Rule.VOLUME_EXISTS, lambda s: s.mount("exec", "app", "demo-app").update(name="gone")),
    (Rule.CONFIG_MAP_EXISTS, lambda s: s.remove("ConfigMap", "seed-exec-agent")),
    (Rule.SERVICE_ACCOUNT_EXISTS, lambda s: s.remove("ServiceAccount", "seed-app")),
    (Rule.SELECTOR_MATCHES, lambda s: s.template("init")["metadata"]["labels"].pop("app.kubernetes.io/name")),
    (Rule.NON_ROOT, lambda s: s.pod("init")["securityContext"].pop("runAsNonRoot")),
    (Rule.NON_ROOT, lambda s: s.security("init", "app").update(runAsNonRoot=False)),
    (Rule.NUMERIC_USER, lambda s: s.pod("init")["securityContext"].pop("runAsUser")),
    (Rule.NUMERIC_USER, lambda s: s.security("exec", "app").update(runAsUser=0)),
    (Rule.READ_ONLY_ROOT, lambda s: s.security("exec", "install-akv-agent").pop("readOnlyRootFilesystem")),
    (Rule.NO_ESCALATION, lambda s: s.security("sidecar", "akv-agent").pop("allowPrivilegeEscalation")),
    (Rule.NO_CAPABILITIES, lambda s: s.security("sidecar", "app").pop("capabilities")),
    (Rule.NO_CAPABILITIES, lambda s: s.security("sidecar", "akv-agent")["capabilities"].update(add=["KILL"])),
    (Rule.SECCOMP, lambda s: s.security("exec", "app").update(seccompProfile={"type": "Unconfined"})),
    (Rule.NO_API_TOKEN, lambda s: s.pod("exec").pop("automountServiceAccountToken")),
    (Rule.RESOURCES, lambda s: s.container("exec", "app").pop("resources")),
    (Rule.RESOURCES, lambda s: s.container("init", "akv-agent")["resources"]["limits"].pop("memory")),
    (Rule.MEMORY_FLOOR, lambda s: s.container("sidecar", "app")["resources"]["limits"].update(memory="8Mi")),
    (Rule.MEMORY_VOLUME, lambda s: s.volume("sidecar", "env").update(emptyDir={"sizeLimit": "1Mi"})),
    (Rule.MEMORY_VOLUME, lambda s: s.volume("exec", "akv-agent")["emptyDir"].pop("sizeLimit")),
    (Rule.NO_HOST_ACCESS, lambda s: s.pod("exec").update(hostPID=True)),
    (Rule.NO_HOST_ACCESS, lambda s: s.pod("exec")["volumes"].append({"name": "h", "hostPath": {"path": "/"}})),
    (Rule.NO_HOST_ACCESS, lambda s: s.security("init", "app").update(privileged=True)),
    (Rule.SPC_PROVIDER, lambda s: s.find("SecretProviderClass", "seed-secrets")["spec"].update(provider="aws")),
    # Read by releases before 0.0.4, dropped in silence since.
    (Rule.SPC_PARAMETER_KNOWN, lambda s: s.parameters.update(resourceGroup="aks2akvrg")),
    (Rule.SPC_PARAMETER_KNOWN, lambda s: s.parameters.update(tenantId=s.parameters.pop("tenantID"))),
    (Rule.SPC_PARAMETER_STRING, lambda s: s.parameters.update(useVMManagedIdentity=False)),
    (Rule.SPC_PARAMETER_PRESENT, lambda s: s.parameters.pop("tenantID")),
    # Without a client id it would be a service principal.
    (Rule.SPC_IDENTITY, lambda s: s.parameters.pop("clientID")),
    (Rule.SPC_PARAMETER_PRESENT, lambda s: s.parameters.update(keyvaultName=" ")),
    (Rule.SPC_PARAMETER_VALUE, lambda s: s.parameters.update(keyvaultName="https://myk8skv.vault.azure.net")),
    (Rule.SPC_PARAMETER_VALUE, lambda s: s.parameters.update(tenantID="from-azure.env")),
    (Rule.SPC_ONE_MODE, lambda s: s.parameters.update(usePodIdentity="true")),
    (Rule.SPC_ONE_MODE, lambda s: s.parameters.update(useVMManagedIdentity=" True ")),
    (Rule.SPC_OBJECTS_FORM, lambda s: s.parameters.update(objects="array: [")),
    (Rule.SPC_OBJECTS_FORM, lambda s: s.parameters.update(objects="objects: []")),
    (Rule.SPC_OBJECTS_FORM, lambda s: s.parameters.update(objects="array: []")),
    # The inner bar forgotten: an array of mappings, not of strings.
    (Rule.SPC_OBJECTS_FORM, lambda s: s.edit_objects("- |\n    objectName", "-\n    objectName")),
    (Rule.SPC_OBJECT_FIELD, lambda s: s.edit_objects("objectType: secret", "objectAliases: x")),
    (Rule.SPC_OBJECT_FIELD, lambda s: s.edit_objects("objectName:", "name:")),
    (Rule.SPC_OBJECT_VALUE, lambda s: s.edit_objects("objectType: secret", "objectType: secrets")),
    (Rule.SPC_OBJECT_VALUE, lambda s: s.edit_objects("ExamplePassword", "Example_Password")),
    (Rule.SPC_OBJECT_VALUE, add_object_field("objectAlias: ../up")),
    (Rule.SPC_OBJECT_VALUE, add_object_field("objectAlias: ./x")),
    (Rule.SPC_OBJECT_VALUE, add_object_field("objectAlias: /x")),
    (Rule.SPC_OBJECT_VALUE, add_object_field("filePermission: '999'")),
    (Rule.SPC_OBJECT_VALUE, lambda s: s.edit_objects("objectType: secret", "objectType: key\n    objectFormat: pfx")),
    (Rule.CSI_READ_ONLY, lambda s: s.volume("init", "secrets")["csi"].pop("readOnly")),
    (Rule.CSI_READ_ONLY, lambda s: s.mount("init", "akv-agent", "secrets").update(readOnly=False)),
    (Rule.CSI_CLASS_EXISTS, lambda s: s.remove("SecretProviderClass", "seed-secrets")),
    (Rule.CSI_CLASS_EXISTS, lambda s: s.volume("exec", "secrets")["csi"]["volumeAttributes"].clear()),
    (Rule.CSI_NO_SUB_PATH, lambda s: s.mount("exec", "app", "secrets").update(subPath="ExamplePassword")),
    (Rule.CSI_AGENT_ONLY, share_the_volume),
    (Rule.AGENT_BINARY, lambda s: s.set_program("exec", "app", None, "/usr/bin/akv-agent")),
    (Rule.AGENT_BINARY, lambda s: s.set_program("exec", "app", "startupProbe", "akv-agent")),
    (Rule.AGENT_BINARY, lambda s: s.container("exec", "install-akv-agent").update(args=["install", "/elsewhere"])),
    (Rule.AGENT_BINARY, lambda s: s.set_program("sidecar", "akv-agent", "livenessProbe", "/akv-agent")),
    (Rule.AGENT_CONFIG, lambda s: s.container("exec", "app").update(env=[{"name": "AKV_AGENT_CONFIG", "value": "/x"}])),
    (Rule.AGENT_CONFIG, lambda s: s.container("init", "akv-agent").update(args=["init", "--config", "/x"])),
    (Rule.AGENT_CONFIG, lambda s: s.find("ConfigMap", "seed-exec-agent").update(data={"config.yml": "mount: /x"})),
    (Rule.AGENT_CONFIG, lambda s: s.edit_config("mount: /mnt", "mount: [/mnt")),
    (Rule.AGENT_MOUNT, lambda s: s.edit_config("/mnt/secrets-store", "/mnt/secret-store")),
    (Rule.AGENT_MOUNT, lambda s: s.env("init", "akv-agent", "AKV_AGENT_MOUNT").update(value="/run/akv-agent")),
    (Rule.AGENT_OUTPUT, lambda s: s.env("init", "akv-agent", "AKV_AGENT_ENV_FILE").update(value="/run/app.env")),
    (Rule.AGENT_OUTPUT, lambda s: s.mount("init", "akv-agent", "env").update(readOnly=True)),
    (Rule.AGENT_OUTPUT, lambda s: s.container("init", "app")["volumeMounts"].pop(0)),
    (Rule.AGENT_ENV_FILE_FOUND, lambda s: s.env("init", "app", "ENV_FILE").update(value="/run/akv-agent/other.env")),
    (Rule.AGENT_ENV_FILE_FOUND, lambda s: s.mount("sidecar", "app", "env").update(mountPath="/run/env")),
    (Rule.AGENT_FILE_KEY, lambda s: s.add_file_key(volumeName="secrets")),
    (Rule.AGENT_FILE_KEY, lambda s: s.add_file_key(volumeName="gone")),
    (Rule.AGENT_FILE_KEY, lambda s: s.add_file_key(path="other.env")),
    (Rule.AGENT_FILE_KEY, lambda s: s.add_file_key(key="OTHER")),
    (Rule.AGENT_FILE_KEY, lambda s: s.add_file_key(file_format="shell")),
    (Rule.AGENT_EXIT_RULE, lambda s: s.exit_on_change()),
    (Rule.AGENT_EXIT_RULE, lambda s: s.exit_on_change(action="Restart")),
    (Rule.AGENT_EXIT_RULE, lambda s: s.exit_on_change(values=[43])),
    (Rule.AGENT_EXIT_RULE, lambda s: s.exit_on_change(operator="NotIn")),
    (Rule.AGENT_EXIT_RULE, forget_the_policy),
    (Rule.AGENT_EXIT_RULE, end_for_ever),
    (Rule.AGENT_REFERENCE, lambda s: s.edit_config("ExamplePassword", "example-password")),
    (Rule.AGENT_REFERENCE, lambda s: s.edit_objects("ExamplePassword", "OtherPassword")),
    (Rule.AGENT_REFERENCE, add_object_field("objectAlias: password")),
    (Rule.AGENT_IDENTITY, lambda s: s.template("sidecar")["metadata"]["labels"].pop("azure.workload.identity/use")),
    (Rule.AGENT_IDENTITY, lambda s: s.edit_config("env:", "vault: myk8skv\nenv:")),
    (Rule.AGENT_IDENTITY, lambda s: s.edit_config("SECRET: Ex", "SECRET: akv://myk8skv/Ex")),
    (
        Rule.AGENT_IDENTITY,
        lambda s: s.edit_config("ExamplePassword", "'@Microsoft.KeyVault(VaultName=v;SecretName=ExamplePassword)'"),
    ),
    (Rule.AGENT_IDENTITY_ALONE, lambda s: s.template("sidecar")["metadata"].pop("annotations")),
    (Rule.SIGNAL_NAMESPACE, lambda s: s.pod("sidecar").pop("shareProcessNamespace")),
    (Rule.SIGNAL_USER, lambda s: s.security("sidecar", "app").update(runAsUser=1000)),
    (Rule.SIGNAL_TARGET, lambda s: s.env("sidecar", "akv-agent", "AKV_AGENT_TARGET").update(value="process:nginx")),
    (Rule.SIGNAL_TARGET, lambda s: s.container("sidecar", "app").update(command=["sh", "/app/demo-app"])),
]


def test_no_rule_is_broken(built):
    assert [str(finding) for finding in lint(built)] == []


@pytest.mark.parametrize(
    ("rule", "break_it"), BREAKS, ids=[f"{rule.name.lower()}-{index}" for index, (rule, _) in enumerate(BREAKS)]
)
def test_a_broken_rule_is_found(seed, rule, break_it):
    break_it(Seed(seed))
    assert rule in {finding.rule for finding in lint(seed)}


# What these rules ask for, so that they do not simply fire always.
KEEPS = [
    (Rule.CSI_AGENT_ONLY, share_without_an_output),
    (Rule.AGENT_FILE_KEY, lambda s: s.add_file_key()),
    (Rule.AGENT_EXIT_RULE, lambda s: s.exit_on_change(action="RestartAllContainers")),
    (Rule.AGENT_EXIT_RULE, lambda s: s.edit_config("restart: {signal: TERM, grace: 10s}", "exit: 42")),
]


@pytest.mark.parametrize(("rule", "change"), KEEPS)
def test_a_rule_that_is_kept_is_not_found(seed, rule, change):
    change(Seed(seed))
    assert rule not in {finding.rule for finding in lint(seed)}


def test_every_rule_is_seen_to_fire():
    assert {rule for rule, _ in BREAKS} | {rule for _, rule, _ in OTHER_BREAKS} == set(Rule)


def test_every_pod_is_linted(built):
    """A rule that looks at no pod would find nothing: strip all pods bare and count."""
    specs = [
        template["spec"]
        for doc in built
        for template in [doc.get("spec", {}).get("template"), doc.get("spec", {}).get("jobTemplate", {}).get("spec", {}).get("template")]
        if template
    ]
    assert specs
    for pod in specs:
        for part in (pod, *pod["containers"], *pod.get("initContainers", [])):
            part.pop("securityContext", None)
    containers = sum(len(pod["containers"]) + len(pod.get("initContainers", [])) for pod in specs)
    assert [finding.rule for finding in lint(built)].count(Rule.NON_ROOT) == containers
