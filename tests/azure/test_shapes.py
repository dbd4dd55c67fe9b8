"""What the script asks az for has the name under which the real az prints it.

Azure's answer, as its REST API gives it, goes through az's own conversion and through the query of the script.
"""

import json
import re
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPT = "".join(path.read_text() for path in sorted((HERE.parents[1] / "deploy/azure").rglob("*.*sh")))
CLUSTER = {
    "name": "c",
    "location": "x",
    "tags": {"madeBy": "m"},
    "properties": {
        "oidcIssuerProfile": {"enabled": True, "issuerURL": "https://issuer/"},
        "securityProfile": {"workloadIdentity": {"enabled": True}},
        "addonProfiles": {
            "azureKeyvaultSecretsProvider": {"enabled": True, "config": {"enableSecretRotation": "true"}}
        },
    },
}
VAULT = {"name": "v", "id": "/v", "properties": {"tenantId": "t", "enableRbacAuthorization": True}}
DELETED = {"name": "v", "properties": {"vaultId": "/v", "purgeProtectionEnabled": True, "tags": {"madeBy": "m"}}}
IDENTITY = {"name": "i", "location": "x", "properties": {"clientId": "c", "principalId": "p"}}
DRIVER = "addonProfiles.azureKeyvaultSecretsProvider"
MANAGED, KEY_VAULT = "azure.mgmt.containerservice.models", "azure.mgmt.keyvault.models"
MSI = "azure.mgmt.msi.v2024_11_30.models"

# Model, answer, path in the script's query, result.
CASES = [
    (f"{MANAGED}.ManagedCluster", CLUSTER, "oidcIssuerProfile.issuerUrl", "https://issuer/"),
    (f"{MANAGED}.ManagedCluster", CLUSTER, "oidcIssuerProfile.enabled", True),
    (f"{MANAGED}.ManagedCluster", CLUSTER, "securityProfile.workloadIdentity.enabled", True),
    (f"{MANAGED}.ManagedCluster", CLUSTER, f"{DRIVER}.enabled", True),
    (f"{MANAGED}.ManagedCluster", CLUSTER, f"{DRIVER}.config.enableSecretRotation", "true"),
    (f"{MANAGED}.ManagedCluster", CLUSTER, "tags.madeBy", "m"),
    (f"{KEY_VAULT}.Vault", VAULT, "properties.enableRbacAuthorization", True),
    (f"{KEY_VAULT}.Vault", VAULT, "properties.tenantId", "t"),
    (f"{KEY_VAULT}.DeletedVault", DELETED, "properties.vaultId", "/v"),
    (f"{KEY_VAULT}.DeletedVault", DELETED, "properties.purgeProtectionEnabled", True),
    (f"{KEY_VAULT}.DeletedVault", DELETED, "properties.tags.madeBy", "m"),
    (f"{MSI}.Identity", IDENTITY, "clientId", "c"),
    (f"{MSI}.Identity", IDENTITY, "principalId", "p"),
]


@pytest.fixture(scope="module")
def results(azure_python):
    questions = [{"model": model, "answer": answer, "query": query} for model, answer, query, _ in CASES]
    done = subprocess.run(
        [azure_python, HERE / "shapes.py"],
        input="".join(json.dumps(question) + "\n" for question in questions),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("index", range(len(CASES)), ids=[case[2] for case in CASES])
def test_az_prints_it_under_this_name(results, index):
    assert results[index] == CASES[index][3]


def test_these_are_the_names_that_the_script_asks_for():
    text = SCRIPT.replace("$profile", DRIVER).replace("$marked", "tags.madeBy")
    asked = {query for _, _, query, _ in CASES}
    assert [query for query in asked if query not in text] == []
    paths = set(re.findall(r"\b(?:properties|oidcIssuerProfile|securityProfile|addonProfiles)(?:\.\w+)+", text))
    assert paths - {DRIVER} <= asked
