"""The examples do what their READMEs say, on the version of Kubernetes that they name."""

import re

import pytest

from lint.build import DEPLOY, EXAMPLES, ROOT, build, documents, kustomizations
from lint.pod import name_of, pods

# With programs of their own, and without.
FOLDERS = [EXAMPLES, DEPLOY / "kustomize" / "examples"]
PATHS = sorted(path for path in kustomizations("Kustomization") if path.parent in FOLDERS)
SECTIONS = ["Apply", "Observe", "On an older cluster", "Clean up"]
READMES = sorted(path for top in (DEPLOY, EXAMPLES) for path in top.rglob("README.md"))


def relative(path):
    return str(path.relative_to(ROOT))


each = pytest.mark.parametrize("path", PATHS, ids=relative)


@pytest.fixture
def docs(path, kustomize):
    return documents(build(path))


@pytest.fixture
def readme(path):
    return (path / "README.md").read_text()


def index(folder):
    """The rows of the table of a folder's examples: their names, and the version that each needs."""
    text = (folder / "README.md").read_text()
    return dict(re.findall(r"^\| \[([\w-]+)\]\(\1/README\.md\) \|.*\| (any|1\.\d\d) \|", text, re.M))


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


@pytest.mark.parametrize("folder", FOLDERS, ids=relative)
def test_there_are_examples_and_each_has_its_line_in_the_index(folder):
    assert sorted(index(folder)) == [path.name for path in PATHS if path.parent == folder] != []


@each
def test_the_version_that_it_names_is_the_one_that_it_needs(path, docs, readme):
    used = [feature for pod in pods(docs) for feature in features(pod)]
    needed = f"1.{max(used)[0]}" if used else "any"
    said = f"Kubernetes {needed} (" if used else "any version of Kubernetes"
    assert f"**Needs** {said}" in readme, used
    assert index(path.parent)[path.name] == needed, used


@each
def test_a_readme_has_goal_and_sections(readme):
    headings = re.findall(r"^## (.*)", readme, re.M)
    assert readme.count("**Goal.**") + headings.count("Goal") == 1
    assert [heading for heading in headings if heading in SECTIONS] == SECTIONS


@each
def test_it_applies_itself_and_cleans_up_what_is_its_own(path, docs, readme):
    assert re.findall(r"kubectl apply -k (\S+)", readme) == [relative(path)]
    shared = {name_of(doc) for doc in documents(build(DEPLOY / "seed"))}
    own = {name_of(doc).lower() for doc in docs if name_of(doc) not in shared and doc["kind"] != "ConfigMap"}
    deleted = {
        f"{kind}/{one}"
        for kind, names in re.findall(r"kubectl delete ([\w-]+) ([\w -]+)$", readme, re.M)
        for one in names.split()
    }
    created = {f"job/{one}" for one in re.findall(r"kubectl create job --from=\S+ (\S+)", readme)}
    assert own and deleted == own | created


@pytest.mark.parametrize("folder", FOLDERS, ids=relative)
def test_the_clean_up_of_all_examples_finds_what_is_generated_and_nothing_else(kustomize, folder):
    found, kept = re.findall(r"grep -E -- '(.+)' \| grep -v (\S+) ", (folder / "README.md").read_text())[0]

    def config_maps(path):
        docs = documents(build(path))
        return {f"configmap/{doc['metadata']['name']}" for doc in docs if doc["kind"] == "ConfigMap"}

    def removed(names):
        return {name for name in names if re.search(found, name) and kept not in name}

    seed = config_maps(DEPLOY / "seed")
    for path in PATHS:
        own = config_maps(path) - seed
        assert own and removed(own) == own
    assert removed(seed | {"configmap/kube-root-ca.crt"}) == set()


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


@pytest.mark.parametrize("path", READMES, ids=relative)
def test_links_lead_somewhere(path):
    for link, anchor in re.findall(r"\]\((?!https:)([^)#\s]*)(?:#([\w-]+))?\)", path.read_text()):
        target = (path.parent / link).resolve() if link else path
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)", target.read_text(), re.M)
            assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}, anchor
