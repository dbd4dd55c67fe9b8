//! The vault source against a Key Vault and Entra look-alike, over real TLS.

#![allow(clippy::unwrap_used)]

#[path = "vault_source/answers.rs"]
mod answers;
#[path = "vault_source/identities.rs"]
mod identities;
#[path = "vault_source/identity.rs"]
mod identity;
#[path = "vault_source/support.rs"]
mod support;
#[path = "vault_source/way.rs"]
mod way;

use dev_vault::{DevVault, Endpoint};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::{collections::BTreeSet, os::fd::AsFd};
use support::{Setup, refusing_port, requests, state, value_of, wait_for_requests};

#[test]
fn many_secrets_cost_one_token_and_one_request_each() {
    let names: Vec<_> = (0..50).map(|number| format!("secret-{number}")).collect();
    let vault =
        names.iter().fold(DevVault::builder(), |vault, name| vault.secret(name, name)).start().unwrap();
    let agent = names.iter().fold(Setup::new(&vault), Setup::secret).start();
    let seen = agent.wait_until_good();
    for name in &names {
        assert_eq!(value_of(&seen, name).as_deref(), Some(name.as_str()));
    }
    assert_eq!((seen.rounds, seen.requests), (1, 50));
    assert!(seen.last_success.is_some());
    assert_eq!(requests(&vault, Endpoint::Token).len(), 1);
    let asked = requests(&vault, Endpoint::Vault);
    assert!(asked.iter().all(|request| request.status == 200 && request.authenticated), "{asked:#?}");
    assert_eq!(asked.iter().map(|request| &request.path).collect::<BTreeSet<_>>().len(), 50);
    assert_eq!(asked.len(), 50);
}

#[test]
fn the_answer_is_taken_over_whole() {
    let vault = DevVault::builder().secret("db", "old").start().unwrap();
    vault.set_attributes(
        "db",
        dev_vault::Attributes { enabled: Some(true), nbf: Some(1_000), exp: Some(2_000) },
    );
    let value = "quotes \" and \\, a line\nand \u{1f511}";
    let agent = Setup::new(&vault).secret("db").start();
    agent.wait_for_value("db", "old");
    let version = vault.set_secret("db", value);
    agent.source.refresh();
    let seen = agent.wait_for_value("db", value);
    let secret = state(&seen, "db").good.as_ref().unwrap();
    assert_eq!(secret.version.as_str(), version);
    assert_eq!(secret.expires, None);
}

#[test]
fn attributes_are_observed() {
    let vault = DevVault::builder().secret("db", "old").start().unwrap();
    let dates = dev_vault::Attributes { enabled: Some(true), nbf: Some(1_000), exp: Some(2_000) };
    vault.set_attributes("db", dates);
    let agent = Setup::new(&vault).secret("db").start();
    let seen = agent.wait_until_good();
    let secret = state(&seen, "db").good.as_ref().unwrap();
    let seconds = |time: Option<std::time::SystemTime>| {
        time.map(|time| time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs())
    };
    assert_eq!((seconds(secret.not_before), seconds(secret.expires)), (Some(1_000), Some(2_000)));
}

#[test]
fn a_poll_asks_once_for_each_secret_that_can_change() {
    let vault = DevVault::builder().secret("a", "1").secret("b", "2").secret("pinned", "3").start().unwrap();
    let version = vault.set_secret("pinned", "4");
    vault.set_secret("pinned", "5");
    let agent = Setup::new(&vault)
        .var("AKV_AGENT_POLL_INTERVAL", "1s")
        .secret("a")
        .secret("b")
        .secret(format!("pinned/{version}"))
        .start();
    agent.wait_for_value("pinned", "4");
    agent.wait_until_good();
    let asked = wait_for_requests(&vault, Endpoint::Vault, 7);
    for round in asked[3..7].chunks(2) {
        let paths: BTreeSet<_> = round.iter().map(|request| request.path.as_str()).collect();
        assert_eq!(paths, BTreeSet::from(["/secrets/a/", "/secrets/b/"]));
    }
    assert_eq!(requests(&vault, Endpoint::Token).len(), 1);
}

#[test]
fn a_rotation_is_seen_by_the_next_poll() {
    let vault = DevVault::builder().secret("db", "old").start().unwrap();
    let agent = Setup::new(&vault).var("AKV_AGENT_POLL_INTERVAL", "1s").secret("db").start();
    agent.wait_for_value("db", "old");
    vault.set_secret("db", "new");
    agent.wait_for_value("db", "new");
}

#[test]
fn without_polls_only_a_request_to_refresh_asks_again() {
    let vault = DevVault::builder().secret("db", "old").start().unwrap();
    let agent = Setup::new(&vault).var("AKV_AGENT_POLL_INTERVAL", "off").secret("db").start();
    agent.wait_for_value("db", "old");
    vault.set_secret("db", "new");
    agent.source.refresh();
    agent.wait_for_value("db", "new");
    assert_eq!(requests(&vault, Endpoint::Vault).len(), 2);
}

#[test]
fn requests_to_refresh_merge() {
    let vault = DevVault::builder().secret("db", "old").start().unwrap();
    let agent = Setup::new(&vault).secret("db").start();
    agent.wait_for_value("db", "old");
    vault.set_secret("db", "new");
    for _ in 0..100 {
        agent.source.refresh();
    }
    agent.wait_for_value("db", "new");
    vault.set_secret("db", "newest");
    agent.source.refresh();
    agent.wait_for_value("db", "newest");
    assert_eq!(requests(&vault, Endpoint::Vault).len(), 3);
}

#[test]
fn what_stays_the_same_wakes_nobody() {
    let vault = DevVault::builder().secret("db", "old").secret("other", "1").start().unwrap();
    let agent = Setup::new(&vault).var("AKV_AGENT_POLL_INTERVAL", "1s").secret("db").secret("other").start();
    take_wake_up(&agent);
    // A third round begins when the result of the second one has been passed on.
    wait_for_requests(&vault, Endpoint::Vault, 5);
    assert!(!agent.wake.take(), "a poll that finds nothing new");
    vault.set_secret("db", "new");
    take_wake_up(&agent);
    assert_eq!(value_of(&agent.source.latest(), "db").as_deref(), Some("new"));
}

#[test]
fn a_refresh_that_was_asked_for_is_told_of_even_if_all_stays_the_same() {
    let vault = DevVault::builder().secret("db", "old").start().unwrap();
    let agent = Setup::new(&vault).secret("db").start();
    take_wake_up(&agent);
    agent.source.refresh();
    take_wake_up(&agent);
}

/// Waits for the next one.
fn take_wake_up(agent: &support::Agent) {
    let mut fds = [PollFd::new(agent.wake.as_fd(), PollFlags::POLLIN)];
    let limit = PollTimeout::try_from(support::PATIENCE).unwrap();
    assert_eq!(poll(&mut fds, limit), Ok(1), "nobody was woken");
    assert!(agent.wake.take());
}

#[test]
fn two_vaults_are_read_side_by_side() {
    let vault = DevVault::builder().secret("db", "one").start().unwrap();
    // The other vault is down: its secret is missing, and says so; the first vault's does not suffer.
    let (_taken, port) = refusing_port();
    let down = format!("https://localhost:{port}");
    let agent = Setup::new(&vault)
        .secret("db")
        .secret(format!("akv://{}/api", down.trim_start_matches("https://")))
        .start();
    let seen = agent.wait_until(|seen| seen.rounds > 0 && seen.problem.is_some());
    assert_eq!(value_of(&seen, "db").as_deref(), Some("one"));
    assert!(state(&seen, "db").problem.is_none());
    assert!(support::problem_of(&seen, "api").starts_with(&format!("{down}: cannot connect to localhost:")));
    assert_eq!(seen.last_success, None);
}
