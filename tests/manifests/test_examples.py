"""The examples under deploy/kustomize do what their READMEs say, on the version of Kubernetes that they name."""

import re

import pytest

from lint.build import DEPLOY, ROOT, build, documents, kustomizations
from lint.pod import name_of, pods

EXAMPLES = DEPLOY / "kustomize" / "examples"
NAMES = sorted(path.name for path in kustomizations("Kustomization") if path.parent == EXAMPLES)
SECTIONS = ["Apply", "Observe", "On an older cluster", "Clean up"]
INDEX = (EXAMPLES / "README.md").read_text()

each = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def docs(name, kustomize):
    return documents(build(EXAMPLES / name))


@pytest.fixture
def readme(name):
    return (EXAMPLES / name / "README.md").read_text()


def features(pod):
    """What a pod uses that not every version has, by the version from which it is there without a gate."""
    for container in pod.containers:
        spec = container.spec
        if container.init and spec.get("restartPolicy") == "Always":
            yield 29, "native sidecar"
        if any("fileKeyRef" in (item.get("valueFrom") or {}) for item in spec.get("env") or []):
            yield 35, "fileKeyRef"
        for rule in spec.get("restartPolicyRules") or []:
            yield {"Restart": 35, "RestartAllContainers": 36}[rule["action"]], rule["action"]
    if any("image" in volume for volume in pod.volumes.values()):
        yield 35, "image volume"


def test_there_are_examples_and_each_has_its_line_in_the_index():
    listed = re.findall(r"^\| \[([\w-]+)\]\(\1/README\.md\) \|.*\| 1\.\d\d \|", INDEX, re.M)
    assert sorted(listed) == NAMES != []


@each
def test_the_version_that_it_names_is_the_one_that_it_needs(name, docs, readme):
    used = [feature for pod in pods(docs) for feature in features(pod)]
    needed = f"1.{max(used)[0]}"
    assert f"**Needs** Kubernetes {needed} (" in readme, used
    assert re.search(rf"^\| \[{name}\]\(.*\| {re.escape(needed)} \|", INDEX, re.M), used


@each
def test_a_readme_has_goal_and_sections(readme):
    assert readme.count("**Goal.**") == 1
    assert re.findall(r"^## (.*)", readme, re.M) == SECTIONS


@each
def test_it_applies_itself_and_cleans_up_what_is_its_own(name, docs, readme):
    assert re.findall(r"kubectl apply -k (\S+)", readme) == [str((EXAMPLES / name).relative_to(ROOT))]
    shared = {name_of(doc) for doc in documents(build(DEPLOY / "seed"))}
    own = {name_of(doc).lower() for doc in docs if name_of(doc) not in shared and doc["kind"] != "ConfigMap"}
    deleted = {
        f"{kind}/{one}"
        for kind, names in re.findall(r"kubectl delete ([\w-]+) ([\w -]+)$", readme, re.M)
        for one in names.split()
    }
    created = {f"job/{one}" for one in re.findall(r"kubectl create job --from=\S+ (\S+)", readme)}
    assert own and deleted == own | created


@each
def test_the_objects_and_containers_that_it_names_exist(docs, readme):
    own = {name_of(doc).lower() for doc in docs}
    named = set(re.findall(r"\b((?:deployment|statefulset|job|cronjob)/[\w-]+)", readme))
    assert named and named <= own
    containers = {(pod.where.lower(), container.spec["name"]) for pod in pods(docs) for container in pod.containers}
    pairs = set(re.findall(r"((?:deployment|statefulset|job)/[\w-]+) --container ([\w-]+)", readme))
    assert pairs <= containers
    labels = {value for pod in pods(docs) for value in pod.metadata["labels"].items()}
    for selector in re.findall(r"--selector (\S+)=(\S+)", readme):
        assert selector in labels


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("README.md")), ids=lambda path: str(path.relative_to(DEPLOY)))
def test_links_lead_somewhere(path):
    for link, anchor in re.findall(r"\]\((?!https:)([^)#\s]*)(?:#([\w-]+))?\)", path.read_text()):
        target = (path.parent / link).resolve() if link else path
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)", target.read_text(), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}, anchor
