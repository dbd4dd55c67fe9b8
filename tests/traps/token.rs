//! How long a token is used, and who waits for the next.

use super::{
    metadata::{Metadata, token},
    support::{Agent, Running, Workdir, eventually, read_env_file, secret},
};
use dev_vault::{DevVault, Endpoint};
use std::time::Duration;

fn start<'w>(work: &'w Workdir, vault: &DevVault, metadata: &Metadata) -> Running<'w> {
    Agent::sidecar(work)
        .vault(vault, "SECRET=db")
        .env_file()
        .set("IDENTITY", "managed")
        .set("POLL_INTERVAL", "1s")
        .var("AZURE_POD_IDENTITY_AUTHORITY_HOST", metadata.url())
        .start()
}

fn wait_for_value(agent: &Running<'_>, work: &Workdir, label: &str) {
    agent.wait_until(&format!("the value {label:?}"), || {
        let found = read_env_file(&work.path("out/app.env"))?;
        (found.get("SECRET") == Some(&secret(label))).then_some(())
    });
}

#[test]
fn a_renewal_that_hangs_holds_up_no_request() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("one")).start().unwrap();
    let first = vault.issue_token();
    let life = Duration::from_secs(16);
    let metadata = Metadata::start(move |number| (number == 0).then(|| token(&first, life)));
    let agent = start(&work, &vault, &metadata);
    wait_for_value(&agent, &work, "one");
    eventually("the renewal", || (metadata.asked() > 1).then_some(()));
    vault.set_secret("db", &secret("two"));
    wait_for_value(&agent, &work, "two");
    agent.wait_until_well();
    assert_eq!(metadata.asked(), 2, "one renewal at a time\n{}", agent.scene());
}

#[test]
fn a_short_lived_token_is_used_more_than_once() {
    let work = Workdir::new();
    let life = Duration::from_secs(240);
    let vault = DevVault::builder().secret("db", &secret("one")).token_lifetime(life).start().unwrap();
    let agent =
        Agent::sidecar(&work).vault(&vault, "SECRET=db").env_file().set("POLL_INTERVAL", "1s").start();
    wait_for_value(&agent, &work, "one");
    let count = |endpoint| vault.requests().iter().filter(|request| request.endpoint == endpoint).count();
    eventually("four rounds", || (count(Endpoint::Vault) >= 4).then_some(()));
    assert_eq!(count(Endpoint::Token), 1, "{}", agent.scene());
}
