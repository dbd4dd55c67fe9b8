//! Identities that are found in the agent's own environment, or through a program.

#![allow(clippy::unwrap_used)]

mod support;

use dev_vault::{DevVault, Endpoint};
use std::{fs, os::unix::fs::PermissionsExt as _};
use support::{Agent, Workdir, read_env_file, secret, test_app};

/// An agent that is told nothing about its identity but what `vault` is.
trait Nobody<'w> {
    fn nobody(self, vault: &DevVault) -> Self;
    fn path(self, work: &'w Workdir) -> Self;
}

impl<'w> Nobody<'w> for Agent<'w> {
    fn nobody(self, vault: &DevVault) -> Self {
        self.vault(vault, "SECRET=db")
            .var("AZURE_TENANT_ID", "")
            .var("AZURE_CLIENT_ID", "")
            .var("AZURE_FEDERATED_TOKEN_FILE", "")
    }

    /// Where a look-alike of the Azure CLI comes first.
    fn path(self, work: &'w Workdir) -> Self {
        self.var("PATH", format!("{}:/usr/bin:/bin", work.text("bin")))
    }
}

fn vault() -> DevVault {
    DevVault::builder().secret("db", &secret("one")).start().unwrap()
}

/// A look-alike of the Azure CLI that notes how it was called, and under which signal mask.
fn install_az(work: &Workdir, script: &str) {
    work.make_dir("bin");
    let log = work.text("az.log");
    let script = format!("#!/bin/sh\necho \"$* $(grep SigBlk /proc/$$/status)\" >> {log}\n{script}\n");
    let file = work.write("bin/az", script);
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

fn give_token(vault: &DevVault, work: &Workdir) {
    let answer = serde_json::json!({
        "accessToken": vault.issue_token(),
        "expires_on": 4_000_000_000_u64,
        "tokenType": "Bearer",
    });
    // As a whole, since `az` may run at any moment.
    let new = work.write("az.new", answer.to_string());
    fs::rename(new, work.path("az.json")).unwrap();
}

#[test]
fn the_azure_cli_is_asked_where_nothing_else_is_there() {
    let work = Workdir::executable();
    let vault = vault();
    install_az(&work, &format!("cat {}", work.text("az.json")));
    give_token(&vault, &work);
    let ended = Agent::init(&work).nobody(&vault).path(&work).env_file().finish().expect(0);
    assert!(ended.err.contains("Azure CLI login: az is in PATH"), "{}", ended.scene);
    assert_eq!(read_env_file(&work.path("out/app.env")).unwrap()["SECRET"], secret("one"));
    let call = "account get-access-token -o json --scope https://vault.azure.net/.default SigBlk:\t0000000000000000\n";
    assert_eq!(work.read("az.log"), call, "{}", ended.scene);
    assert!(vault.requests().iter().all(|request| request.endpoint == Endpoint::Vault), "{}", ended.scene);
}

#[test]
fn in_exec_the_end_of_az_is_nobody_elses() {
    let work = Workdir::executable();
    let vault = vault();
    // Its end and that of its children are reaped by the agent, as the app's would be.
    let file = work.text("az.json");
    install_az(&work, &format!("sleep 0 & until [ -e {file} ]; do sleep 0.01; done; cat {file}"));
    give_token(&vault, &work);
    let agent = Agent::exec(&work, &[&*test_app(), "--print", "SECRET"])
        .nobody(&vault)
        .path(&work)
        .set("POLL_INTERVAL", "1s")
        .start();
    let child = agent.wait_for_start(1).pid;
    let calls = || work.read("az.log").lines().count();
    assert_eq!(calls(), 1);
    for round in 2..5 {
        // It must not be given the old one, which would be refused.
        fs::remove_file(work.path("az.json")).unwrap();
        vault.revoke_tokens();
        give_token(&vault, &work);
        agent.wait_until("az was asked again", || (calls() >= round).then_some(()));
        agent.wait_until_well();
    }
    assert_eq!((agent.starts().len(), agent.signals()), (1, vec![]), "{}", agent.scene());
    assert_eq!(agent.status()["child"]["pid"], child);
}

#[test]
fn an_az_that_nobody_is_logged_in_to_leads_to_az_login() {
    let work = Workdir::executable();
    let vault = vault();
    install_az(&work, "echo 'ERROR: Subscription not found.' >&2; exit 1");
    let ended =
        Agent::init(&work).nobody(&vault).path(&work).set("TIMEOUT", "30s").env_file().finish().expect(77);
    assert!(
        ended.err.contains("az gives no token (ERROR: Subscription not found.); run az login"),
        "{}",
        ended.scene
    );
}

#[test]
fn a_missing_az_is_a_configuration_error() {
    let work = Workdir::executable();
    let vault = vault();
    work.make_dir("bin");
    let agent = Agent::init(&work).nobody(&vault).set("IDENTITY", "azure-cli").var("PATH", work.text("bin"));
    let ended = agent.env_file().finish().expect(78);
    assert!(ended.err.contains("az is not in PATH"), "{}", ended.scene);
}

#[test]
fn a_platform_with_an_endpoint_of_its_own_gives_a_managed_identity() {
    let vault = vault();
    for (header, code) in [(vault.identity_header(), 0), ("wrong", 77)] {
        let work = Workdir::new();
        let ended = Agent::init(&work)
            .nobody(&vault)
            .var("IDENTITY_ENDPOINT", vault.identity_endpoint())
            .var("IDENTITY_HEADER", header)
            .env_file()
            .finish()
            .expect(code);
        assert!(ended.err.contains("managed identity: IDENTITY_ENDPOINT is set"), "{}", ended.scene);
    }
}

#[test]
fn who_is_asked_and_because_of_what_is_said_once() {
    let work = Workdir::new();
    let vault =
        DevVault::builder().secret("db", &secret("one")).secret("api", &secret("two")).start().unwrap();
    let ended = Agent::init(&work).vault(&vault, "SECRET=db,API=api").env_file().finish().expect(0);
    let said = format!("workload identity {}: AZURE_FEDERATED_TOKEN_FILE is set", vault.client_id());
    assert_eq!(ended.err.matches(&said).count(), 1, "{}", ended.scene);
}
