"""The official client for secrets, unchanged, against dev-vault."""

from datetime import datetime, timedelta, timezone

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import WorkloadIdentityCredential
from azure.keyvault.secrets import SecretClient


@pytest.fixture
def client(server):
    # The check that is switched off compares the vault's host with the challenge's resource.
    with SecretClient(server.url, WorkloadIdentityCredential(), verify_challenge_resource=False) as client:
        yield client


def inner_code(error: HttpResponseError) -> str:
    return error.error.innererror["code"]


def test_a_seeded_secret_arrives_with_its_properties(client):
    secret = client.get_secret("ExamplePassword")
    assert secret.value == "This message is secret! Do NOT share!"
    assert secret.properties.content_type == "text/plain"
    assert secret.properties.tags == {"env": "prod"}
    assert secret.properties.enabled
    assert secret.properties.recovery_level == "Recoverable+Purgeable"
    assert len(secret.properties.version) == 32


def test_a_secret_that_was_set_is_read_back(client):
    expires = datetime(2030, 1, 1, tzinfo=timezone.utc)
    written = client.set_secret(
        "api-key", 'line 1\nline "2" ä', content_type="text/plain", tags={"a": "b"}, expires_on=expires
    )
    read = client.get_secret("API-Key")
    assert read.value == 'line 1\nline "2" ä'
    assert read.id == written.id
    assert read.properties.expires_on == expires
    assert read.properties.tags == {"a": "b"}


def test_an_old_version_stays_readable(client):
    old = client.set_secret("rotated", "old")
    client.set_secret("rotated", "new")
    assert client.get_secret("rotated").value == "new"
    assert client.get_secret("rotated", old.properties.version).value == "old"


def test_what_is_missing_is_not_found(client):
    with pytest.raises(ResourceNotFoundError) as caught:
        client.get_secret("nowhere")
    assert caught.value.error.code == "SecretNotFound"
    with pytest.raises(ResourceNotFoundError):
        client.get_secret("ExamplePassword", "0" * 32)


def test_a_list_spans_pages(client):
    names = {f"name-{index:02}" for index in range(30)}
    for name in names:
        client.set_secret(name, "x")
    pages = [list(page) for page in client.list_properties_of_secrets(max_page_size=7).by_page()]
    assert [len(page) for page in pages] == [7, 7, 7, 7, 3]
    listed = [properties.name for page in pages for properties in page]
    assert len(listed) == 31
    assert set(listed) == names | {"ExamplePassword"}


def test_versions_span_pages(client):
    written = {client.set_secret("many", str(index)).properties.version for index in range(30)}
    listed = list(client.list_properties_of_secret_versions("many"))
    assert len(listed) == 30
    assert {properties.version for properties in listed} == written
    pages = client.list_properties_of_secret_versions("many", max_page_size=10).by_page()
    assert [len(list(page)) for page in pages] == [10, 10, 10]


def test_a_disabled_latest_version_is_refused(client):
    old = client.set_secret("switch", "old")
    client.set_secret("switch", "new")
    client.update_secret_properties("switch", enabled=False)
    with pytest.raises(HttpResponseError) as caught:
        client.get_secret("switch")
    assert caught.value.status_code == 403
    assert caught.value.error.code == "Forbidden"
    assert inner_code(caught.value) == "SecretDisabled"
    assert client.get_secret("switch", old.properties.version).value == "old"
    client.update_secret_properties("switch", enabled=True)
    assert client.get_secret("switch").value == "new"


def test_dates_are_kept_and_do_not_hinder_reading(client):
    now = datetime.now(timezone.utc).replace(microsecond=0)
    client.set_secret("early", "x", not_before=now + timedelta(days=1))
    client.set_secret("late", "y", expires_on=now - timedelta(days=1))
    early, late = client.get_secret("early"), client.get_secret("late")
    assert (early.value, early.properties.not_before) == ("x", now + timedelta(days=1))
    assert (late.value, late.properties.expires_on) == ("y", now - timedelta(days=1))


def test_a_deleted_secret_is_recovered(client):
    client.set_secret("gone", "x")
    deleted = client.begin_delete_secret("gone").result()
    assert deleted.recovery_id.endswith("/deletedsecrets/gone")
    assert deleted.scheduled_purge_date > deleted.deleted_date
    assert [secret.name for secret in client.list_deleted_secrets()] == ["gone"]
    with pytest.raises(ResourceNotFoundError):
        client.get_secret("gone")
    with pytest.raises(ResourceExistsError) as caught:
        client.set_secret("gone", "y")
    assert inner_code(caught.value) == "ObjectIsDeletedButRecoverable"
    client.begin_recover_deleted_secret("gone").wait()
    assert client.get_secret("gone").value == "x"


def test_a_purged_name_is_free(client):
    client.set_secret("gone", "x")
    client.begin_delete_secret("gone").wait()
    client.purge_deleted_secret("gone")
    with pytest.raises(ResourceNotFoundError):
        client.get_deleted_secret("gone")
    client.set_secret("gone", "y")
    assert client.get_secret("gone").value == "y"


def test_a_value_that_is_too_long_is_refused(client):
    client.set_secret("long", "x" * 25600)
    with pytest.raises(HttpResponseError) as caught:
        client.set_secret("long", "x" * 25601)
    assert (caught.value.status_code, caught.value.error.code) == (400, "BadParameter")


def test_the_client_gets_through_a_throttled_vault(client, server):
    server.put_fault(
        endpoint="vault", times=2, action={"status": {"status": 429, "retryAfter": "0"}}
    )
    assert client.get_secret("ExamplePassword").value
    reads = [request for request in server.requests() if request["path"].startswith("/secrets/")]
    assert [request["status"] for request in reads] == [401, 429, 429, 200]
