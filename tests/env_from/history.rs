//! Previous versions of a secret, and keys as they are rotated.

use super::{
    configured, env_file,
    support::{Agent, App, Workdir, eventually, secret},
    wait_for,
};
use dev_vault::{DevVault, KeyType};
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};

const YAML: &str = "env: {KEY: {ref: key, history: 2}}\n";

/// Adds a version to the secret `key`, in a later second than the one before it: a list tells the time of
/// versions in whole seconds, and their order by nothing else.
fn rotate(vault: &DevVault, label: &str) -> String {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let before = now();
    eventually("the next second", || (now() > before).then_some(()));
    vault.set_secret("key", &secret(label))
}

/// Disables one version of the secret `key`, and leaves the others alone.
fn disable(vault: &DevVault, version: &str) {
    let url = format!("{}/secrets/key/{version}?api-version=2025-07-01", vault.url());
    let authorization = format!("Bearer {}", vault.issue_token());
    let headers = [("authorization", &*authorization), ("content-type", "application/json")];
    let reply =
        vault.client().unwrap().send("PATCH", &url, &headers, r#"{"attributes": {"enabled": false}}"#);
    assert_eq!(reply.unwrap().status, 200);
}

#[test]
fn previous_versions_move_on_with_each_rotation() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("key", &secret("1")).start().unwrap();
    let app = App::start(&work, "keys-app", &["--stop-on", "0"]);
    let agent = configured(Agent::sidecar(&work), &vault, YAML)
        .set("ON_CHANGE", "signal:HUP")
        .set("TARGET", App::target(&work, "keys-app"))
        .start();
    wait_for(&agent, &work, &[("KEY", "1")]);
    rotate(&vault, "2");
    wait_for(&agent, &work, &[("KEY", "2"), ("KEY_1", "1")]);
    app.wait_for_signals(1);
    rotate(&vault, "3");
    wait_for(&agent, &work, &[("KEY", "3"), ("KEY_1", "2"), ("KEY_2", "1")]);
    app.wait_for_signals(2);
    rotate(&vault, "4");
    wait_for(&agent, &work, &[("KEY", "4"), ("KEY_1", "3"), ("KEY_2", "2")]);
    // All of one rotation is one change.
    assert_eq!(app.wait_for_signals(3).len(), 3, "{}", agent.scene());
    agent.wait_until_well();
}

#[test]
fn a_version_that_is_disabled_is_passed_over() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("key", &secret("1")).start().unwrap();
    let second = rotate(&vault, "2");
    rotate(&vault, "3");
    let agent = configured(Agent::sidecar(&work), &vault, YAML).start();
    wait_for(&agent, &work, &[("KEY", "3"), ("KEY_1", "2"), ("KEY_2", "1")]);
    disable(&vault, &second);
    wait_for(&agent, &work, &[("KEY", "3"), ("KEY_1", "1")]);
}

#[test]
fn a_key_comes_as_pem_and_as_jwk_and_follows_its_rotation() {
    let work = Workdir::new();
    let vault = DevVault::builder().key("sign", KeyType::P256).start().unwrap();
    let host = vault.url().replace("https://", "");
    let yaml = format!("env: {{PEM: \"akv://{host}/keys/sign\", JWK: \"akv://{host}/keys/sign#jwk\"}}\n");
    let agent = configured(Agent::sidecar(&work), &vault, &yaml).start();
    let wait_for_key = |version: &str| {
        agent.wait_until(&format!("the key {version}"), || {
            let variables = env_file(&work)?;
            let jwk: Value = serde_json::from_str(&variables["JWK"]).unwrap();
            assert_eq!((&jwk["kty"], &jwk["crv"]), (&"EC".into(), &"P-256".into()));
            jwk["kid"].as_str().unwrap().ends_with(version).then(|| variables["PEM"].clone())
        })
    };
    let listed = agent.wait_until("the first key", || env_file(&work));
    let kid: Value = serde_json::from_str(&listed["JWK"]).unwrap();
    let first = wait_for_key(kid["kid"].as_str().unwrap().rsplit('/').next().unwrap());
    let version = vault.create_key("sign", KeyType::P256);
    let second = wait_for_key(&version);
    assert_ne!(first, second);
    for pem in [first, second] {
        assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----\n"), "{pem}");
        assert!(pem.ends_with("-----END PUBLIC KEY-----\n"), "{pem}");
    }
}
