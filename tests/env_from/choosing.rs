//! Which secrets are chosen, and what they are called.

use super::{
    DISABLED, configured, env_file, labelled, skipped,
    support::{Agent, Workdir, secret},
    wait_for,
};
use dev_vault::{Builder, CertificateSpec, DEFAULT_VAULT, DevVault};

fn app_and_others() -> Builder {
    ["app-db", "app-api-key", "other"]
        .into_iter()
        .fold(DevVault::builder(), |builder, name| builder.secret(name, &secret(name)))
}

#[test]
fn a_prefix_tags_or_all_choose() {
    let vault = app_and_others().start().unwrap();
    let default = vault.vault(DEFAULT_VAULT);
    default.set_tags("app-db", &[("env", "prod"), ("team", "red")]);
    default.set_tags("other", &[("env", "prod"), ("team", "blue")]);
    default.set_tags("app-api-key", &[("env", "test"), ("team", "red")]);
    let (db, key, other) = (("APP_DB", "app-db"), ("APP_API_KEY", "app-api-key"), ("OTHER", "other"));
    for (selection, expected) in [
        ("{prefix: app-}", vec![db, key]),
        ("{tags: {env: prod}}", vec![db, other]),
        ("{tags: {env: prod, team: blue}}", vec![other]),
        ("{prefix: app-, tags: {env: prod}}", vec![db]),
        ("{prefix: none-}", vec![]),
        ("{all: true}", vec![db, key, other]),
        ("[{prefix: app-}, {tags: {team: blue}}]", vec![db, key, other]),
        ("{prefix: app-, naming: \"X_{REST}\"}", vec![("X_DB", "app-db"), ("X_API_KEY", "app-api-key")]),
        ("{tags: {team: blue}, naming: as-is}", vec![("other", "other")]),
    ] {
        let work = Workdir::new();
        let ended = configured(Agent::init(&work), &vault, &format!("envFrom: {selection}\n")).finish();
        let ended = ended.expect(0);
        assert_eq!(env_file(&work), Some(labelled(&expected)), "{selection}\n{}", ended.scene);
    }
}

#[test]
fn a_list_of_many_pages_is_read_to_its_end() {
    let work = Workdir::new();
    let labels: Vec<_> = (0..60).map(|number| format!("app-{number:02}")).collect();
    let builder = labels.iter().fold(DevVault::builder(), |all, name| all.secret(name, &secret(name)));
    let vault = builder.start().unwrap();
    configured(Agent::init(&work), &vault, "envFrom: {prefix: app-}\n").finish().expect(0);
    let expected = labels.iter().map(|name| (name.to_uppercase().replace('-', "_"), secret(name)));
    assert_eq!(env_file(&work), Some(expected.collect()));
    let pages = vault.requests().into_iter().filter(|request| request.path.ends_with("/secrets"));
    assert!(pages.count() > 1, "one page held them all");
}

#[test]
fn what_is_named_wins_over_what_is_found() {
    let work = Workdir::new();
    let vault = app_and_others().start().unwrap();
    let yaml = "env: {APP_DB: other}\nenvFrom: {prefix: app-}\n";
    configured(Agent::init(&work), &vault, yaml).finish().expect(0);
    let expected = labelled(&[("APP_DB", "other"), ("APP_API_KEY", "app-api-key")]);
    assert_eq!(env_file(&work), Some(expected));
}

#[test]
fn what_is_disabled_is_left_out_and_told() {
    let work = Workdir::new();
    let vault = app_and_others().secret("app-old", &secret("app-old")).start().unwrap();
    vault.set_attributes("app-old", DISABLED);
    let agent = configured(Agent::sidecar(&work), &vault, "envFrom: {prefix: app-}\n").start();
    wait_for(&agent, &work, &[("APP_DB", "app-db"), ("APP_API_KEY", "app-api-key")]);
    let skipped = skipped(&agent);
    let [line] = &skipped[..] else { panic!("one secret is left out, not {skipped:?}") };
    assert!(line.contains("/secrets/app-old is disabled"), "{line}");
    let read = vault.requests().into_iter().any(|request| request.path.contains("app-old"));
    assert!(!read, "a disabled secret was asked for");
}

#[test]
fn what_belongs_to_a_certificate_is_left_out() {
    let work = Workdir::new();
    let vault = app_and_others().certificate("app-web", &CertificateSpec::default()).start().unwrap();
    let agent = configured(Agent::sidecar(&work), &vault, "envFrom: {prefix: app-}\n").start();
    wait_for(&agent, &work, &[("APP_DB", "app-db"), ("APP_API_KEY", "app-api-key")]);
    let read = vault.requests().into_iter().any(|request| request.path.contains("app-web"));
    assert!(!read, "a certificate's secret was asked for");
}
