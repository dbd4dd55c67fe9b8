"""The policies bring to a pod what the components bring to a workload, by the API server's own admission plugins."""

import copy
import json
import re
import shutil
import subprocess

import pytest
import yaml

from lint import lint
from lint.build import DEPLOY, build, documents
from lint.pod import pods
from lint.schema import VERSIONS, native_error
from workloads import NAMESPACE, PROVIDER_CLASS, bare, built, config_map, furnished, service_account, workload

POLICY = DEPLOY / "policy"
USES = ("init", "native-sidecar", "exec", "exit-restart")
# As a service mesh has it.
WEBHOOK = {"name": "mesh", "image": "registry.example/mesh:1", "command": ["/mesh"]}

each_use = pytest.mark.parametrize("use", USES)


@pytest.fixture(scope="session")
def policies(kustomize):
    """The objects that `kubectl apply -k deploy/policy` would send."""
    return documents(build(POLICY))


@pytest.fixture(scope="session")
def admit(policies):
    """What a cluster with these policies makes of pods: for each the pod as it is stored, or why it is refused."""
    program = shutil.which("pod-admission")
    if not program:
        pytest.skip("needs pod-admission on the PATH, which scripts/setup-tests builds")

    def run(*asked, webhook=None, objects=policies):
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
        question = json.dumps({"objects": [*objects, namespace], "pods": asked, "webhook": webhook})
        done = subprocess.run([program], input=question, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        answers = json.loads(done.stdout)
        assert len(answers) == len(asked)
        return [as_given(answer["pod"]) if "pod" in answer else answer["error"] for answer in answers]

    return run


def as_given(pod):
    """Without what the program adds in writing: fields that are empty in every pod."""
    pod = {key: value for key, value in pod.items() if key != "status"}
    pod["metadata"] = {key: value for key, value in pod["metadata"].items() if value is not None}
    for container in pod["spec"]["containers"] + pod["spec"].get("initContainers", []):
        if not container.get("resources"):
            container.pop("resources", None)
    return pod


def asking(use, spec, **chosen):
    """A pod that asks for that use; `chosen` are other annotations by the last part of their names."""
    metadata = workload("Deployment", "app", spec, use)["spec"]["template"]["metadata"]
    annotations = {f"akv-agent.io/{key.replace('_', '-')}": value for key, value in {"inject": use, **chosen}.items()}
    metadata |= {"name": "app", "namespace": NAMESPACE, "annotations": {**metadata["annotations"], **annotations}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def without_mounts(spec):
    """The template as it is before the policy: a mount of a volume that it does not have would be refused."""
    for container in spec["containers"]:
        kept = [mount for mount in container.pop("volumeMounts", []) if not mount["name"].startswith("akv-agent-")]
        if kept:
            container["volumeMounts"] = kept
    return spec


def sorted_by_name(spec):
    """Their order says nothing in volumes and mounts."""
    spec = copy.deepcopy(spec)
    for container in spec["containers"] + spec["initContainers"]:
        container.get("volumeMounts", []).sort(key=lambda mount: mount["mountPath"])
    spec["volumes"].sort(key=lambda volume: volume["name"])
    return spec


@each_use
@pytest.mark.parametrize("shape", [bare, furnished])
@pytest.mark.parametrize("csi", [None, "akv-agent"], ids=["plain", "csi"])
def test_a_pod_gets_what_the_component_brings(use, shape, csi, admit, tmp_path, kustomize):
    components = (use, "csi") if csi else (use,)
    chosen = {"secret_provider_class": csi} if csi else {}
    [by_component] = pods(built(tmp_path / "app", [workload("Deployment", "app", shape(use), use)], components))
    [by_policy] = admit(asking(use, without_mounts(shape(use)), **chosen))
    assert sorted_by_name(by_policy["spec"]) == sorted_by_name(by_component.spec)


@each_use
def test_what_is_stored_meets_schema_and_rules(use, admit):
    [stored] = admit(asking(use, without_mounts(furnished(use)), secret_provider_class="akv-agent"))
    for version in VERSIONS:
        assert native_error(stored, version) is None
    beside = [config_map(use), service_account(), PROVIDER_CLASS]
    for doc in beside:
        doc["metadata"]["namespace"] = NAMESPACE
    assert [str(finding) for finding in lint([stored, *beside])] == []


def test_a_pod_that_asks_for_nothing_stays_as_it_was(admit):
    asked = asking("exec", furnished("exec"))
    del asked["metadata"]["annotations"]["akv-agent.io/inject"]
    plain = copy.deepcopy(asked)
    del plain["metadata"]["annotations"]
    assert admit(asked, plain) == [asked, plain]


@each_use
def test_a_pod_that_has_an_agent_gets_no_other(use, admit):
    [once] = admit(asking(use, without_mounts(furnished(use))))
    assert admit(once) == [once]


@each_use
def test_a_webhook_that_adds_containers_changes_nothing_for_the_agent(use, admit):
    asked = asking(use, without_mounts(furnished(use)))
    [plain], [meshed] = admit(asked), admit(asked, webhook=WEBHOOK)
    for key in ("initContainers", "containers"):
        assert [container["name"] for container in meshed["spec"][key]].count("mesh") == 1
        meshed["spec"][key] = [container for container in meshed["spec"][key] if container["name"] != "mesh"]
    assert meshed == plain


@each_use
def test_the_annotations_choose_container_configuration_and_class(use, admit):
    [stored] = admit(asking(use, without_mounts(furnished(use)), container="proxy", config_map="web-secrets", secret_provider_class="web"))
    [seen] = pods([stored])
    assert seen.volumes["akv-agent-config"]["configMap"]["name"] == "web-secrets"
    assert seen.secret_provider_class("akv-agent-secrets") == "web"
    app, proxy = (container for container in seen.containers if not container.init)
    assert not any(mount["name"].startswith("akv-agent-") for mount in app.mounts)
    assert any(mount["name"].startswith("akv-agent-") for mount in proxy.mounts)
    assert (proxy.spec["command"][0] == "/akv-agent/akv-agent") == (use == "exec")
    assert app.spec["command"] == ["/app", "--listen=:8080"]


ROOM = {"name": "akv-agent-env", "emptyDir": {"medium": "Memory", "sizeLimit": "8Mi"}}
PROJECTED = {
    "name": "akv-agent-config",
    "projected": {"sources": [{"configMap": {"name": "web", "items": [{"key": "web.yaml", "path": "config.yaml"}]}}]},
}
ANOTHER_CLASS = {
    "name": "akv-agent-secrets",
    "csi": {
        "driver": "secrets-store.csi.k8s.io",
        "nodePublishSecretRef": {"name": "credentials"},
        "volumeAttributes": {"secretProviderClass": "web"},
    },
}
DECLARED = {
    "a larger one for the outputs": ("native-sidecar", [ROOM]),
    "one for the outputs without a limit": ("init", [{"name": "akv-agent-env", "emptyDir": {}}]),
    "a larger one for the program": ("exec", [{**ROOM, "name": "akv-agent-bin"}]),
    "a projected configuration": ("exit-restart", [PROJECTED]),
    "a projected configuration for exec": ("exec", [PROJECTED]),
    "secrets by credentials": ("native-sidecar", [ANOTHER_CLASS]),
    "all": ("native-sidecar", [ROOM, PROJECTED, ANOTHER_CLASS]),
}


@pytest.mark.parametrize(("use", "declared"), DECLARED.values(), ids=DECLARED)
def test_a_volume_that_the_pod_declares_is_used_as_it_is(use, declared, admit):
    plain = asking(use, without_mounts(bare(use)), secret_provider_class="akv-agent")
    declaring = copy.deepcopy(plain)
    declaring["spec"]["volumes"] = copy.deepcopy(declared)
    expected, stored = admit(plain, declaring)
    volumes = {volume["name"]: volume for volume in expected["spec"]["volumes"]}
    assert volumes.keys() >= {volume["name"] for volume in declared}
    volumes |= {volume["name"]: volume for volume in declared}
    expected["spec"]["volumes"] = list(volumes.values())
    assert sorted_by_name(stored["spec"]) == sorted_by_name(expected["spec"])


def test_a_volume_that_the_pod_declares_is_mounted_into_more_containers(admit):
    spec = bare("native-sidecar")
    spec["volumes"] = [copy.deepcopy(ROOM)]
    spec["containers"].append({**copy.deepcopy(spec["containers"][0]), "name": "second"})
    [stored] = admit(asking("native-sidecar", spec))
    assert sorted(volume["name"] for volume in stored["spec"]["volumes"]) == ["akv-agent-config", "akv-agent-env"]
    assert [len(container["volumeMounts"]) for container in stored["spec"]["containers"]] == [1, 1]


def test_a_static_pod_is_left_alone(admit):
    asked = asking("init", bare("init"))
    asked["metadata"]["annotations"]["kubernetes.io/config.mirror"] = "0123"
    assert admit(asked) == [asked]


def no_command(spec):
    del spec["containers"][0]["command"]
    return spec


REFUSED = [
    (asking("sidecar", bare("init")), 'inject says "sidecar"; it takes init, native-sidecar, exec and exit-restart'),
    (asking("", bare("init")), 'inject says ""'),
    (asking("init", bare("init"), container="gone"), 'container says "gone", and the pod has no container of that name'),
    (asking("exec", bare("exec"), container="gone"), 'container says "gone", and the pod has no container of that name'),
    (asking("exec", no_command(bare("exec"))), 'the container "app" has no command for the agent to run'),
]


@pytest.mark.parametrize(("asked", "reason"), REFUSED, ids=[reason[:24] for _, reason in REFUSED])
def test_what_cannot_be_is_refused_with_the_reason_alone(asked, reason, admit):
    [answer] = admit(asked)
    assert reason in answer
    assert answer.count("denied request") == 1
    message = answer.partition("denied request: ")[2]
    assert ";" not in message.replace('"; it takes', "")


@each_use
@pytest.mark.parametrize("missing", ["MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"])
def test_a_pod_without_its_agent_is_refused(use, missing, admit, policies):
    [answer] = admit(asking(use, bare(use)), objects=[doc for doc in policies if doc["kind"] != missing])
    assert "the agent was not injected" in answer


def test_a_webhooks_container_is_not_taken_for_the_app(admit):
    [answer] = admit(asking("exec", no_command(bare("exec"))), webhook=WEBHOOK)
    assert "akv-agent.io/container" in answer


def test_the_image_is_replaced_as_the_readme_says(admit, tmp_path, kustomize):
    text = (POLICY / "README.md").read_text()
    [block] = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "kind: Kustomization" in block]
    content = yaml.safe_load(block)
    shutil.copytree(POLICY, tmp_path / "policy")
    (tmp_path / "overlay").mkdir()
    (tmp_path / "overlay" / "kustomization.yaml").write_text(yaml.safe_dump({**content, "resources": ["../policy"]}))
    for use in USES:
        [stored] = admit(asking(use, bare(use)), objects=documents(build(tmp_path / "overlay")))
        assert stored["spec"]["initContainers"][0]["image"] == "registry.example/akv-agent:0.1.0"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_policies_meet_the_schemas_of_the_versions_that_have_them(policies, version):
    mutating = [doc for doc in policies if doc["kind"].startswith("Mutating")]
    assert len(mutating) == 2 and len(policies) == 4
    if version >= "1.36":
        assert [error for doc in policies if (error := native_error(doc, version))] == []
    else:
        assert all(native_error(doc, version) for doc in mutating)
        # Behind its gate.
        beta = [{**doc, "apiVersion": "admissionregistration.k8s.io/v1beta1"} for doc in mutating]
        assert [error for doc in beta if (error := native_error(doc, version))] == []
