//! A Key Vault as the source.

use super::support::{Agent, App, Running, Volume, Workdir, read_env_file, secret};
use dev_vault::{Action, DevVault, Endpoint, Fault};

fn wait_for_value(agent: &Running<'_>, work: &Workdir, label: &str) {
    agent.wait_until(&format!("the value {label:?}"), || {
        let found = read_env_file(&work.path("out/app.env"))?;
        (found.get("SECRET") == Some(&secret(label))).then_some(())
    });
}

#[test]
fn a_rotation_is_polled_and_told() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("one")).start().unwrap();
    let app = App::start(&work, "polled-app", &["--stop-on", "0"]);
    let agent = Agent::sidecar(&work)
        .vault(&vault, "SECRET=db")
        .env_file()
        .set("POLL_INTERVAL", "1s")
        .set("ON_CHANGE", "signal:HUP")
        .set("TARGET", App::target(&work, "polled-app"))
        .start();
    wait_for_value(&agent, &work, "one");
    vault.set_secret("db", &secret("two"));
    assert_eq!(app.wait_for_signals(1), [libc::SIGHUP]);
    wait_for_value(&agent, &work, "two");
}

#[test]
fn a_pinned_version_stays() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("one")).start().unwrap();
    let version = vault.set_secret("db", &secret("pinned"));
    vault.set_secret("db", &secret("latest"));
    let env = format!("SECRET=db/{version},LATEST=db");
    let agent = Agent::sidecar(&work).vault(&vault, &env).env_file().set("POLL_INTERVAL", "1s").start();
    wait_for_value(&agent, &work, "pinned");
    vault.set_secret("db", &secret("newest"));
    agent.wait_until("the newest", || {
        let found = read_env_file(&work.path("out/app.env"))?;
        (found["LATEST"] == secret("newest")).then_some(())
    });
    wait_for_value(&agent, &work, "pinned");
}

#[test]
fn a_refresh_can_be_asked_for_by_signal_and_by_request() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("one")).start().unwrap();
    let agent =
        Agent::sidecar(&work).vault(&vault, "SECRET=db").env_file().set("POLL_INTERVAL", "off").start();
    wait_for_value(&agent, &work, "one");
    vault.set_secret("db", &secret("two"));
    agent.signal(libc::SIGHUP);
    wait_for_value(&agent, &work, "two");
    vault.set_secret("db", &secret("three"));
    let answer = agent.request("POST", "/v1/refresh");
    assert_eq!((answer.status, &answer.json()["changed"]), (200, &serde_json::json!(["SECRET"])));
    wait_for_value(&agent, &work, "three");
    agent.stop().expect(0);
}

#[test]
fn a_file_of_the_mount_goes_before_the_vaults_secret() {
    let work = Workdir::new();
    let vault =
        DevVault::builder().secret("db", &secret("vault")).secret("api", &secret("api")).start().unwrap();
    let volume = Volume::new(&work, &[("db", "mount")]);
    let agent = Agent::sidecar(&work)
        .vault(&vault, "SECRET=db,API_KEY=api")
        .set("MOUNT", volume.text())
        .env_file()
        .start();
    wait_for_value(&agent, &work, "mount");
    let found = read_env_file(&work.path("out/app.env")).unwrap();
    assert_eq!(found["API_KEY"], secret("api"));
    assert_eq!(agent.status()["variables"]["SECRET"]["source"], "mount file 'db'");
}

#[test]
fn a_vault_that_is_not_ready_at_the_start_is_waited_for() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("one")).start().unwrap();
    vault.faults().push(Fault::new(Endpoint::Token, Action::status(503)).times(1));
    let agent = Agent::sidecar(&work).vault(&vault, "SECRET=db").env_file().start();
    wait_for_value(&agent, &work, "one");
    agent.wait_until_well();
}

#[test]
fn a_managed_identity_works_as_well() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("one")).start().unwrap();
    let agent = Agent::sidecar(&work)
        .vault(&vault, "SECRET=db")
        .env_file()
        .set("IDENTITY", "managed")
        .var("AZURE_POD_IDENTITY_AUTHORITY_HOST", vault.imds_url())
        .start();
    wait_for_value(&agent, &work, "one");
    assert!(vault.requests().iter().all(|request| request.endpoint != Endpoint::Token));
}

#[test]
fn credentials_are_in_no_output_of_the_agent() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("one")).start().unwrap();
    let agent = Agent::sidecar(&work).vault(&vault, "SECRET=db").env_file().start();
    wait_for_value(&agent, &work, "one");
    vault.revoke_tokens();
    vault.set_secret("db", &secret("two"));
    agent.signal(libc::SIGHUP);
    wait_for_value(&agent, &work, "two");
    let said = agent.status().to_string() + &agent.request("GET", "/metrics").body + &agent.err();
    let assertion = std::fs::read_to_string(vault.federated_token_file()).unwrap();
    let signature = assertion.trim().rsplit('.').next().unwrap();
    assert!(!said.contains(signature), "the service account's token is in what the agent says");
    // Every token of the look-alike has the same header.
    let header = vault.issue_token();
    let header = header.split('.').next().unwrap();
    assert!(!said.contains(header), "a token is in what the agent says: {said}");
}

#[test]
fn the_status_keeps_up_with_rounds_that_change_nothing() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("one")).start().unwrap();
    let agent =
        Agent::sidecar(&work).vault(&vault, "SECRET=db").env_file().set("POLL_INTERVAL", "1s").start();
    agent.wait_until_ready();
    let first = agent.status()["vault"]["lastSuccess"].clone();
    let status = agent.wait_for_status("a later success", |status| status["vault"]["lastSuccess"] != first);
    assert_eq!(status["changes"], 0);
    assert!(status["vault"]["requests"].as_u64() > Some(1), "{status:#}");
}
