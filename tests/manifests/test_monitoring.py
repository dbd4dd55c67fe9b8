"""deploy/monitoring: what it applies, and how Prometheus comes to the agents."""

import copy
import re

import pytest
import yaml

from charts import compare
from lint import lint
from lint.agent_container import use_of
from lint.build import DEPLOY, RULES, build, documents
from lint.pod import pods
from lint.schema import VERSIONS, custom_errors, is_native, native_error
from workloads import (
    DONE,
    NAMESPACE,
    PROVIDER_CLASS,
    USES,
    bare,
    built,
    config_map,
    every_workload,
    kinds_of,
    service_account,
    workload,
)

MONITORING = DEPLOY / "monitoring"
README = (MONITORING / "README.md").read_text()
RULE_FILE = MONITORING / "prometheus-rule.yaml"
HEAD = """\
# Made of alerts.yaml, which is the one to change: AKV_TEST_WRITE_SNAPSHOTS=1 with the tests of the manifests.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: akv-agent
  labels:
    app.kubernetes.io/name: akv-agent
    app.kubernetes.io/component: monitoring
spec:
"""
PORT = {"name": "akv-agent", "containerPort": 9808}
LISTEN = "AKV_AGENT_LISTEN"


@pytest.fixture
def applied(kustomize):
    """The documents of deploy/monitoring, newly parsed."""
    return documents(build(MONITORING))


def test_the_rules_of_the_operator_are_those_of_the_file():
    lines = RULES.read_text().splitlines(keepends=True)
    content = lines[lines.index("groups:\n") :]
    compare(RULE_FILE, HEAD + "".join(f"  {line}" if line.strip() else line for line in content))
    [rule], [plain] = documents(RULE_FILE.read_text()), documents(RULES.read_text())
    assert rule["spec"] == plain


def test_it_applies_rules_targets_and_the_dashboard(applied):
    assert sorted(doc["kind"] for doc in applied) == ["ConfigMap", "PodMonitor", "PrometheusRule"]
    [dashboard] = [doc for doc in applied if doc["kind"] == "ConfigMap"]
    assert dashboard["data"] == {"dashboard.json": (MONITORING / "dashboard.json").read_text()}
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_what_it_applies_meets_the_definitions(applied, custom_schemas):
    custom = [doc for doc in applied if not is_native(doc)]
    assert len(custom) == 2
    assert [error for doc in custom for error in custom_errors(doc, custom_schemas)] == []
    errors = [native_error(doc, version) for doc in applied if is_native(doc) for version in VERSIONS]
    assert errors and not any(errors)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("PodMonitor", lambda spec: spec["podMetricsEndpoints"][0].update(ports="akv-agent")),
        ("PodMonitor", lambda spec: spec["podMetricsEndpoints"][0].update(interval="often")),
        ("PodMonitor", lambda spec: spec.pop("selector")),
        ("PrometheusRule", lambda spec: spec["groups"][0]["rules"][0].update(labels={"severity": 1})),
        ("PrometheusRule", lambda spec: spec["groups"][0]["rules"][0].update(runbook="x")),
    ],
)
def test_the_definitions_refuse(applied, custom_schemas, kind, change):
    [doc] = [doc for doc in applied if doc["kind"] == kind]
    change(doc["spec"])
    assert custom_errors(doc, custom_schemas)


def test_targets_have_the_job_that_the_alerts_are_about(applied):
    [monitor] = [doc for doc in applied if doc["kind"] == "PodMonitor"]
    [endpoint] = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] == PORT["name"]
    assert {"action": "replace", "targetLabel": "job", "replacement": "akv-agent"} in endpoint["relabelings"]
    assert RULES.read_text().count('{job="akv-agent"') == RULES.read_text().count("{job=")


def blocks(key):
    """The YAML in the README that has this key first."""
    return [documents(text)[0] for text in re.findall(r"^```yaml\n(.*?)^```", README, re.M | re.S) if text.startswith(key)]


def test_the_scrape_configuration_of_the_readme_is_one(promtool):
    [config] = blocks("scrape_configs:")
    [job] = config["scrape_configs"]
    assert job["job_name"] == "akv-agent"
    # Debian builds Prometheus without this one.
    assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]
    file = promtool.directory / "prometheus.yaml"
    file.write_text(yaml.safe_dump(config))
    done = promtool.run("check", "config", "--syntax-only", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_other_endpoint_of_the_readme_meets_the_definition(applied, custom_schemas):
    [monitor] = [doc for doc in applied if doc["kind"] == "PodMonitor"]
    [other] = blocks("podMetricsEndpoints:")
    assert other["podMetricsEndpoints"] != monitor["spec"]["podMetricsEndpoints"]
    monitor["spec"].update(other)
    assert custom_errors(monitor, custom_schemas) == []


def test_the_container_of_the_readme_is_that_of_the_component():
    [part] = blocks("env:")
    [source] = documents((MONITORING / "scrape" / "fields" / "source.yaml").read_text())
    [container] = source["template"]["spec"]["containers"]
    assert {"name": "akv-agent", **part} == container
    assert part == {"env": [{"name": LISTEN, "value": "0.0.0.0:9808"}], "ports": [PORT]}


def test_the_network_policy_of_the_readme_meets_the_schemas():
    [policy] = blocks("apiVersion: networking")
    assert [error for version in VERSIONS if (error := native_error(policy, version))] == []


SCRAPE = "../../monitoring/scrape"


@pytest.fixture(scope="module", params=USES)
def made(request, tmp_path_factory, kustomize):
    """A component on all kinds of workloads, without and with the one that opens it to Prometheus."""
    use = request.param
    docs = [*every_workload(use), config_map(use), service_account(), PROVIDER_CLASS]
    directory = tmp_path_factory.mktemp(use)
    closed, opened = (
        built(directory / str(len(components)), docs, components, namespace=NAMESPACE)
        for components in ((use, "csi"), (use, "csi", SCRAPE))
    )
    return use, closed, opened


def agents(docs):
    """The containers in which an agent keeps running."""
    return [
        container
        for pod in pods(docs)
        for container in pod.containers
        if use_of(container) in ("sidecar", "exec")
    ]


def test_every_agent_that_stays_can_be_found_and_reached(made):
    use, _, opened = made
    assert len(agents(opened)) == (0 if use == "init" else 2 * len(kinds_of(use)))
    for agent in agents(opened):
        assert agent.spec["ports"] == [PORT], agent.where
        assert agent.env[LISTEN] == f"0.0.0.0:{PORT['containerPort']}", agent.where


def test_the_component_changes_nothing_else(made):
    _, closed, opened = copy.deepcopy(made)
    for agent in agents(opened):
        del agent.spec["ports"]
        agent.spec["env"].remove({"name": LISTEN, "value": agent.env[LISTEN]})
        if not agent.spec["env"]:
            del agent.spec["env"]
    assert opened == closed


def test_the_result_breaks_no_rule_and_meets_the_schemas(made):
    _, _, opened = made
    assert [str(finding) for finding in lint(opened)] == []
    native = [doc for doc in opened if is_native(doc)]
    assert [error for doc in native if (error := native_error(doc, VERSIONS[0]))] == []


def test_what_an_app_listens_at_stays(tmp_path, kustomize):
    doc = workload("Deployment", "app", bare("exec"), "exec")
    [app] = doc["spec"]["template"]["spec"]["containers"]
    app["ports"] = [{"name": "http", "containerPort": 8080}]
    [agent] = agents(built(tmp_path / "app", [doc], ("exec", SCRAPE)))
    assert agent.spec["ports"] == [{"name": "http", "containerPort": 8080}, PORT]


def test_listed_twice_it_works_once(tmp_path, kustomize):
    docs = every_workload("sidecar")
    once = built(tmp_path / "once", docs, ("sidecar", SCRAPE))
    assert built(tmp_path / "twice", docs, ("sidecar", SCRAPE, SCRAPE)) == once


def test_two_kustomizations_with_it_can_be_put_together(tmp_path, kustomize):
    for name in ("one", "two"):
        built(tmp_path / name, [workload("Deployment", name, bare("init"), "sidecar")], ("sidecar", SCRAPE))
    out = built(tmp_path / "together", [service_account()], resources=["../one", "../two"])
    assert [doc["kind"] for doc in out].count("Deployment") == len(agents(out)) == 2


def test_before_the_agent_it_is_refused(tmp_path, kustomize):
    with pytest.raises(AssertionError, match="listed after"):
        built(tmp_path / "app", [workload("Deployment", "app", bare("init"), "sidecar")], (SCRAPE, "sidecar"))
