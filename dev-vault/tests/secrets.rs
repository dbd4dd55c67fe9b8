//! Key Vault's REST interface, as a client sees it on the wire.

mod support;

use dev_vault::{Attributes, DevVault};
use serde_json::json;

use support::{Api, codes};

#[test]
fn without_a_token_there_is_only_the_challenge() {
    let api = Api::with(
        DevVault::builder().secret("a", "canary").challenge_resource("https://vault.vault.localhost"),
    );
    let url = format!("{}/secrets/a?api-version=7.6", api.vault.url());
    for headers in [&[][..], &[("authorization", "Bearer made-up")], &[("authorization", "Basic eDp5")]] {
        let reply = api.client.send("GET", &url, headers, "").expect("the vault answers");
        assert_eq!(codes(&reply), (401, "Unauthorized".to_owned(), None));
        let expected = format!(
            "Bearer authorization=\"{}/{}\", resource=\"https://vault.vault.localhost\"",
            api.vault.authority(),
            api.vault.tenant_id()
        );
        assert_eq!(reply.header("www-authenticate"), Some(expected.as_str()));
        assert!(!String::from_utf8_lossy(&reply.body).contains("canary"));
    }
    let seen: Vec<_> = api.vault.requests().iter().map(|one| (one.status, one.authenticated)).collect();
    assert_eq!(seen, [(401, false); 3]);
}

#[test]
fn a_bundle_has_the_members_of_the_service() {
    let api = Api::start();
    let body = json!({
        "value": "x", "contentType": "text/plain", "tags": {"env": "prod"},
        "attributes": {"enabled": true, "nbf": 1_500_000_000, "exp": 2_500_000_000_u32},
    });
    let put = api.call("PUT", "/secrets/Api-Key", &body.to_string());
    assert_eq!(put.status, 200);
    let bundle = api.get("/secrets/api-key/").json();
    assert_eq!(bundle, put.json());
    let id = bundle["id"].as_str().expect("an identifier");
    let version = id.strip_prefix(&format!("{}/secrets/Api-Key/", api.vault.url())).expect("our address");
    assert!(version.len() == 32 && version.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    assert_eq!(
        (&bundle["value"], &bundle["contentType"], &bundle["tags"]),
        (&json!("x"), &json!("text/plain"), &json!({"env": "prod"}))
    );
    let attributes = &bundle["attributes"];
    assert_eq!(
        (&attributes["enabled"], &attributes["nbf"], &attributes["exp"], &attributes["recoverableDays"]),
        (&json!(true), &json!(1_500_000_000), &json!(2_500_000_000_u32), &json!(90))
    );
    assert!(attributes["created"].is_u64() && attributes["updated"].is_u64());
    assert_eq!(api.get(&format!("/secrets/api-key/{version}")).json(), bundle);
}

#[test]
fn an_api_version_that_exists_must_be_given() {
    let api = Api::with(DevVault::builder().secret("a", "x"));
    let url = format!("{}/secrets/a", api.vault.url());
    assert_eq!(codes(&api.send("GET", &url, "")).1, "BadParameter");
    assert_eq!(codes(&api.send("GET", &format!("{url}?api-version=7.0"), "")).1, "BadParameter");
    for version in ["7.4", "7.5", "7.6", "2025-07-01", "2026-04-01"] {
        assert_eq!(api.send("GET", &format!("{url}/?api-version={version}"), "").status, 200, "{version}");
    }
}

#[test]
fn next_links_lead_through_every_version() {
    let api = Api::start();
    let mut written: Vec<_> = (0..30).map(|value| api.vault.set_secret("a", &value.to_string())).collect();
    let mut listed = Vec::new();
    let mut sizes = Vec::new();
    let mut next = Some(format!("{}/secrets/a/versions?api-version=7.6", api.vault.url()));
    while let Some(url) = next {
        let page = api.send("GET", &url, "").json();
        let items = page["value"].as_array().expect("a list").clone();
        sizes.push(items.len());
        for item in items {
            assert_eq!(item.get("value"), None);
            listed.push(item["id"].as_str().and_then(|id| id.rsplit('/').next()).unwrap_or("").to_owned());
        }
        next = page["nextLink"].as_str().map(str::to_owned);
    }
    assert_eq!(sizes, [25, 5]);
    written.sort();
    listed.sort();
    assert_eq!(listed, written);
}

#[test]
fn a_page_holds_what_was_asked_for() {
    let api = Api::with(DevVault::builder().secret("a", "x").secret("b", "x").secret("c", "x"));
    let page = api.get("/secrets?maxresults=2").json();
    assert_eq!(page["value"].as_array().map(Vec::len), Some(2));
    assert!(page["nextLink"].as_str().is_some_and(|link| link.contains("maxresults=2")));
    assert_eq!(page["value"][0]["id"], format!("{}/secrets/a", api.vault.url()));
    assert_eq!(api.get("/secrets?maxresults=3").json()["nextLink"], json!(null));
    for wrong in ["0", "26", "-1", "many"] {
        assert_eq!(codes(&api.get(&format!("/secrets?maxresults={wrong}"))).1, "BadParameter", "{wrong}");
    }
    assert_eq!(codes(&api.get("/secrets?%24skiptoken=%21")).1, "BadParameter");
}

#[test]
fn a_disabled_secret_is_forbidden_and_listed_all_the_same() {
    let api = Api::with(DevVault::builder().secret("a", "old"));
    api.vault.set_secret("a", "new");
    let disabled = Attributes { enabled: Some(false), ..Attributes::default() };
    api.vault.set_attributes("a", disabled);
    let reply = api.get("/secrets/a");
    assert_eq!(codes(&reply), (403, "Forbidden".to_owned(), Some("SecretDisabled".to_owned())));
    assert_eq!(api.get("/secrets").json()["value"][0]["attributes"]["enabled"], json!(false));
    let patched = api.call("PATCH", "/secrets/a", r#"{"attributes":{"enabled":true}}"#);
    assert_eq!((patched.status, patched.json().get("value")), (200, None));
    assert_eq!(api.get("/secrets/a").json()["value"], "new");
}

#[test]
fn a_deleted_secret_goes_through_its_stages() {
    let api = Api::with(DevVault::builder().secret("a", "x"));
    let deleted = api.call("DELETE", "/secrets/a", "").json();
    assert_eq!(deleted["recoveryId"], format!("{}/deletedsecrets/a", api.vault.url()));
    assert_eq!(
        deleted["scheduledPurgeDate"].as_i64().zip(deleted["deletedDate"].as_i64()).map(|(a, b)| a - b),
        Some(90 * 24 * 60 * 60)
    );
    assert_eq!(deleted.get("value"), None);
    assert_eq!(codes(&api.get("/secrets/a")).1, "SecretNotFound");
    let conflict = api.call("PUT", "/secrets/a", r#"{"value":"y"}"#);
    assert_eq!(
        codes(&conflict),
        (409, "Conflict".to_owned(), Some("ObjectIsDeletedButRecoverable".to_owned()))
    );
    assert_eq!(api.get("/deletedsecrets/a").json(), deleted);
    assert_eq!(api.get("/deletedsecrets").json()["value"], json!([deleted]));
    assert_eq!(api.call("POST", "/deletedsecrets/a/recover", "").status, 200);
    assert_eq!(api.get("/secrets/a").json()["value"], "x");
    api.call("DELETE", "/secrets/a", "");
    let purged = api.call("DELETE", "/deletedsecrets/a", "");
    assert_eq!((purged.status, purged.body.len()), (204, 0));
    assert_eq!(api.get("/deletedsecrets/a").status, 404);
    assert_eq!(api.call("PUT", "/secrets/a", r#"{"value":"y"}"#).status, 200);
}

#[test]
fn vaults_are_told_apart_by_their_host_names() {
    let api = Api::with(DevVault::builder().secret("a", "default").secret_in("one", "a", "1"));
    api.vault.vault("two").set_secret("a", "2");
    for (url, value) in [
        (api.vault.url(), "default"),
        (format!("https://127.0.0.1:{}", api.vault.port()), "default"),
        (api.vault.vault_url("default"), "default"),
        (api.vault.vault_url("one"), "1"),
        (api.vault.vault_url("TWO"), "2"),
    ] {
        assert_eq!(api.call_at(&url, "GET", "/secrets/a", "").json()["value"], value, "{url}");
    }
    let other = api.vault.vault_url("three");
    assert_eq!(api.call_at(&other, "GET", "/secrets/a", "").status, 404);
    let bundle = api.call_at(&other, "PUT", "/secrets/b", r#"{"value":"3"}"#).json();
    assert!(bundle["id"].as_str().is_some_and(|id| id.starts_with(&format!("{other}/secrets/b/"))));
    let last = api.vault.requests().pop().expect("there were requests");
    assert_eq!((last.vault.as_str(), last.method.as_str(), last.status), ("three", "PUT", 200));
}

#[test]
fn a_client_trusts_the_names_in_the_certificate_and_no_others() {
    let elsewhere = || DevVault::builder().listen(([127, 0, 0, 2], 0).into());
    for (builder, trusted) in [(elsewhere(), false), (elsewhere().san("127.0.0.2"), true)] {
        let api = Api::with(builder);
        let url = format!("https://127.0.0.2:{}/secrets/a", api.vault.port());
        match api.client.send("GET", &url, &[], "") {
            Ok(reply) => assert!(trusted && reply.status == 401),
            Err(error) => assert!(!trusted && error.to_string().contains("certificate"), "{error}"),
        }
    }
    let (one, two) = (Api::start(), Api::start());
    let foreign = one.client.send("GET", &two.vault.url(), &[], "");
    assert!(foreign.is_err_and(|error| error.to_string().contains("certificate")));
}

#[test]
fn malformed_requests_are_bad_parameters() {
    let api = Api::with(DevVault::builder().secret("a", "x"));
    for (method, path, body) in [
        ("PUT", "/secrets/a", "{"),
        ("PUT", "/secrets/a", "{}"),
        ("PUT", "/secrets/a", r#"{"value": 1}"#),
        ("PUT", "/secrets/a_b", r#"{"value": "x"}"#),
        ("GET", "/secrets/a/not-a-version", ""),
        ("GET", "/secrets/a%2F..%2Fb", ""),
    ] {
        assert_eq!(codes(&api.call(method, path, body)).1, "BadParameter", "{method} {path} {body}");
    }
    assert_eq!(api.call("POST", "/secrets/a", "").status, 405);
    assert_eq!(api.get("/elsewhere").status, 404);
}
