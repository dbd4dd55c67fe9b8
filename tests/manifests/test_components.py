"""The components bring exactly one agent to every workload that asks, and change nothing else."""

import copy

import pytest
import yaml

from lint import lint
from lint.agent_container import use_of
from lint.pod import pods
from lint.schema import VERSIONS, custom_errors, is_native, native_error
from workloads import (
    ASKED,
    DONE,
    KINDS,
    NAMESPACE,
    USES,
    bare,
    built,
    every_workload,
    furnished,
    kinds_of,
    service_account,
    workload,
)

# Which containers of a pod run the agent, in the order of the pod.
AGENTS = {
    "init": ["init"],
    "sidecar": ["init", "sidecar"],
    "native-sidecar": ["sidecar"],
    "exec": ["install", "exec"],
    "exit-restart": ["sidecar"],
}
OURS = {"akv-agent", "init-akv-agent", "install-akv-agent"}
WRAPPER = ["/akv-agent/akv-agent", "exec", "--"]

each_use = pytest.mark.parametrize("use", USES)


def pod_of(doc):
    [pod] = pods([doc])
    return pod


def by_name(docs):
    return {(doc["kind"], doc["metadata"]["name"]): doc for doc in docs}


def without_the_agent(doc):
    """The object with everything taken out that a component may have brought."""
    doc = copy.deepcopy(doc)
    labels = doc["metadata"]["labels"]
    if DONE in labels:
        labels[ASKED] = labels.pop(DONE)
    spec = pod_of(doc).spec
    for key in ("initContainers", "containers"):
        kept = [container for container in spec.get(key) or [] if container["name"] not in OURS]
        spec.pop(key, None)
        if kept:
            spec[key] = kept
    kept = [volume for volume in spec.pop("volumes", []) if not volume["name"].startswith("akv-agent-")]
    if kept:
        spec["volumes"] = kept
    app = spec["containers"][0]
    if app["command"][:3] == WRAPPER:
        app["command"] = app["command"][3:]
        mounts = [mount for mount in app.pop("volumeMounts") if not mount["name"].startswith("akv-agent-")]
        if mounts:
            app["volumeMounts"] = mounts
    return doc


def test_every_pod_that_asks_gets_its_agent_and_no_other(case):
    use, _, docs, out = case
    asking = [doc for doc in docs if ASKED in doc["metadata"]["labels"]]
    assert len(asking) == 2 * len(kinds_of(use))
    for doc in asking:
        result = by_name(out)[doc["kind"], doc["metadata"]["name"]]
        agents = [found for container in pod_of(result).containers if (found := use_of(container))]
        assert agents == AGENTS[use], doc["metadata"]["name"]


def test_what_the_user_wrote_is_as_it_was(case):
    _, _, docs, out = case
    results = by_name(out)
    for doc in docs:
        assert without_the_agent(results[doc["kind"], doc["metadata"]["name"]]) == doc


def test_nothing_but_the_users_objects_is_sent(case):
    _, extra, docs, out = case
    beside = {"ConfigMap", "ServiceAccount", *(["SecretProviderClass"] if extra else [])}
    assert len(out) == len(docs) + len(beside)
    assert {doc["kind"] for doc in out} == {doc["kind"] for doc in docs} | beside


def test_the_agent_comes_before_other_init_containers_and_after_other_containers(case):
    use, _, _, out = case
    for pod in pods(out):
        ours = [container.spec["name"] in OURS for container in pod.containers if container.init]
        assert ours == sorted(ours, reverse=True), pod.where
        beside = [container.spec["name"] in OURS for container in pod.containers if not container.init]
        assert beside == sorted(beside), pod.where


def test_every_kind_gets_the_same(case):
    use, _, _, out = case
    for shape in (bare, furnished):
        got = [pod for pod in pods(out) if f"/{shape.__name__}-" in pod.where]
        assert len(got) == len(kinds_of(use))
        for pod in got:
            pod.spec.pop("restartPolicy", None)
            assert pod.spec == got[0].spec, pod.where


def test_no_rule_is_broken(case):
    assert [str(finding) for finding in lint(case[-1])] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_the_result_meets_the_kubernetes_schemas(case, version):
    native = [doc for doc in case[-1] if is_native(doc)]
    assert [error for doc in native if (error := native_error(doc, version))] == []


def test_the_volume_meets_the_custom_resource_definitions(case, custom_schemas):
    custom = [doc for doc in case[-1] if not is_native(doc)]
    assert bool(custom) == bool(case[1])
    assert [error for doc in custom for error in custom_errors(doc, custom_schemas)] == []


def test_the_volume_reaches_the_agent_alone(case):
    use, extra, _, out = case
    for pod in pods(out):
        having = [use_of(container) for container in pod.containers if container.mount_of("/mnt/secrets-store")[0]]
        expected = [agent for agent in AGENTS[use] if agent != "install"] if extra else []
        assert having == ([] if "bystander" in pod.where else expected), pod.where


@each_use
def test_a_component_that_is_listed_twice_works_once(use, tmp_path, kustomize):
    docs = every_workload(use)
    once = built(tmp_path / "once", docs, (use,))
    assert built(tmp_path / "twice", docs, (use, use)) == once


@each_use
def test_two_kustomizations_with_it_can_be_put_together(use, tmp_path, kustomize):
    components = (use, "csi")
    for name in ("one", "two"):
        built(tmp_path / name, [workload(kind, name, bare(use), use) for kind in kinds_of(use)], components)
    together = tmp_path / "together"
    out = built(together, [service_account()], resources=["../one", "../two"])
    assert len(out) == 2 * len(kinds_of(use))


@each_use
def test_all_components_can_be_listed_together(use, tmp_path, kustomize):
    docs = every_workload(use)
    assert built(tmp_path / "all", docs, USES) == built(tmp_path / "one", docs, (use,))


@each_use
def test_a_generated_config_map_and_a_replaced_image_reach_the_agent(use, tmp_path, kustomize):
    out = built(
        tmp_path / "app", [workload(kind, "app", furnished(use), use) for kind in kinds_of(use)], (use,),
        configMapGenerator=[{"name": "akv-agent", "literals": ["config.yaml=vault: myk8skv"]}],
        images=[{"name": "ghcr.io/akv-agent/akv-agent", "newName": "registry.example/akv-agent", "newTag": "9.9.9"}],
        namePrefix="blue-", namespace=NAMESPACE,
    )  # fmt: skip
    [config] = [doc["metadata"]["name"] for doc in out if doc["kind"] == "ConfigMap"]
    assert config.startswith("blue-akv-agent-")
    for pod in pods(out):
        assert pod.volumes["akv-agent-config"]["configMap"]["name"] == config
        images = {container.spec["image"] for container in pod.containers if container.spec["name"] in OURS}
        assert images == {"registry.example/akv-agent:9.9.9"}


@each_use
def test_a_workload_can_have_a_configuration_of_its_own(use, tmp_path, kustomize):
    own = {"volumes": [{"name": "akv-agent-config", "configMap": {"name": "web-secrets"}}]}
    patch = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": {"template": {"spec": own}}}
    patches = [{"target": {"kind": "Deployment", "name": "web"}, "patch": yaml.safe_dump(patch)}]
    docs = [workload("Deployment", name, bare(use), use) for name in ("web", "worker")]
    out = built(tmp_path / "app", docs, (use,), patches=patches)
    named = {pod.where: pod.volumes["akv-agent-config"]["configMap"]["name"] for pod in pods(out)}
    assert named == {"Deployment/web": "web-secrets", "Deployment/worker": "akv-agent"}


def without_a_command(kind):
    pod = bare("exec")
    del pod["containers"][0]["command"]
    return workload(kind, "app", pod, "exec")


REFUSED = [
    *((("sidecar",), workload(kind, "app", bare("sidecar"), "sidecar"), "never ends") for kind in ("Job", "CronJob")),
    *((("exec",), without_a_command(kind), "containers/0/command/0") for kind in KINDS),
    *(((use,), workload("Deployment", "app", bare("init"), "side-car"), "no component") for use in USES),
    (("init",), {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "app", "labels": {ASKED: "init"}},
                 "spec": bare("init")}, "is for Deployment"),
    (("csi", "init"), workload("Deployment", "app", bare("init"), "init"), "listed after"),
]  # fmt: skip


@pytest.mark.parametrize(("components", "doc", "reason"), REFUSED)
def test_what_would_be_passed_over_in_silence_fails_the_build(components, doc, reason, tmp_path, kustomize):
    with pytest.raises(AssertionError, match=reason):
        built(tmp_path / "app", [doc], components)
