//! How soon trouble is told, and how much of it.

use super::support::{Agent, Workdir, secret};
use dev_vault::{Action, DevVault, Endpoint, Fault};
use std::net::{TcpListener, TcpStream};

/// So long that the reason cannot come from the deadline.
const FAR_AWAY: &str = "10m";

fn vault() -> DevVault {
    DevVault::builder().secret("db", &secret("one")).start().unwrap()
}

#[test]
fn a_missing_imds_is_known_at_once() {
    let (work, vault) = (Workdir::new(), vault());
    // The near end of a connection has a port on which nobody listens, and nobody else can.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let holder = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let nobody = holder.local_addr().unwrap();
    let agent = Agent::sidecar(&work)
        .vault(&vault, "SECRET=db")
        .env_file()
        .set("IDENTITY", "managed")
        .set("TIMEOUT", FAR_AWAY)
        .var("AZURE_POD_IDENTITY_AUTHORITY_HOST", format!("http://{nobody}"))
        .start();
    agent.wait_for_log(&format!("cannot connect to {nobody}"));
}

#[test]
fn a_long_retry_after_is_reported_at_once() {
    for (endpoint, identity) in
        [(Endpoint::Vault, "workload"), (Endpoint::Token, "workload"), (Endpoint::Imds, "managed")]
    {
        let (work, vault) = (Workdir::new(), vault());
        vault.faults().push(Fault::new(endpoint, Action::throttled(Some(7200))));
        let agent = Agent::sidecar(&work)
            .vault(&vault, "SECRET=db")
            .env_file()
            .set("IDENTITY", identity)
            .set("TIMEOUT", FAR_AWAY)
            .var("AZURE_POD_IDENTITY_AUTHORITY_HOST", vault.imds_url())
            .start();
        agent.wait_for_log("HTTP 429");
    }
}

#[test]
fn no_backtrace_is_ever_printed() {
    for (endpoint, action) in [
        (Endpoint::Vault, Action::WrongShape),
        (Endpoint::Vault, Action::status(403)),
        (Endpoint::Token, Action::WrongShape),
        (Endpoint::Token, Action::status(400)),
    ] {
        let (work, vault) = (Workdir::new(), vault());
        vault.faults().push(Fault::new(endpoint, action.clone()));
        let agent = Agent::init(&work)
            .vault(&vault, "SECRET=db")
            .env_file()
            .set("TIMEOUT", "2s")
            .var("RUST_BACKTRACE", "full")
            .finish();
        assert_ne!(agent.code, 0, "{action:?}");
        for line in agent.err.lines() {
            assert!(
                line.contains("akv-agent: "),
                "{action:?}: not a line of the log: {line}\n{}",
                agent.scene
            );
        }
        assert!(!agent.err.to_lowercase().contains("backtrace"), "{action:?}\n{}", agent.scene);
    }
}
