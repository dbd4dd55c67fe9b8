"""deploy/identities and deploy/legacy/with-agent: the vault in azure.env is asked as the identity that is set there."""

import json
import shutil

import pytest

from canaries import NEW, OLD
from demo_app import wait_until_shown
from hardening import assert_hardened
from images import AGENT, APP, ROOT, SHELL
from kubelet import Kubelet, Workload
from sources import Vault
from waiting import eventually

DEPLOY = ROOT / "deploy"
HOST = "myk8skv.vault.azure.net"
IMAGES = {"install-akv-agent": AGENT, "akv-agent": AGENT, "app": SHELL}
# Where a pod's own network would have the metadata service, and AAD Pod Identity in its place.
METADATA = "AZURE_POD_IDENTITY_AUTHORITY_HOST"
ENTRA = "AZURE_AUTHORITY_HOST"


@pytest.fixture
def start(pods, mount, tmp_path):
    """Starts the pod of a kustomization with its vault beside it; gives the vault and the containers."""
    if not shutil.which("kubectl"):
        pytest.skip("needs kubectl to build what is in deploy/")

    def start(kustomization, agent, issuer):
        workload = Workload(DEPLOY / kustomization)
        pod = pods.create(share_pids=workload.spec.get("shareProcessNamespace", False))
        vault = Vault(pod, APP, tmp_path / "vault", {"ExamplePassword": OLD}, host=HOST)
        principal = tmp_path / "service-principal"
        principal.mkdir()
        [client_secret] = vault.exported("DEV_VAULT_CLIENT_SECRET").values()
        (principal / "clientsecret").write_text(client_secret)

        secrets = {"service-principal": principal}
        kubelet = Kubelet(pod, workload, tmp_path / "volumes", IMAGES, mount.directory, secrets)
        # Which vault, and as what the agent asks it, is for the manifests to say.
        trust = {name: vault.settings()[name] for name in ("AKV_AGENT_CA_FILE", "AKV_AGENT_POLL_INTERVAL")}
        identity = vault.exported("AZURE_TENANT_ID", "AZURE_CLIENT_ID", issuer)
        containers = kubelet.start(
            env={agent: trust | identity | {"AKV_AGENT_SPLAY": "0s"}}, volumes={agent: [vault.volume, vault.hosts]}
        )
        return vault, containers

    return start


@pytest.mark.parametrize(
    ("kustomization", "issuer", "identity"),
    [
        ("identities/managed-identity", METADATA, "managed identity"),
        ("identities/service-principal", ENTRA, "service principal"),
    ],
)
def test_the_vault_is_asked_and_followed(start, kustomization, issuer, identity):
    vault, containers = start(kustomization, "akv-agent", issuer)
    app, agent = containers["app"], containers["akv-agent"]
    wait_until_shown(app, OLD)
    assert f"vaults are asked by the {identity} " in agent.errors()
    assert_hardened(app)
    assert_hardened(agent)
    # The volume stays as it is, as it does until the driver's next round.
    vault.set("ExamplePassword", NEW)
    wait_until_shown(app, OLD, NEW)


def test_the_volume_of_a_legacy_cluster_is_followed_and_compared_with_the_vault(start, mount):
    vault, containers = start("legacy/with-agent", "app", METADATA)
    app = containers["app"]
    wait_until_shown(app, OLD)
    assert "vaults are asked by the pod identity " in app.errors()
    assert_hardened(app)
    vault.set("ExamplePassword", NEW)
    mount.write(ExamplePassword=NEW)
    wait_until_shown(app, OLD, NEW)
    eventually("an answer of the vault", lambda: ("myk8skv", 200, True) in vault_requests(app))


def vault_requests(container):
    """Which vault was asked, what it answered, and whether it was shown a token of its own."""
    done = container.exec("wget", "-q", "-O", "-", "http://127.0.0.1:8080/dev-vault/requests")
    assert done.returncode == 0, done.stderr
    return {(seen["vault"], seen["status"], seen["authenticated"]) for seen in json.loads(done.stdout)}
