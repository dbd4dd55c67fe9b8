"""The scenarios beside the seed: each rule fires where it is broken, and names agree."""

import re

import pytest

from lint import lint
from lint.agent_container import settings, use_of
from lint.build import DEPLOY, build, documents
from lint.pod import pods
from lint.schema import custom_errors
from variants import AS_IT_WAS, BREAKS, TOGETHER, VARIANTS, WITH_AGENT, WITHOUT_AGENT, Scenario


def scenario(folder):
    return Scenario(documents(build(DEPLOY / folder)))


@pytest.mark.parametrize(
    ("folder", "rule", "break_it"),
    BREAKS,
    ids=[f"{folder.rpartition('/')[2]}-{rule.name.lower()}-{index}" for index, (folder, rule, _) in enumerate(BREAKS)],
)
def test_a_broken_rule_is_found(kustomize, folder, rule, break_it):
    broken = scenario(folder)
    assert rule not in {finding.rule for finding in lint(broken.docs)}
    break_it(broken)
    assert rule in {finding.rule for finding in lint(broken.docs)}


@pytest.mark.parametrize("folder", VARIANTS)
def test_there_is_an_agent_where_one_is_expected(kustomize, folder):
    uses = [use_of(container) for pod in pods(scenario(folder).docs) for container in pod.containers]
    assert bool([use for use in uses if use]) == (folder not in WITHOUT_AGENT)


@pytest.mark.parametrize("folder", VARIANTS)
def test_the_app_gets_the_variable_of_the_seed(kustomize, folder):
    docs = scenario(folder).docs
    containers = [container for pod in pods(docs) for container in pod.containers]
    told = {name for c in containers if use_of(c) not in (None, "install") for name in settings(c, docs).references}
    assert "SECRET" in told | {name for container in containers for name in container.env}


@pytest.mark.parametrize("folder", VARIANTS)
def test_the_driver_and_the_agent_are_the_same_identity(kustomize, folder):
    """Whatever the client id is called there, it is the one of azure.env."""
    docs = scenario(folder).docs
    parameters = next(doc["spec"]["parameters"] for doc in docs if doc["kind"] == "SecretProviderClass")
    ids = [parameters.get("clientID"), parameters.get("userAssignedIdentityID")]
    ids += [doc["spec"]["clientID"] for doc in docs if doc["kind"] == "AzureIdentity"]
    ids += [container.env.get("AZURE_CLIENT_ID") for pod in pods(docs) for container in pod.containers]
    assert len({found for found in ids if found}) == 1


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("AzureIdentity", lambda doc: doc["spec"].update(resourceId="x")),
        ("AzureIdentity", lambda doc: doc["spec"].update(type="0")),
        ("AzureIdentityBinding", lambda doc: doc["spec"].update(identity="x")),
        ("AzureIdentityBinding", lambda doc: doc.update(apiVersion="aadpodidentity.k8s.io/v2")),
    ],
)
def test_the_definitions_of_aad_pod_identity_refuse(kustomize, custom_schemas, kind, change):
    doc = scenario(AS_IT_WAS).one(kind)
    assert custom_errors(doc, custom_schemas) == []
    change(doc)
    assert custom_errors(doc, custom_schemas)


@pytest.mark.parametrize("folder", [AS_IT_WAS, WITH_AGENT])
def test_an_identity_of_aad_pod_identity_stays_in_its_namespace(kustomize, folder):
    docs = scenario(folder)
    identity, binding = docs.one("AzureIdentity")["metadata"], docs.one("AzureIdentityBinding")["metadata"]
    # Matched by label alone otherwise, wherever the pod is.
    assert identity["annotations"]["aadpodidentity.k8s.io/Behavior"] == "namespaced"
    assert {identity["namespace"], binding["namespace"]} == {pod.namespace for pod in pods(docs.docs)}


@pytest.mark.parametrize("part", ["identities", "synced-secret", "legacy"])
def test_the_readme_applies_what_is_there(part):
    text = (DEPLOY / part / "README.md").read_text()
    applied = set(re.findall(r"kubectl apply -k deploy/([\w/-]+)", text))
    assert applied == {folder for folder in VARIANTS if folder.startswith(part)}


@pytest.mark.parametrize("part", ["identities", "synced-secret", "legacy"])
def test_the_readme_removes_every_namespace(kustomize, part):
    text = (DEPLOY / part / "README.md").read_text()
    removed = set(re.findall(r"kubectl delete namespace ([\w-]+)", text))
    for folder in re.findall(r"kubectl delete -k deploy/([\w/-]+)", text):
        removed.add(scenario(folder).one("Namespace")["metadata"]["name"])
    there = {scenario(folder).one("Namespace")["metadata"]["name"] for folder in VARIANTS if folder.startswith(part)}
    assert removed == there


def test_the_clean_up_of_legacy_works_without_the_definitions():
    """`delete -k` cannot know a kind whose definition the way to today's set-up has removed."""
    text = (DEPLOY / "legacy/README.md").read_text()
    assert "kubectl delete crd azureidentities." in text
    [clean_up] = re.findall(r"## Clean up\n.*?```bash\n(.*?)```", text, re.DOTALL)
    assert "kubectl delete namespace" in clean_up and "-k" not in clean_up.split()


@pytest.mark.parametrize("together", TOGETHER, ids=lambda folders: folders[-1].partition("/")[0])
def test_what_stands_side_by_side_leaves_each_other_alone(kustomize, together):
    """Objects of one name are the same in each, so that no apply changes what the other has brought."""
    seen = {}
    for folder in together:
        for doc in scenario(folder).docs:
            name = (doc["kind"], doc["metadata"].get("namespace"), doc["metadata"]["name"])
            assert seen.setdefault(name, doc) == doc, name


@pytest.mark.parametrize("part", ["identities", "synced-secret", "legacy"])
def test_the_deployments_that_the_readme_names_exist(kustomize, part):
    text = (DEPLOY / part / "README.md").read_text()
    there = {
        f"deployment/{doc['metadata']['name']}"
        for folder in VARIANTS
        if folder.startswith(part)
        for doc in scenario(folder).docs
        if doc["kind"] == "Deployment"
    }
    named = set(re.findall(r"\bdeployment/[\w-]+", text))
    assert named and named <= there


def test_everything_legacy_says_so():
    for path in (DEPLOY / "legacy").rglob("*.yaml"):
        text = path.read_text()
        if path.name in ("identity.yaml", "identity-binding.yaml", "secret-provider-class.yaml", "deployment.yaml"):
            assert "LEGACY" in text or "synced Secret any more" in text, path
    assert re.match(r"# .*\(legacy\)\n", (DEPLOY / "legacy/README.md").read_text())
