//! The way to the vault: names, connections, certificates, and how soon their trouble is known.

use super::support::{Relay, Setup, refusing_port, requests};
use akv_agent::failure::Class;
use dev_vault::{Action, DevVault, Endpoint, Fault};
use std::{
    fs,
    net::TcpListener,
    time::{Duration, Instant},
};

#[test]
fn an_unknown_issuer_is_known_at_once_and_leads_to_ca_file() {
    let vault = DevVault::builder().secret("a", "1").start().unwrap();
    let start = Instant::now();
    let agent = Setup::new(&vault).without("AKV_AGENT_CA_FILE").secret("a").start();
    let problem = agent.wait_for_problem();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!((problem.class, problem.transient), (Class::Config, false));
    assert!(problem.message.contains("unknown issuer; name its CA in caFile"), "{problem:?}");
    assert!(requests(&vault, Endpoint::Vault).is_empty());
}

#[test]
fn the_ca_of_another_vault_is_no_help() {
    let vault = DevVault::builder().secret("a", "1").start().unwrap();
    let other = DevVault::builder().start().unwrap();
    let agent =
        Setup::new(&vault).var("AKV_AGENT_CA_FILE", other.ca_file().to_str().unwrap()).secret("a").start();
    let problem = agent.wait_for_problem();
    assert_eq!(problem.class, Class::Config);
    assert!(problem.message.contains("caFile"), "{problem:?}");
}

#[test]
fn ssl_cert_file_adds_to_the_roots_and_may_be_missing() {
    let vault = DevVault::builder().secret("a", "1").start().unwrap();
    let ca_file = vault.ca_file();
    Setup::new(&vault)
        .without("AKV_AGENT_CA_FILE")
        .var("SSL_CERT_FILE", ca_file.to_str().unwrap())
        .secret("a")
        .start()
        .wait_until_good();
    Setup::new(&vault).var("SSL_CERT_FILE", "/nowhere/ca.pem").secret("a").start().wait_until_good();
}

#[test]
fn an_unusable_ca_file_is_a_configuration_error() {
    let vault = DevVault::builder().secret("a", "1").start().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let garbage = dir.path().join("garbage.pem");
    fs::write(&garbage, "-----BEGIN CERTIFICATE-----\nbm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n")
        .unwrap();
    let empty = dir.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    for (file, words) in [
        (dir.path().join("absent.pem"), "No such file"),
        (empty, "no certificate in it"),
        (garbage, "cannot be used"),
    ] {
        let file = file.to_str().unwrap();
        let failure =
            Setup::new(&vault).var("AKV_AGENT_CA_FILE", file).secret("a").try_start().err().expect("refused");
        assert_eq!(failure.class, Class::Config);
        assert!(failure.message.starts_with(&format!("caFile: {file}: ")), "{failure}");
        assert!(failure.message.contains(words), "{failure}");
    }
}

#[test]
fn a_name_that_resolves_nowhere_is_known_soon() {
    let vault = DevVault::builder().start().unwrap();
    let start = Instant::now();
    let agent =
        Setup::new(&vault).var("AKV_AGENT_VAULT", "https://no-such-vault.invalid").secret("a").start();
    let problem = agent.wait_for_problem();
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    assert_eq!((problem.class, problem.transient), (Class::Unavailable, true));
    assert!(problem.message.starts_with("https://no-such-vault.invalid: "), "{problem:?}");
    assert!(problem.message.contains("name"), "{problem:?}");
}

#[test]
fn a_refused_connection_is_known_at_once() {
    let vault = DevVault::builder().start().unwrap();
    let (_taken, port) = refusing_port();
    let start = Instant::now();
    let url = format!("https://localhost:{port}");
    let agent = Setup::new(&vault).var("AKV_AGENT_VAULT", url).secret("a").start();
    let problem = agent.wait_for_problem();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(problem.transient && problem.message.contains("cannot connect to localhost:"), "{problem:?}");
}

#[test]
fn a_server_that_never_shakes_hands_is_given_up() {
    let vault = DevVault::builder().start().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", silent.local_addr().unwrap().port());
    let start = Instant::now();
    let agent = Setup::new(&vault).var("AKV_AGENT_VAULT", url).secret("a").start();
    let problem = agent.wait_for_problem();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert!(problem.transient && problem.message.contains("timed out in the TLS handshake"), "{problem:?}");
}

/// Thirty secrets, named so that the last is asked for last.
fn thirty() -> (DevVault, Vec<String>) {
    let names: Vec<_> = (10..40).map(|number| format!("secret-{number}")).collect();
    let vault = names.iter().fold(DevVault::builder(), |vault, name| vault.secret(name, name));
    (vault.start().unwrap(), names)
}

#[test]
fn a_round_shares_its_connections_and_leaves_none_open() {
    let (vault, names) = thirty();
    let relay = Relay::to(&vault);
    let setup = Setup::new(&vault).var("AKV_AGENT_VAULT", format!("https://localhost:{}", relay.port));
    let agent = names.iter().fold(setup, Setup::secret).start();
    agent.wait_until_good();
    let first = relay.wait_until_closed();
    assert!((1..30).contains(&first), "{first}");

    // A round that nobody waits for is content with fewer.
    vault.set_secret("secret-39", "new");
    agent.source.refresh();
    agent.wait_for_value("secret-39", "new");
    let second = relay.wait_until_closed() - first;
    assert!((1..=4).contains(&second), "{second}");
    assert_eq!(requests(&vault, Endpoint::Vault).len(), 60);
}

#[test]
fn a_connection_that_is_cut_when_it_is_used_again_is_replaced() {
    let (vault, names) = thirty();
    vault.faults().push(Fault::new(Endpoint::Vault, Action::Cut).secret("secret-39").times(1));
    let agent = names.iter().fold(Setup::new(&vault), Setup::secret).start();
    let seen = agent.wait_until_good();
    assert_eq!(seen.rounds, 1);
    let asked = requests(&vault, Endpoint::Vault);
    let statuses: Vec<_> = asked
        .iter()
        .filter(|request| request.path == "/secrets/secret-39/")
        .map(|request| request.status)
        .collect();
    assert_eq!(statuses, [0, 200]);
}
