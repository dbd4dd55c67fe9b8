//! Keys, as a client sees them on the wire.

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dev_vault::{DevVault, KeyType};
use serde_json::{Value, json};

use support::{Api, codes};

fn length(member: &Value) -> usize {
    URL_SAFE_NO_PAD.decode(member.as_str().expect("text")).expect("base64url").len()
}

#[test]
fn every_type_shows_its_public_half() {
    let api = Api::start();
    let curves = [("P-256", 32), ("P-384", 48), ("P-521", 66), ("P-256K", 32)];
    for (curve, size) in curves {
        let made = api.call("POST", "/keys/ec/create", &json!({"kty": "EC", "crv": curve}).to_string());
        assert_eq!(made.status, 200);
        let key = &made.json()["key"];
        assert_eq!((&key["kty"], &key["crv"]), (&json!("EC"), &json!(curve)));
        assert_eq!((length(&key["x"]), length(&key["y"])), (size, size), "{curve}");
        assert_eq!(key["key_ops"], json!(["sign", "verify"]));
        assert_eq!(key["d"], Value::Null);
    }
    let made = api.call("POST", "/keys/Rsa/create", r#"{"kty": "RSA", "tags": {"a": "b"}}"#).json();
    assert_eq!((length(&made["key"]["n"]), &made["key"]["e"]), (256, &json!("AQAB")));
    assert_eq!(made["tags"], json!({"a": "b"}));
    for private in ["d", "p", "q", "dp", "dq", "qi"] {
        assert_eq!(made["key"][private], Value::Null);
    }
    let kid = made["key"]["kid"].as_str().expect("an identifier");
    assert!(kid.starts_with(&format!("{}/keys/Rsa/", api.vault.url())), "{kid}");
    assert_eq!(api.get("/keys/rsa").json(), made);
}

#[test]
fn a_key_is_rotated_by_making_it_again() {
    let api = Api::start();
    let versions = [(); 2].map(|()| api.vault.create_key("signing", KeyType::P256));
    let keys = versions.each_ref().map(|version| api.get(&format!("/keys/signing/{version}")).json());
    assert_ne!(keys[0]["key"]["x"], keys[1]["key"]["x"]);
    assert_eq!(api.get("/keys/signing").json(), keys[1]);
    let listed = api.get("/keys/signing/versions").json();
    let mut listed: Vec<_> = listed["value"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|item| item["kid"].as_str().expect("text").rsplit('/').next().expect("a version").to_owned())
        .collect();
    listed.sort();
    let mut expected = versions.to_vec();
    expected.sort();
    assert_eq!(listed, expected);
    let list = api.get("/keys").json();
    assert_eq!(list["value"][0]["kid"], json!(format!("{}/keys/signing", api.vault.url())));
    assert_eq!(list["value"].as_array().map(Vec::len), Some(1));
}

#[test]
fn keys_and_secrets_do_not_share_names() {
    let api = Api::with(DevVault::builder().secret("both", "canary").key("both", KeyType::P256));
    assert_eq!(api.get("/secrets/both").json()["value"], "canary");
    assert_eq!(api.get("/keys/both").json()["key"]["kty"], "EC");
    assert_eq!(api.call("DELETE", "/keys/both", "").status, 200);
    assert_eq!(codes(&api.get("/keys/both")), (404, "KeyNotFound".to_owned(), None));
    assert_eq!(api.get("/secrets/both").status, 200);
    let again = api.call("POST", "/keys/both/create", r#"{"kty": "EC"}"#);
    assert_eq!(codes(&again).2.as_deref(), Some("ObjectIsDeletedButRecoverable"));
    assert_eq!(api.call("POST", "/deletedkeys/both/recover", "").status, 200);
    assert_eq!(api.get("/keys/both").status, 200);
}

#[test]
fn attributes_and_operations_change() {
    let api = Api::with(DevVault::builder().key("a", KeyType::P256));
    let patch = r#"{"attributes": {"enabled": false, "exp": 2500000000}, "key_ops": ["sign"]}"#;
    assert_eq!(api.call("PATCH", "/keys/a", patch).status, 200);
    let key = api.get("/keys/a").json();
    assert_eq!(key["key"]["key_ops"], json!(["sign"]));
    assert_eq!(
        (&key["attributes"]["enabled"], &key["attributes"]["exp"]),
        (&json!(false), &json!(2_500_000_000_u32))
    );
}

#[test]
fn what_the_service_refuses_is_refused() {
    let api = Api::start();
    for body in
        [r#"{"kty": "RSA", "key_size": 1024}"#, r#"{"kty": "EC", "crv": "P-1"}"#, r#"{"kty": "oct"}"#, "{}"]
    {
        let reply = api.call("POST", "/keys/a/create", body);
        assert_eq!(codes(&reply), (400, "BadParameter".to_owned(), None), "{body}");
    }
    assert_eq!(codes(&api.get("/keys/nowhere")).1, "KeyNotFound");
}

#[test]
fn a_seed_file_lists_keys() {
    let seed = "
vaults:
  default:
    keys:
      rsa: {type: RSA-2048, tags: {env: prod}}
      rotated:
        versions:
          - {type: P-384, version: 00000000000000000000000000000001}
          - {type: P-521, exp: 2030-01-01T00:00:00Z}
";
    let api = Api::with(DevVault::builder().seed(seed).expect("a seed"));
    assert_eq!(api.get("/keys/rsa").json()["tags"], json!({"env": "prod"}));
    assert_eq!(api.get("/keys/rotated").json()["key"]["crv"], "P-521");
    let first = api.get("/keys/rotated/00000000000000000000000000000001").json();
    assert_eq!(first["key"]["crv"], "P-384");
}
