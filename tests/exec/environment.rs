//! Which variables the child has.

use super::support::{Agent, Volume, Workdir, secret};
use dev_vault::DevVault;
use std::collections::BTreeMap;

/// What `env` printed.
fn variables(out: &str) -> BTreeMap<&str, &str> {
    out.lines().filter_map(|line| line.split_once('=')).collect()
}

#[test]
fn files_of_a_mount_reach_the_child() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db-password", "db"), ("api.key", "api"), ("unwanted", "other")]);
    let ended = Agent::exec(&work, &["env"])
        .mount(&volume, "DB_PASSWORD=db-password,API_KEY=mount:api.key")
        .finish()
        .expect(0);
    let found = variables(&ended.out);
    assert_eq!(found.get("DB_PASSWORD"), Some(&&*secret("db")));
    assert_eq!(found.get("API_KEY"), Some(&&*secret("api")));
    assert!(!ended.out.contains(&secret("other")), "only what was asked for:\n{}", ended.scene);
}

#[test]
fn a_field_of_a_json_secret_reaches_the_child() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    let json = format!(r#"{{"users":[{{"password":"{}"}}],"a/b":7}}"#, secret("field"));
    volume.write_raw(&[("db", json)]);
    let ended = Agent::exec(&work, &["env"])
        .mount(&volume, "PASSWORD=db#/users/0/password,SLASH=db#/a~1b")
        .finish()
        .expect(0);
    let found = variables(&ended.out);
    assert_eq!(found.get("PASSWORD"), Some(&&*secret("field")));
    assert_eq!(found.get("SLASH"), Some(&"7"));
}

#[test]
fn references_in_the_environment_are_resolved_in_place() {
    let work = Workdir::new();
    let vault =
        DevVault::builder().secret("db", &secret("db")).secret("api", &secret("api")).start().unwrap();
    let host = vault.url().replace("https://", "");
    let ended = Agent::exec(&work, &["env"])
        .vault(&vault, "PLAIN=db")
        .var("URI", format!("@Microsoft.KeyVault(SecretUri=https://{host}/secrets/api/)"))
        .var("SCHEME", format!("akv://{host}/db"))
        .var("NO_REFERENCE", "see akv://elsewhere/db")
        .finish()
        .expect(0);
    let found = variables(&ended.out);
    assert_eq!(found.get("PLAIN"), Some(&&*secret("db")));
    assert_eq!(found.get("URI"), Some(&&*secret("api")));
    assert_eq!(found.get("SCHEME"), Some(&&*secret("db")));
    assert_eq!(found.get("NO_REFERENCE"), Some(&"see akv://elsewhere/db"), "only a whole value is one");
}

#[test]
fn a_reference_that_cannot_be_resolved_starts_nothing() {
    let vault = DevVault::builder().secret("db", &secret("db")).start().unwrap();
    let host = vault.url().replace("https://", "");
    for literal in [
        format!("akv://{host}/absent"),
        "@Microsoft.KeyVault(SecretName=db)".to_owned(),
        "@microsoft.keyvault(".to_owned(),
        " akv://no-slash".to_owned(),
    ] {
        let work = Workdir::new();
        let ended = Agent::exec(&work, &["touch", "started"])
            .vault(&vault, "PLAIN=db")
            .var("BROKEN", &literal)
            .set("TIMEOUT", "1s")
            .finish()
            .expect(125);
        assert!(!work.path("started").exists(), "{literal}:\n{}", ended.scene);
        assert!(ended.complaints().iter().any(|line| line.contains("BROKEN")), "{literal}:\n{}", ended.scene);
    }
}

#[test]
fn the_agents_own_settings_and_credentials_stay_with_it() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "db")]);
    let ended = Agent::exec(&work, &["env"])
        .mount(&volume, "SECRET=db")
        .var("AZURE_CLIENT_SECRET", secret("client"))
        .var("AZURE_CLIENT_CERTIFICATE_PASSWORD", secret("certificate"))
        .var("AZURE_CLIENT_ID", "an-id")
        .var("LANG", "C.UTF-8")
        .var("EMPTY", "")
        .finish()
        .expect(0);
    let found = variables(&ended.out);
    let own = found.keys().filter(|name| name.starts_with("AKV_AGENT_")).collect::<Vec<_>>();
    assert!(own.is_empty(), "{own:?}");
    assert!(!ended.out.contains(&secret("client")) && !ended.out.contains(&secret("certificate")));
    assert_eq!(found.get("AZURE_CLIENT_ID"), Some(&"an-id"), "the app may be a client of Azure itself");
    assert_eq!(found.get("LANG"), Some(&"C.UTF-8"));
    assert_eq!(found.get("EMPTY"), Some(&""));
    assert_eq!(found.get("PATH").copied(), std::env::var("PATH").ok().as_deref());
}

#[test]
fn a_secret_wins_over_an_inherited_variable() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "db")]);
    let ended = Agent::exec(&work, &["env"])
        .mount(&volume, "SECRET=db")
        .var("SECRET", "a default of the image")
        .finish()
        .expect(0);
    let lines: Vec<_> = ended.out.lines().filter(|line| line.starts_with("SECRET=")).collect();
    assert_eq!(lines, [format!("SECRET={}", secret("db"))]);
}

#[test]
fn without_any_reference_it_is_a_plain_parent() {
    let work = Workdir::new();
    let ended = Agent::exec(&work, &["env"]).var("PLAIN", "value").finish().expect(0);
    assert_eq!(variables(&ended.out).get("PLAIN"), Some(&"value"));
}

#[test]
fn every_byte_but_nul_arrives_as_it_is() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    let bytes: Vec<u8> = (1..=255).collect();
    volume.write_raw(&[("binary", &bytes)]);
    let out = work.path("value");
    Agent::exec(&work, &["sh", "-c", r#"printf %s "$SECRET" > value"#])
        .mount(&volume, "SECRET=binary")
        .finish()
        .expect(0);
    assert_eq!(std::fs::read(out).unwrap(), bytes);
}
