//! What was secret once is in the agent's memory no longer: after a rotation, no trace of the value before.
//!
//! The whole memory of the real program is searched, through `/proc/PID/mem`, which needs root or the right
//! to trace. What the libraries on the way left behind counts as much as what is ours.

#![allow(clippy::unwrap_used)]

mod support;

use base64ct::{Base64, Encoding as _};
use dev_vault::{Action, DevVault, Endpoint, Fault};
use support::{
    Agent, Memory, Openssl, Running, Volume, Workdir, awkward, eventually, process, read_env_file, test_app,
};

/// The agent's memory, once it is at rest; `None`, and a word on standard error, where nobody may look.
#[allow(clippy::print_stderr, reason = "a test that cannot look says so")]
fn memory(agent: &Running<'_>) -> Option<Memory> {
    // It may be about to free what it has just used: the background thread sleeps when it has.
    eventually("the agent sleeps", || is_asleep(agent.pid()).then_some(()));
    match Memory::of(agent.pid()) {
        Ok(memory) => Some(memory),
        Err(error) if !nix::unistd::geteuid().is_root() => {
            eprintln!("skipped: only root may look into the agent's memory: {error}");
            None
        }
        Err(error) => panic!("root cannot look into the agent's memory: {error}"),
    }
}

/// Whether each of its threads waits for something.
fn is_asleep(pid: i32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.path().join("stat")).ok())
        .all(|stat| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('S')))
}

/// Fails if `old` is there in any form, or if `new` is not: a search that finds nothing proves nothing.
fn assert_forgotten(agent: &Running<'_>, old: &[String], new: &str) {
    let Some(memory) = memory(agent) else { return };
    assert!(memory.holds(new), "the search does not even find the value that is in use");
    for old in old {
        let found = memory.find(old);
        assert!(found.is_empty(), "an old value is still there:\n{}", found.join("\n"));
    }
}

fn wait_for_value(agent: &Running<'_>, work: &Workdir, value: &str) {
    agent.wait_until("the value in the env file", || {
        (read_env_file(&work.path("out/app.env"))?.get("SECRET")? == value).then_some(())
    });
}

#[test]
fn a_sidecar_of_a_mount_forgets_the_old_value() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    let values = ["one", "two", "three"].map(awkward);
    volume.write_raw(&[("db", &values[0])]);
    let agent = Agent::sidecar(&work).mount(&volume, "SECRET=db").env_file().start();
    for value in &values {
        if value != &values[0] {
            volume.write_raw(&[("db", value)]);
        }
        wait_for_value(&agent, &work, value);
    }
    agent.wait_for_generation(&volume.generation());
    assert_forgotten(&agent, &values[..2], &values[2]);
}

#[test]
fn a_field_of_a_document_leaves_nothing_of_the_old_document() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    let values = ["one", "two"].map(awkward);
    let document = |value: &String| serde_json::json!({"user": "app", "password": value}).to_string();
    volume.write_raw(&[("db", document(&values[0]))]);
    let agent = Agent::sidecar(&work).mount(&volume, "SECRET=db#/password").env_file().start();
    wait_for_value(&agent, &work, &values[0]);
    volume.write_raw(&[("db", document(&values[1]))]);
    wait_for_value(&agent, &work, &values[1]);
    agent.wait_for_generation(&volume.generation());
    assert_forgotten(&agent, &values[..1], &values[1]);
}

#[test]
fn the_private_key_of_an_old_certificate_is_gone() {
    let work = Workdir::new();
    let openssl = ["one", "two"].map(|_| Openssl::with_chain("rsa:2048"));
    let files = openssl.each_ref().map(|openssl| openssl.pfx(""));
    let vault = DevVault::builder().secret("web", &Base64::encode_string(&files[0])).start().unwrap();
    let agent =
        Agent::sidecar(&work).vault(&vault, "SECRET=web#pem").env_file().set("POLL_INTERVAL", "off").start();
    let wait = |openssl: &Openssl| {
        agent.wait_until("the certificate", || {
            let pem = read_env_file(&work.path("out/app.env"))?.remove("SECRET")?;
            pem.contains(&openssl.read("leaf.pem")).then_some(pem)
        })
    };
    let old = wait(&openssl[0]);
    vault.set_secret("web", &Base64::encode_string(&files[1]));
    agent.signal(libc::SIGHUP);
    let new = wait(&openssl[1]);
    let Some(memory) = memory(&agent) else { return };
    // A line from the middle of the key: part of a factor, whatever stands before and after it.
    let line = |pem: &str| pem.lines().nth(20).unwrap().to_owned();
    assert!(memory.holds(line(&new)), "the search does not even find the key that is in use");
    assert!(!memory.holds(line(&old)), "the old key as PEM");
    assert!(!memory.holds(Base64::decode_vec(&line(&old)).unwrap()), "the old key as DER");
    assert!(!memory.holds(&files[0][files[0].len() / 2..][..48]), "the old file");
    assert!(!memory.holds(&Base64::encode_string(&files[0])[1000..1064]), "the old file in base64");
}

#[test]
fn a_sidecar_of_a_vault_forgets_the_old_value() {
    let work = Workdir::new();
    let values = ["one", "two", "three"].map(awkward);
    let vault = DevVault::builder().secret("db", &values[0]).start().unwrap();
    let agent =
        Agent::sidecar(&work).vault(&vault, "SECRET=db").env_file().set("POLL_INTERVAL", "off").start();
    wait_for_value(&agent, &work, &values[0]);
    for value in &values[1..] {
        vault.set_secret("db", value);
        agent.signal(libc::SIGHUP);
        wait_for_value(&agent, &work, value);
    }
    assert_forgotten(&agent, &values[..2], &values[2]);
}

#[test]
fn rounds_that_fail_keep_the_good_value_and_nothing_else() {
    let work = Workdir::new();
    let values = ["one", "cut", "torn", "two"].map(awkward);
    let vault = DevVault::builder().secret("db", &values[0]).start().unwrap();
    let agent =
        Agent::sidecar(&work).vault(&vault, "SECRET=db").env_file().set("POLL_INTERVAL", "off").start();
    wait_for_value(&agent, &work, &values[0]);
    // Both of these arrive, and neither counts.
    for (value, action) in [(&values[1], Action::CutBody), (&values[2], Action::Truncate)] {
        vault.faults().push(Fault::new(Endpoint::Vault, action));
        vault.set_secret("db", value);
        agent.signal(libc::SIGHUP);
        agent.wait_for_problem("");
        assert_forgotten(&agent, std::slice::from_ref(value), &values[0]);
        vault.faults().clear();
        vault.set_secret("db", &values[0]);
        agent.signal(libc::SIGHUP);
        agent.wait_until_well();
    }
    vault.set_secret("db", &values[3]);
    agent.signal(libc::SIGHUP);
    wait_for_value(&agent, &work, &values[3]);
    assert_forgotten(&agent, &values[..3], &values[3]);
}

#[test]
fn an_agent_forgets_what_the_child_before_was_given() {
    let work = Workdir::new();
    let values = ["one", "two", "three"].map(awkward);
    let vault = DevVault::builder().secret("db", &values[0]).start().unwrap();
    let agent = Agent::exec(&work, &[test_app()])
        .vault(&vault, "SECRET=db")
        .set("POLL_INTERVAL", "off")
        .set("PROBATION", "100ms")
        .start();
    let mut child = agent.wait_for_start(1);
    agent.wait_until_ready();
    for (count, value) in (2..).zip(&values[1..]) {
        vault.set_secret("db", value);
        agent.signal(libc::SIGHUP);
        let next = agent.wait_for_start(count);
        assert!(!process::is_running(child.pid), "the old child is gone before the new one starts");
        child = next;
    }
    // Until then the set before is kept, to go back to.
    agent.wait_for_status("a set that has proved itself", |status| {
        status["child"]["set"] == status["set"] && status["child"]["onProbation"] == false
    });
    assert_forgotten(&agent, &values[..2], &values[2]);
}

#[test]
fn tokens_go_with_their_time() {
    let work = Workdir::new();
    let values = ["one", "two"].map(awkward);
    let vault = DevVault::builder().secret("db", &values[0]).start().unwrap();
    let agent =
        Agent::sidecar(&work).vault(&vault, "SECRET=db").env_file().set("POLL_INTERVAL", "off").start();
    wait_for_value(&agent, &work, &values[0]);
    // Every token of the look-alike starts the same way.
    let prefix = vault.issue_token();
    let prefix = prefix.split_inclusive('.').next().unwrap();
    let Some(first) = memory(&agent).map(|memory| memory.words(prefix)) else { return };
    assert_eq!(first.len(), 1, "the token for the vault, and nothing of the assertion that it was got with");
    vault.revoke_tokens();
    vault.set_secret("db", &values[1]);
    agent.signal(libc::SIGHUP);
    wait_for_value(&agent, &work, &values[1]);
    let second = memory(&agent).unwrap().words(prefix);
    assert_eq!(second.len(), 1, "the new token only");
    assert_ne!(first, second);
}
