"""The official credentials, unchanged, against dev-vault's token endpoints."""

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import (
    CertificateCredential,
    ClientSecretCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from azure.keyvault.secrets import SecretClient

SCOPE = "https://vault.azure.net/.default"


def read(server, credential) -> str:
    with SecretClient(server.url, credential, verify_challenge_resource=False) as client:
        return client.get_secret("ExamplePassword").value


def service_principal(server, secret: str) -> ClientSecretCredential:
    # Instance discovery would ask a public host whether this authority is to be trusted.
    return ClientSecretCredential(
        server.tenant_id, server.client_id, secret, disable_instance_discovery=True
    )


def tokens(server, endpoint: str) -> list[int]:
    return [request["status"] for request in server.requests() if request["endpoint"] == endpoint]


def test_workload_identity(server):
    assert read(server, WorkloadIdentityCredential())
    assert tokens(server, "token") == [200]


def test_a_replaced_federated_token_is_the_one_that_counts(server):
    old = server.federated_token_file.read_text()
    server.federated_token_file.write_text("a-new-token")
    assert read(server, WorkloadIdentityCredential())
    stale = server.federated_token_file.with_name("stale")
    stale.write_text(old)
    with pytest.raises(ClientAuthenticationError, match="AADSTS700213"):
        WorkloadIdentityCredential(token_file_path=str(stale)).get_token(SCOPE)


def test_an_assertion_with_a_line_end_is_refused(server):
    with server.federated_token_file.open("a") as file:
        file.write("\n")
    with pytest.raises(ClientAuthenticationError, match="AADSTS700213"):
        WorkloadIdentityCredential().get_token(SCOPE)


def test_service_principal_with_a_secret(server):
    assert read(server, service_principal(server, server.client_secret))


@pytest.mark.parametrize("send_chain", [True, False])
def test_service_principal_with_a_certificate(server, send_chain):
    path = server.env["DEV_VAULT_CLIENT_CERTIFICATE"]
    credential = CertificateCredential(
        server.tenant_id,
        server.client_id,
        path,
        send_certificate_chain=send_chain,
        disable_instance_discovery=True,
    )
    assert read(server, credential)


def test_wrong_credentials_are_refused_by_their_codes(server):
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        service_principal(server, "wrong").get_token(SCOPE)
    with pytest.raises(ClientAuthenticationError, match="AADSTS700016"):
        WorkloadIdentityCredential(client_id="nobody").get_token(SCOPE)
    with pytest.raises(ClientAuthenticationError, match="AADSTS90002"):
        WorkloadIdentityCredential(tenant_id="nowhere").get_token(SCOPE)


@pytest.fixture
def no_workload_identity(server, monkeypatch):
    """ManagedIdentityCredential prefers a federated token over IMDS where there is one."""
    monkeypatch.delenv("AZURE_FEDERATED_TOKEN_FILE")


@pytest.mark.usefixtures("no_workload_identity")
@pytest.mark.parametrize("user_assigned", [True, False])
def test_managed_identity_through_imds(server, user_assigned):
    arguments = {"client_id": server.client_id} if user_assigned else {}
    assert read(server, ManagedIdentityCredential(**arguments))
    assert tokens(server, "imds") == [200]


@pytest.mark.usefixtures("no_workload_identity")
def test_an_unknown_managed_identity_is_refused(server):
    with pytest.raises(ClientAuthenticationError):
        ManagedIdentityCredential(client_id="nobody").get_token(SCOPE)
    assert set(tokens(server, "imds")) == {400}


def test_managed_identity_in_the_style_of_app_service(server, monkeypatch):
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{server.plain}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", server.env["DEV_VAULT_IDENTITY_HEADER"])
    assert read(server, ManagedIdentityCredential())
    assert [request["path"] for request in server.requests() if request["endpoint"] == "imds"] == ["/msi/token"]


def test_a_token_for_something_else_is_of_no_use(server):
    class Elsewhere(WorkloadIdentityCredential):
        def get_token(self, *_scopes, **_options):
            return super().get_token("https://management.azure.com/.default")

        def get_token_info(self, *_scopes, **_options):
            return super().get_token_info("https://management.azure.com/.default")

    with pytest.raises(HttpResponseError) as caught:
        read(server, Elsewhere())
    assert caught.value.status_code == 401


def test_revoked_tokens_are_of_no_use(server):
    credential = WorkloadIdentityCredential()
    assert read(server, credential)
    server.control("POST", "revoke")
    with pytest.raises(HttpResponseError) as caught:
        read(server, credential)
    assert caught.value.status_code == 401
    assert read(server, WorkloadIdentityCredential())
