"""deploy/README.md names what is there."""

import hashlib
import re

from lint.build import DEPLOY, ROOT, kustomizations
from workloads import COMPONENTS, CONFIG_FILE, USES
from lint.pod import name_of, pods

README = (DEPLOY / "README.md").read_text()


def test_every_folder_that_it_applies_is_a_kustomization():
    folders = {ROOT / path for path in re.findall(r"kubectl (?:apply|delete) -k ([\w/.-]+)", README)}
    assert folders == {path for path in kustomizations("Kustomization") if path.is_relative_to(DEPLOY / "seed")}


def test_the_federated_subject_is_the_account_of_the_pods(seed):
    subjects = {f"system:serviceaccount:{pod.namespace}:{pod.spec['serviceAccountName']}" for pod in pods(seed)}
    assert set(re.findall(r"system:serviceaccount:[\w-]+:[\w-]+", README)) == subjects


def test_the_deployments_and_containers_that_it_names_exist(seed):
    deployments = {name_of(doc).lower() for doc in seed if doc["kind"] == "Deployment"}
    named = set(re.findall(r"\bdeployment/[\w-]+", README))
    assert named and named <= deployments
    containers = {(pod.where.lower(), container.spec["name"]) for pod in pods(seed) for container in pod.containers}
    pairs = set(re.findall(r"(deployment/[\w-]+) --container ([\w-]+)", README))
    assert pairs and pairs <= containers


def test_azure_env_has_the_keys_that_it_writes():
    keys = re.search(r"azure\.env <<EOF\n(.*?)EOF", README, re.S)[1]
    file = (DEPLOY / "seed" / "base" / "azure.env").read_text()
    assert re.findall(r"^(\w+)=", keys, re.M) == re.findall(r"^(\w+)=", file, re.M)


def test_the_fingerprint_that_it_promises_is_that_of_the_secret():
    first, second = re.findall(r"--name ExamplePassword --value '([^']*)'", README)
    fingerprint = hashlib.sha256(first.encode()).hexdigest()[:12]
    assert f"SECRET: {len(first)} characters, fingerprint {fingerprint}" in README
    # The end of a GUID is none.
    assert set(re.findall(r"(?<!-)\b[0-9a-f]{12}\b", README)) == {fingerprint}
    assert f"{len(second)} characters" in README


def test_the_components_that_it_lists_are_those_that_there_are():
    listed = re.findall(r"^\| `([\w-]+)` \|.*\| (?:any|1\.\d\d) \|", README, re.M)
    assert listed == [*USES, "csi"]
    # The guard is only a part of the others.
    assert {*listed, "guard"} == {path.name for path in COMPONENTS.iterdir()}


def test_the_configuration_that_components_are_tried_with_is_the_one_that_it_shows():
    assert f"```yaml\n# config.yaml\n{CONFIG_FILE}```" in README
