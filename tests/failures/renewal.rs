//! What the tables leave out: a token endpoint that fails while there is a good token.

use super::support::{Agent, Workdir, read_env_file, secret};
use dev_vault::{Action, DevVault, Endpoint, Fault};
use std::time::Duration;

/// The renewal is due after half of it.
const LIFE: Duration = Duration::from_secs(16);

#[test]
fn a_renewal_that_fails_is_not_felt_while_the_token_is_good() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("one")).token_lifetime(LIFE).start().unwrap();
    let agent =
        Agent::sidecar(&work).vault(&vault, "SECRET=db").env_file().set("POLL_INTERVAL", "1s").start();
    let wait_for_value = |label| {
        agent.wait_until(&format!("the value {label:?}"), || {
            let found = read_env_file(&work.path("out/app.env"))?;
            (found["SECRET"] == secret(label)).then_some(())
        });
    };
    wait_for_value("one");
    vault.faults().push(Fault::new(Endpoint::Token, Action::status(503)));
    agent.wait_for_log("the token could not be renewed yet");
    vault.set_secret("db", &secret("two"));
    wait_for_value("two");
    assert_eq!(agent.status()["problems"], serde_json::json!([]), "{}", agent.scene());
}
