//! What the identity may not do, and lists that lead elsewhere.

mod support;

use dev_vault::{Action, DevVault, Endpoint, Fault, KeyType};
use serde_json::json;

use support::{Api, codes};

fn refused_action(api: &Api, method: &str, path: &str, body: &str) -> String {
    let reply = api.call(method, path, body);
    let (status, code, inner) = codes(&reply);
    assert_eq!((status, &*code, inner.as_deref()), (403, "Forbidden", Some("ForbiddenByRbac")));
    let message = reply.json()["error"]["message"].as_str().expect("a message").to_owned();
    message.split('\'').nth(1).expect("an action").to_owned()
}

#[test]
fn listing_can_be_forbidden_where_reading_is_allowed() {
    let api = Api::with(DevVault::builder().secret("a", "x").key("k", KeyType::P256).forbid("secrets/list"));
    assert_eq!(
        refused_action(&api, "GET", "/secrets", ""),
        "Microsoft.KeyVault/vaults/secrets/readMetadata/action"
    );
    assert_eq!(
        refused_action(&api, "GET", "/secrets/a/versions", ""),
        "Microsoft.KeyVault/vaults/secrets/readMetadata/action"
    );
    assert_eq!(api.get("/secrets/a").status, 200);
    assert_eq!(api.get("/keys").status, 200);
    let vault = api.vault.vault("default");
    vault.allow("secrets/list");
    vault.forbid("secrets/get");
    vault.forbid("keys/create");
    assert_eq!(api.get("/secrets").status, 200);
    assert_eq!(
        refused_action(&api, "GET", "/secrets/a", ""),
        "Microsoft.KeyVault/vaults/secrets/getSecret/action"
    );
    assert_eq!(
        refused_action(&api, "POST", "/keys/k/create", r#"{"kty": "EC"}"#),
        "Microsoft.KeyVault/vaults/keys/create/action"
    );
}

#[test]
fn the_control_interface_forbids_too() {
    let api = Api::with(DevVault::builder().secret("a", "x"));
    let url = format!("{}/dev-vault/forbidden", api.vault.imds_url());
    let put = |body| api.client.send("PUT", &url, &[], body).expect("an answer").status;
    assert_eq!(put(r#"{"Default": ["secrets/get"]}"#), 204);
    assert_eq!(api.get("/secrets/a").status, 403);
    let shown = api.client.send("GET", &url, &[], "").expect("an answer").json();
    assert_eq!(shown, json!({"default": ["secrets/get"]}));
    assert_eq!(put(r#"{"default": ["secrets/gte"]}"#), 400);
    assert_eq!(put("{}"), 204);
    assert_eq!(api.get("/secrets/a").status, 200);
}

#[test]
fn a_list_can_go_on_elsewhere() {
    let api = Api::with(DevVault::builder().secret("a", "x"));
    let url = "https://elsewhere.example/secrets?api-version=7.6".to_owned();
    api.vault.faults().push(Fault::new(Endpoint::Vault, Action::NextLink { url: url.clone() }));
    let list = api.get("/secrets").json();
    assert_eq!((&list["nextLink"], list["value"].as_array().map(Vec::len)), (&json!(url), Some(1)));
    let bundle = api.get("/secrets/a").json();
    assert_eq!((&bundle["value"], &bundle["nextLink"]), (&json!("x"), &json!(null)));
}
