//! What a change leads to, and what leads to nothing.

use super::support::{Agent, Running, Volume, Workdir, secret, test_app};
use dev_vault::DevVault;
use serde_json::{Value, json};

/// An agent with a test-app that shows both of its secrets, after the first start.
fn start<'w>(work: &'w Workdir, volume: &Volume, yaml: &str) -> Running<'w> {
    let program = [&*test_app(), "--print", "SECRET", "--print", "TLS_KEY"];
    let agent = Agent::exec(work, &program).mount(volume, "SECRET=db,TLS_KEY=tls").yaml(yaml).start();
    agent.wait_for_start(1);
    agent.wait_until_ready();
    agent
}

fn restarts(status: &Value) -> u64 {
    status["child"]["restarts"].as_u64().unwrap_or_default()
}

fn shows(variable: &str, label: &str) -> String {
    format!("env {variable}='{}'", secret(label))
}

#[test]
fn a_change_restarts_the_child_with_the_new_value() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("tls", "key")]);
    let agent = start(&work, &volume, "");
    let first = agent.starts()[0];
    for (count, label) in [(2, "two"), (3, "three"), (4, "four")] {
        volume.rotate(&[("db", label), ("tls", "key")]);
        agent.wait_for_start(count);
        agent.wait_for_line(&shows("SECRET", label));
    }
    let status = agent.wait_for_status("three restarts", |status| restarts(status) == 3);
    assert_ne!(status["child"]["pid"], first.pid);
    assert_eq!(agent.signals(), [15, 15, 15], "{}", agent.scene());
    agent.stop().expect(0);
}

#[test]
fn a_rotation_in_the_vault_restarts_the_child() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("one")).start().unwrap();
    let program = [&*test_app(), "--print", "SECRET"];
    let agent = Agent::exec(&work, &program).vault(&vault, "SECRET=db").set("POLL_INTERVAL", "1s").start();
    agent.wait_for_line(&shows("SECRET", "one"));
    vault.set_secret("db", &secret("two"));
    agent.wait_for_line(&shows("SECRET", "two"));
    agent.stop().expect(0);
}

#[test]
fn mount_and_vault_are_one_set() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("tls", "key one")]);
    let vault = DevVault::builder().secret("db", &secret("db one")).start().unwrap();
    let program = [&*test_app(), "--print", "SECRET", "--print", "TLS_KEY"];
    let agent = Agent::exec(&work, &program)
        .vault(&vault, "SECRET=db,TLS_KEY=mount:tls")
        .set("MOUNT", volume.text())
        .set("POLL_INTERVAL", "off")
        .start();
    agent.wait_for_line(&shows("SECRET", "db one"));
    agent.wait_for_line(&shows("TLS_KEY", "key one"));
    volume.rotate(&[("tls", "key two")]);
    agent.wait_for_line(&shows("TLS_KEY", "key two"));
    vault.set_secret("db", &secret("db two"));
    agent.request("POST", "/v1/refresh");
    agent.wait_for_line(&shows("SECRET", "db two"));
    agent.stop().expect(0);
}

#[test]
fn a_refresh_is_answered_when_the_new_child_is_there() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("one")).start().unwrap();
    // The old child takes its time.
    let program = [&*test_app(), "--stop-when", "released"];
    let agent = Agent::exec(&work, &program).vault(&vault, "SECRET=db").set("POLL_INTERVAL", "off").start();
    agent.wait_for_start(1);
    agent.wait_until_ready();
    vault.set_secret("db", &secret("two"));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| agent.request("POST", "/v1/refresh?timeout=1m"));
        agent.wait_for_signal(libc::SIGTERM);
        let late = agent.request("POST", "/v1/refresh?timeout=300ms");
        let reactions = json!({"done": 0, "failed": 0, "pending": 1});
        assert_eq!((late.status, &late.json()["reactions"]), (202, &reactions), "{}", late.body);
        assert!(!waiting.is_finished());
        work.write("released", "");
        let answer = waiting.join().unwrap();
        let reactions = json!({"done": 1, "failed": 0, "pending": 0});
        assert_eq!((answer.status, &answer.json()["reactions"]), (200, &reactions), "{}", answer.body);
    });
    assert_eq!(agent.status()["child"]["restarts"], 1);
}

#[test]
fn the_same_values_in_a_new_set_change_nothing() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("tls", "key")]);
    let agent = start(&work, &volume, "");
    volume.rotate(&[("db", "one"), ("tls", "key"), ("unrelated", "new")]);
    agent.wait_for_generation(&volume.generation());
    volume.rotate(&[("db", "two"), ("tls", "key")]);
    agent.wait_for_line(&shows("SECRET", "two"));
    let status = agent.wait_for_status("a restart", |status| restarts(status) == 1);
    assert_eq!(status["changes"], 1);
    assert_eq!(agent.starts().len(), 2, "{}", agent.scene());
}

#[test]
fn a_new_version_with_the_same_value_changes_nothing() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("one")).start().unwrap();
    let program = [&*test_app(), "--print", "SECRET"];
    let agent = Agent::exec(&work, &program).vault(&vault, "SECRET=db").set("POLL_INTERVAL", "1s").start();
    agent.wait_for_start(1);
    let version = vault.set_secret("db", &secret("one"));
    agent.wait_for_status("the new version", |status| status["variables"]["SECRET"]["version"] == *version);
    vault.set_secret("db", &secret("two"));
    agent.wait_for_line(&shows("SECRET", "two"));
    assert_eq!(agent.starts().len(), 2, "{}", agent.scene());
}

#[test]
fn a_signal_reaches_the_same_process() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("tls", "key")]);
    let agent = start(&work, &volume, "onChange: signal:USR1\n");
    volume.rotate(&[("db", "two"), ("tls", "key")]);
    agent.wait_for_signal(libc::SIGUSR1);
    let pid = agent.starts()[0].pid;
    let status = agent.wait_for_status("a reaction", |status| status["reactions"] == 1);
    assert_eq!((&status["child"]["pid"], restarts(&status)), (&Value::from(pid), 0));
    agent.stop().expect(0);
}

#[test]
fn each_variable_has_its_own_rule() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("tls", "key one")]);
    let yaml = "onChange:\n- {when: [TLS_*], signal: HUP}\n- {restart: {signal: TERM, grace: 10s}}\n";
    let agent = start(&work, &volume, yaml);
    volume.rotate(&[("db", "one"), ("tls", "key two")]);
    agent.wait_for_signal(libc::SIGHUP);
    volume.rotate(&[("db", "two"), ("tls", "key two")]);
    agent.wait_for_start(2);
    assert_eq!(agent.signals(), [libc::SIGHUP, libc::SIGTERM], "{}", agent.scene());
    // Both at once: the restart covers the signal.
    volume.rotate(&[("db", "three"), ("tls", "key three")]);
    agent.wait_for_start(3);
    agent.wait_for_line(&shows("TLS_KEY", "key three"));
    assert_eq!(agent.signals(), [libc::SIGHUP, libc::SIGTERM, libc::SIGTERM], "{}", agent.scene());
}

#[test]
fn none_leaves_the_child_alone() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("tls", "key")]);
    let agent = start(&work, &volume, "onChange: [{when: SECRET, none: true}, {signal: USR2}]\n");
    volume.rotate(&[("db", "two"), ("tls", "key")]);
    agent.wait_for_status("the change", |status| status["changes"] == 1);
    volume.rotate(&[("db", "two"), ("tls", "another")]);
    agent.wait_for_signal(libc::SIGUSR2);
    assert_eq!(agent.signals(), [libc::SIGUSR2]);
    assert_eq!(agent.starts().len(), 1, "{}", agent.scene());
    agent.stop().expect(0);
}

#[test]
fn sighup_makes_the_agent_read_again_and_reaches_the_child() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("one")).start().unwrap();
    let program = [&*test_app(), "--print", "SECRET"];
    let agent = Agent::exec(&work, &program).vault(&vault, "SECRET=db").set("POLL_INTERVAL", "off").start();
    agent.wait_for_start(1);
    vault.set_secret("db", &secret("two"));
    agent.signal(libc::SIGHUP);
    agent.wait_for_line(&shows("SECRET", "two"));
    assert_eq!(agent.signals(), [libc::SIGHUP, libc::SIGTERM]);
}

#[test]
fn an_env_file_that_an_earlier_run_left_restarts_nothing() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("tls", "key")]);
    work.make_dir("out");
    work.write("out/app.env", format!("export SECRET='{}'\n", secret("before")));
    let program = [&*test_app(), "--print", "SECRET"];
    let agent = Agent::exec(&work, &program).mount(&volume, "SECRET=db").env_file().start();
    agent.wait_for_start(1);
    assert_eq!(work.read("out/app.env"), format!("export SECRET='{}'\n", secret("one")));
    // A child that was started with the newest set has missed nothing.
    volume.rotate(&[("db", "two")]);
    agent.wait_for_line(&shows("SECRET", "two"));
    let status = agent.wait_for_status("a restart", |status| restarts(status) >= 1);
    assert_eq!((restarts(&status), agent.starts().len()), (1, 2), "{}", agent.scene());
}

#[test]
fn the_last_good_set_stays_with_the_child_while_the_mount_is_broken() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("tls", "key")]);
    let agent = start(&work, &volume, "");
    volume.rotate(&[("tls", "key")]);
    let problem = agent.wait_for_problem("SECRET");
    assert!(problem.contains("'db'"), "{problem}");
    volume.rotate(&[("db", "one"), ("tls", "key")]);
    agent.wait_until_well();
    volume.rotate(&[("db", "two"), ("tls", "key")]);
    agent.wait_for_line(&shows("SECRET", "two"));
    assert_eq!(agent.starts().len(), 2, "{}", agent.scene());
}
