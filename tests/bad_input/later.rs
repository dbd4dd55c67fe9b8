//! Once the first set is out nothing takes it away: what goes wrong is reported until it is well again.

use super::support::{Agent, Running, Volume, Workdir, read_env_file, secret};
use dev_vault::{Action, Attributes, DEFAULT_VAULT, DevVault, Endpoint, Fault};
use std::fs;

fn wait_for_value(agent: &Running<'_>, work: &Workdir, label: &str) {
    agent.wait_until(&format!("the value {label:?}"), || {
        let found = read_env_file(&work.path("out/app.env"))?;
        (found.get("SECRET") == Some(&secret(label))).then_some(())
    });
}

/// A sidecar that has its first set from a vault, in which the secret is `one`.
fn on_vault<'w>(work: &'w Workdir, vault: &DevVault) -> Running<'w> {
    let agent = Agent::sidecar(work).vault(vault, "SECRET=db").env_file().set("POLL_INTERVAL", "1s").start();
    wait_for_value(&agent, work, "one");
    agent
}

/// A vault that spoils its only secret by `spoil` and heals it by `heal`, and what is said in between.
fn spoiled(words: &str, spoil: impl Fn(&DevVault), heal: impl Fn(&DevVault)) {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("one")).start().unwrap();
    let agent = on_vault(&work, &vault);
    spoil(&vault);
    agent.wait_for_problem(words);
    let status = agent.status();
    assert_eq!(status["ready"], true);
    wait_for_value(&agent, &work, "one");
    heal(&vault);
    vault.set_secret("db", &secret("two"));
    wait_for_value(&agent, &work, "two");
    agent.wait_until_well();
    agent.stop().expect(0);
}

#[test]
fn a_secret_that_is_disabled() {
    let enabled = |enabled| Attributes { enabled: Some(enabled), ..Attributes::default() };
    spoiled(
        "is disabled",
        |vault| vault.set_attributes("db", enabled(false)),
        |vault| vault.set_attributes("db", enabled(true)),
    );
}

#[test]
fn a_secret_that_is_deleted() {
    spoiled(
        "no such secret",
        |vault| vault.delete_secret("db"),
        |vault| vault.vault(DEFAULT_VAULT).recover_secret("db"),
    );
}

#[test]
fn a_right_that_is_taken_away() {
    spoiled(
        "may not read",
        |vault| vault.faults().push(Fault::new(Endpoint::Vault, Action::status(403))),
        |vault| vault.faults().clear(),
    );
}

#[test]
fn a_vault_that_fails() {
    spoiled(
        "HTTP 500",
        |vault| vault.faults().push(Fault::new(Endpoint::Vault, Action::status(500))),
        |vault| vault.faults().clear(),
    );
}

#[test]
fn a_vault_that_throttles() {
    spoiled(
        "throttles",
        |vault| vault.faults().push(Fault::new(Endpoint::Vault, Action::throttled(Some(1))).times(2)),
        |vault| vault.faults().clear(),
    );
}

#[test]
fn a_vault_that_hangs_up() {
    spoiled(
        "the connection was cut",
        |vault| vault.faults().push(Fault::new(Endpoint::Vault, Action::Cut)),
        |vault| vault.faults().clear(),
    );
}

#[test]
fn an_identity_that_gets_no_token_any_more() {
    spoiled(
        "Entra",
        |vault| {
            vault.faults().push(Fault::new(Endpoint::Token, Action::status(500)));
            vault.revoke_tokens();
        },
        |vault| vault.faults().clear(),
    );
}

#[test]
fn a_value_that_no_variable_can_hold() {
    spoiled("NUL", |vault| drop(vault.set_secret("db", "canary-7f3a\0more")), |_| ());
}

#[test]
fn a_vault_that_is_gone() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("one")).start().unwrap();
    let agent = on_vault(&work, &vault);
    drop(vault);
    let problem = agent.wait_for_problem("cannot connect");
    assert!(problem.contains("localhost"), "{problem}");
    wait_for_value(&agent, &work, "one");
    agent.stop().expect(0);
}

#[test]
fn a_mount_that_is_gone() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = Agent::sidecar(&work).mount(&volume, "SECRET=db").env_file().start();
    wait_for_value(&agent, &work, "one");
    fs::remove_dir_all(volume.dir()).unwrap();
    let problem = agent.wait_for_problem("does not exist");
    assert!(problem.contains(&volume.text()), "{problem}");
    wait_for_value(&agent, &work, "one");
    let metrics = agent.request("GET", "/metrics").body;
    assert!(metrics.contains("akv_agent_problems 1\n"), "{metrics}");
    agent.stop().expect(0);
}

#[test]
fn a_field_that_is_gone() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    let json = |label| format!(r#"{{"password":"{}"}}"#, secret(label));
    volume.write_raw(&[("db", json("one"))]);
    let agent = Agent::sidecar(&work).mount(&volume, "SECRET=db#/password").env_file().start();
    wait_for_value(&agent, &work, "one");
    for broken in [secret("not json"), format!("{{\"password\":\"{}", secret("cut")), "{}".to_owned()] {
        volume.write_raw(&[("db", broken)]);
        agent.wait_for_problem("mount file 'db'");
        wait_for_value(&agent, &work, "one");
    }
    volume.write_raw(&[("db", json("two"))]);
    wait_for_value(&agent, &work, "two");
    agent.wait_until_well();
}
