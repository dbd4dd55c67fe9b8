"""Script, template, manifests and documents call the same things by the same names."""

import re
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).resolve().parent
DEPLOY = HERE.parents[1] / "deploy"
BICEP = (DEPLOY / "azure/main.bicep").read_text()
SCRIPT = "".join(path.read_text() for path in sorted((DEPLOY / "azure").rglob("*.*sh")))
README = (DEPLOY / "README.md").read_text()
BASE = DEPLOY / "seed/base"


def manifest(name):
    return yaml.safe_load((BASE / name).read_text())


def bicep(name):
    """The literal default of a parameter, or the literal value of a variable."""
    return re.search(rf"(?m)^(?:param {name} \w+|var {name}) = '?([^'\n]*)'?$", BICEP)[1]


def default(variable):
    """What the script takes where the variable is not set."""
    return re.search(rf"\$\{{{variable}:=([^}}]*)\}}", SCRIPT)[1]


def constant(name):
    return re.search(rf"(?m)^{name}='?([^'\n]*)'?$", SCRIPT)[1]


def shown(variable):
    """What the document assigns in its first block."""
    return re.search(rf"(?m)^{variable}=(\S+)", README)[1]


def test_the_cluster():
    assert default("CLUSTER") == bicep("clusterName") == shown("AKS")


def test_the_identity():
    assert default("IDENTITY") == bicep("identityName") == shown("IDENTITY")


def test_the_group_and_the_place():
    assert default("RESOURCE_GROUP") == shown("RG")
    assert default("LOCATION") == shown("LOCATION")
    assert f"--name {default('RESOURCE_GROUP')} --location {default('LOCATION')}" in (
        DEPLOY / "azure/README.md"
    ).read_text()


def test_the_namespace_and_the_account():
    account, space = manifest("service-account.yaml"), manifest("namespace.yaml")
    assert constant("service_account") == bicep("serviceAccount") == account["metadata"]["name"]
    assert constant("namespace") == bicep("namespace") == space["metadata"]["name"]
    assert manifest("kustomization.yaml")["namespace"] == space["metadata"]["name"]


def test_the_federated_credential():
    subject = f"system:serviceaccount:{constant('namespace')}:{constant('service_account')}"
    assert subject in README
    assert "subject: 'system:serviceaccount:${namespace}:${serviceAccount}'" in BICEP
    assert {text.count("api://AzureADTokenExchange") for text in (BICEP, SCRIPT)} == {1}
    credential = re.search(r"--identity-name \$IDENTITY --name (\S+)", README)[1]
    assert constant("maker") == credential
    assert f"  parent: identity\n  name: '{credential}'" in BICEP


def test_the_secret():
    objects = manifest("secret-provider-class.yaml")["spec"]["parameters"]["objects"]
    assert f"objectName: {constant('secret')}\n" in objects
    assert constant("secret") == bicep("secretName")


def test_the_tag():
    assert f"{constant('tag')}: '{constant('maker')}'" in BICEP


@pytest.mark.parametrize(
    ("variable", "role", "known"),
    [
        ("reads_secrets", "Key Vault Secrets User", "4633458b-17de-408a-b874-0445c86b69e6"),
        ("writes_secrets", "Key Vault Secrets Officer", "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"),
    ],
)
def test_the_roles(variable, role, known):
    assert constant(variable) == role
    assert f'--role "{role}"' in README
    assert BICEP.count(known) == 1


def test_the_driver():
    assert default("ROTATION_POLL_INTERVAL") == bicep("rotationPollInterval")
    assert f"--rotation-poll-interval {bicep('rotationPollInterval')}" in README
    assert default("RETENTION_DAYS") == bicep("retentionDays")
    assert default("PURGE_PROTECTION") == bicep("purgeProtection")
    assert default("NODE_COUNT") == bicep("nodeCount")


def test_the_deployments_that_are_waited_for():
    uses = re.search(r"for use in (.*); do", SCRIPT)[1].split()
    for use in uses:
        [name] = re.findall(r"(?m)^  name: (\S+)$", (DEPLOY / f"seed/{use}/deployment.yaml").read_text())
        assert name == f"seed-{use}"
    assert len(uses) == 3


def test_the_image():
    name = re.search(r"s\|image: \S*\*(\S+)\[:@\]", SCRIPT)[1]
    for use in ("init", "sidecar", "exec"):
        assert re.search(rf"image: \S+/{name}:", (DEPLOY / f"seed/{use}/deployment.yaml").read_text())


def test_the_version_of_az():
    tested = re.search(r"(?m)^azure-cli==(\S+)$", (HERE / "requirements.txt").read_text())[1]
    assert f"tested with {tested})" in (DEPLOY / "azure/azure.sh").read_text()
    assert f"tested with az {tested}," in (DEPLOY / "azure/README.md").read_text()
