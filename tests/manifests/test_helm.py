"""The charts render what the components bring, for every use, and refuse what cannot work."""

import json

import pytest
import yaml

from charts import LIBRARY, RELEASE, VALUES_SCHEMA, Refused, compare, generated_schema
from helm_cases import AGENT_CONTAINERS, BESIDE, CASES, CSI, OURS_IN, REFUSED, SNAPSHOTS
from lint import lint
from lint.agent_container import use_of
from lint.build import documents
from lint.pod import pods
from lint.schema import VERSIONS, custom_errors, is_native, native_error
from workloads import USES, bare, built, workload

OBJECTS = f"{RELEASE}-akv-agent"
FOR_KUBELET = {"envFile": "/run/akv-agent/app.env", "format": "kubelet"}


@pytest.fixture(scope="session", params=CASES)
def rendered(request, charts):
    """One case: its name, what Helm prints and the documents in that."""
    values = CASES[request.param]
    text = charts.text(**values)
    return request.param, text, documents(text) + BESIDE.get(request.param, [])


@pytest.fixture(scope="session")
def two_agents(charts):
    return charts.documents(chart=charts.two_agents)


def our_part(pod):
    """What of a pod is the agent's, to compare with other ways to it."""
    containers = {container.spec["name"]: container.spec for container in pod.containers}
    app = containers["app"]
    part = {
        "containers": [containers[name] for name in containers if name in AGENT_CONTAINERS],
        "volumes": [volume for name, volume in pod.volumes.items() if name.startswith("akv-agent-")],
        "mounts": [mount for mount in app["volumeMounts"] if mount["name"].startswith("akv-agent-")],
        "command": app["command"][:-2],
    }
    # Their order says nothing.
    for items in (part["volumes"], part["mounts"], *(container["volumeMounts"] for container in part["containers"])):
        items.sort(key=lambda item: item["name"])
    return json.loads(json.dumps(part).replace(OBJECTS, "akv-agent"))


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("extra", [(), ("csi",)], ids=["plain", "csi"])
def test_the_chart_brings_what_the_component_brings(use, extra, charts, tmp_path, kustomize):
    docs = [workload("Deployment", "app", bare(use), use)]
    [by_component] = pods(built(tmp_path / "app", docs, (use, *extra)))
    [by_chart] = pods(charts.documents(agent={"use": use, **(CSI if extra else {})}))
    assert our_part(by_chart) == our_part(by_component)


def test_a_chart_renders_what_it_did(rendered):
    name, text, _ = rendered
    compare(SNAPSHOTS / f"{name}.yaml", text)


def test_every_snapshot_has_its_case():
    assert {path.stem for path in SNAPSHOTS.glob("*.yaml")} == set(CASES) | {"two-agents"}


def test_no_rule_is_broken(rendered, two_agents):
    for docs in (rendered[2], two_agents):
        assert list(pods(docs))
        assert [str(finding) for finding in lint(docs)] == []


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_rendered_meets_the_kubernetes_schemas(rendered, two_agents, version):
    native = [doc for docs in (rendered[2], two_agents) for doc in docs if is_native(doc)]
    assert [error for doc in native if (error := native_error(doc, version))] == []


def test_what_is_rendered_meets_the_custom_resource_definitions(rendered, two_agents, custom_schemas):
    custom = [doc for docs in (rendered[2], two_agents) for doc in docs if not is_native(doc)]
    assert custom
    assert [error for doc in custom for error in custom_errors(doc, custom_schemas)] == []


def test_each_agent_has_its_own_use_configuration_and_objects(charts, two_agents):
    compare(SNAPSHOTS / "two-agents.yaml", charts.text(chart=charts.two_agents))
    web, report = pods(two_agents)
    assert [use_of(container) for container in web.containers] == ["sidecar", None, None]
    assert [use_of(container) for container in report.containers] == ["install", "exec", None]
    made = {(doc["kind"], doc["metadata"]["name"]): doc for doc in two_agents}
    configurations = {name: doc["data"]["config.yaml"] for (kind, name), doc in made.items() if kind == "ConfigMap"}
    assert configurations.keys() == {OBJECTS, f"{OBJECTS}-report"}
    # Neither learns of the other's variables.
    assert "REPORT_KEY" not in configurations[OBJECTS]
    assert "DB_PASSWORD" not in configurations[f"{OBJECTS}-report"]
    assert ("SecretProviderClass", OBJECTS) in made and "akv-agent-secrets" not in report.volumes
    skipped = report.metadata["annotations"]["azure.workload.identity/skip-containers"]
    assert skipped == "helper;install-akv-agent"


def test_an_edit_of_the_configuration_rolls_the_pods(charts):
    def annotations(name):
        [pod] = pods(charts.documents(agent={"config": {"env": {name: "db-password"}}}))
        return pod.metadata["annotations"]

    assert annotations("A") == annotations("A") != annotations("B")


@pytest.mark.parametrize(("values", "reason"), REFUSED.values(), ids=REFUSED)
def test_wrong_values_are_refused_with_the_reason(charts, values, reason):
    with pytest.raises(Refused) as refused:
        charts.text(**values)
    assert reason in str(refused.value)


@pytest.mark.parametrize(
    "agent",
    [
        {"config": {"outputs": [{"envFile": "/run/akv-agent/other.env"}, FOR_KUBELET]}},
        {"config": {"outputs": FOR_KUBELET}},
        {"config": {"outputs": []}},
        # What a ConfigMap that exists says is not known here.
        {"config": {"outputs": {"envFile": "/run/akv-agent/other.env"}}, "configMap": "my-config"},
    ],
    ids=["one of several", "the only one", "none", "of a ConfigMap that exists"],
)
def test_a_file_key_ref_takes_outputs_that_have_its_file(charts, agent):
    rendered = charts.documents(agent={"use": "native-sidecar", "fileKeyRef": True, **agent})
    [pod] = pods(rendered)
    [app] = [container for container in pod.containers if container.spec["name"] == "app"]
    [variable] = app.spec["env"]
    assert variable["valueFrom"]["fileKeyRef"] == {"volumeName": "akv-agent-env", "path": "app.env", "key": "DB_PASSWORD"}
    for made in (doc for doc in rendered if doc["kind"] == "ConfigMap"):
        outputs = yaml.safe_load(made["data"]["config.yaml"])["outputs"]
        assert FOR_KUBELET in (outputs if isinstance(outputs, list) else [outputs])


def test_a_feature_behind_a_gate_can_be_used_all_the_same(charts):
    values = {"kubernetes": "1.35.0", "agent": {"use": "exit-restart", "checkKubeVersion": False}}
    [pod] = pods(charts.documents(**values))
    assert [use_of(container) for container in pod.containers] == ["sidecar", None]


def test_an_alias_of_the_library_is_refused(charts, tmp_path):
    chart = charts.two_agents / "Chart.yaml"
    text = chart.read_text()
    try:
        chart.write_text(f"{text}    alias: agent\n")
        with pytest.raises(Refused, match="must have no alias"):
            charts.text(chart=charts.two_agents)
    finally:
        chart.write_text(text)


def test_helm_has_nothing_to_say_against_the_charts(charts):
    for chart in (charts.library, charts.example, charts.two_agents):
        assert "[WARNING]" not in charts.run("lint", "--strict", chart)


def test_the_library_alone_is_no_chart_to_install(charts):
    with pytest.raises(Refused, match="library"):
        charts.run("template", charts.library)


@pytest.mark.parametrize("use", USES)
def test_the_notes_say_what_the_use_does_and_how_to_look(charts, use):
    notes = charts.run(
        "install", RELEASE, charts.example, "--dry-run=client", "--namespace=shop", f"--set=akv-agent.use={use}",
        "--set=akv-agent.checkKubeVersion=false",
    ).partition("NOTES:")[2]  # fmt: skip
    assert f"use {use}:" in notes
    assert "--namespace shop POD" in notes
    assert ("do NOT follow a rotation" in notes) == (use == "init")


def test_the_schema_of_the_values_has_the_agents_own_in_it():
    compare(VALUES_SCHEMA, generated_schema())


def test_every_value_is_in_the_schema_and_has_a_comment():
    text = (LIBRARY / "values.yaml").read_text()
    [values] = documents(text)
    schema = json.loads(VALUES_SCHEMA.read_text())
    assert values.keys() == schema["properties"].keys() - {"global"}
    for key, value in values.items():
        [inner] = [schema["properties"][key]] if key == "agents" else [schema["$defs"]["agent"]["properties"][key]]
        if isinstance(value, dict) and "properties" in inner and "$ref" not in inner:
            assert value.keys() <= inner["properties"].keys(), key


def test_the_readme_names_every_template_for_users():
    readme = (LIBRARY / "README.md").read_text()
    for name in OURS_IN:
        assert f"`akv-agent.{name}`" in readme


def test_the_readmes_lines_are_those_of_the_example():
    readme = (LIBRARY / "README.md").read_text()
    template = (LIBRARY.parent / "example" / "templates" / "deployment.yaml").read_text()
    shown = [line.strip() for line in readme.splitlines() if line.startswith("  ") and "{{- include" in line]
    assert shown
    for line in shown:
        assert line in template
