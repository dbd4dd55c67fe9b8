"""deploy/azure/main.bicep as far as it can be checked without Bicep's own compiler, which no package registry has.

Its syntax by a published grammar; its resources, properties, words and required parts by the SDK's models of the
same API versions; its names by its own declarations.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
AZURE = HERE.parents[1] / "deploy/azure"
TEMPLATE = (AZURE / "main.bicep").read_text()
PARAMETERS = (AZURE / "main.bicepparam").read_text()


@pytest.fixture(scope="module")
def problems(azure_python, tmp_path_factory):
    """What is wrong with a text."""
    directory = tmp_path_factory.mktemp("bicep")

    def check(*texts):
        files = [directory / f"{index}.bicep" for index, _ in enumerate(texts)]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text)
        done = subprocess.run(
            [azure_python, "-m", "bicep", *files],
            env={**os.environ, "PYTHONPATH": str(HERE)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return check


def test_the_template_is_right(problems):
    assert problems(TEMPLATE) == [[]]


BREAKS = [
    ("  name: vaultName\n", "  name: vaultName,,\n", "not understood"),
    ("managedClusters@2026-06-01", "managedClusters@2020-01-01", "cannot be checked, 2026-06-01 can"),
    ("Microsoft.KeyVault/vaults@", "Microsoft.KeyVault/vault@", "cannot be checked"),
    ("    enableRbacAuthorization: true", "    enableRbacAuthorisation: true", "there is no enableRbacAuthorisation"),
    ("    enableRbacAuthorization: true", "    enableRbacAuthorization: 'true'", "'true' is no bool"),
    ("          enableSecretRotation: 'true'", "          enableSecretRotation: true", "True is no str"),
    ("rotationPollInterval: rotationPollInterval", "rotationPollInterval: nodeCount", "is no str"),
    ("softDeleteRetentionInDays: retentionDays", "softDeleteRetentionInDays: '7'", "'7' is no int"),
    ("    tenantId: subscription().tenantId\n", "", "tenantId is missing"),
    ("        mode: 'System'", "        mode: 'Systems'", "'Systems' is none of"),
    ("      family: 'A'", "      family: 'B'", "'B' is none of"),
    ("    principalType: 'ServicePrincipal'", "    principalType: 'ManagedIdentity'", "is none of"),
    ("@allowed(['User', ", "@allowed(['Person', ", "not all are among"),
    ("    dnsPrefix: clusterName", "    fqdn: clusterName", "is for Azure to say"),
    ("IssuerProfile.issuerURL", "IssuerProfile.issuerUrl", "there is no issuerUrl"),
    ("identity.properties.clientId", "identity.clientId", "there is no clientId"),
    ("    roleDefinitionId: secretsUser", "    roleDefinitionId: secretUser", "secretUser is not declared"),
    ("  name: secretName\n", "  name: 'ExamplePassword'\n", "secretName is not used"),
    ("    subject: 'system", "    issuer: 'x'\n    subject: 'system", "occurs twice"),
    ("    audiences: [\n      'api://AzureADTokenExchange'\n    ]", "    audiences: 'api'", "'api' is no"),
    ("@description('Name of the cluster.')\n", "", "clusterName is not described"),
]


def test_what_is_wrong_is_found(problems):
    broken = []
    for old, new, _ in BREAKS:
        assert old in TEMPLATE, old
        broken.append(TEMPLATE.replace(old, new, 1))
    for (old, new, problem), found in zip(BREAKS, problems(*broken), strict=True):
        assert any(problem in text for text in found), (old, new, found)


def test_the_parameter_file_sets_parameters_of_the_template(problems):
    lines = [line for line in PARAMETERS.splitlines() if line and not line.startswith("//")]
    assert lines[0] == "using 'main.bicep'"
    for line in lines[1:]:
        name, assigned = re.fullmatch(r"param (\w+) = (.*)", line).groups()
        assert re.search(rf"(?m)^param {name} ", TEMPLATE)
        assert re.fullmatch(r"readEnvironmentVariable\('[A-Z_]+', ''\)", assigned)


def test_the_secret_is_never_shown():
    assert "@secure()\nparam secretValue string" in TEMPLATE
    uses = [line for line in TEMPLATE.splitlines() if "secretValue" in line and not line.startswith("param")]
    assert [line.strip() for line in uses] == [
        "resource secret 'Microsoft.KeyVault/vaults/secrets@2026-02-01' = if (!empty(secretValue)) {",
        "value: secretValue",
    ]
