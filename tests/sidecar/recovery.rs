//! What was wrong for a while leaves nothing wrong behind.

use super::support::{Agent, Running, Volume, Workdir, free_address, read_env_file, secret};
use dev_vault::DevVault;
use std::fs;

fn value(work: &Workdir, file: &str) -> Option<String> {
    read_env_file(&work.path(file))?.remove("SECRET")
}

fn wait_for_value(agent: &Running<'_>, work: &Workdir, file: &str, label: &str) {
    agent.wait_until(&format!("the value {label:?} in {file}"), || {
        (value(work, file)? == secret(label)).then_some(())
    });
}

#[test]
fn a_value_that_is_taken_back_while_one_output_fails_is_in_all_of_them() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let [a, b] = ["a", "b"].map(|name| work.make_dir(name).display().to_string());
    let yaml = format!("outputs: [{{envFile: {a}/app.env}}, {{envFile: {b}/app.env}}]\n");
    let agent = Agent::sidecar(&work).mount(&volume, "SECRET=db").yaml(&yaml).start();
    agent.wait_until_ready();
    fs::rename(&b, work.path("away")).unwrap();
    volume.rotate(&[("db", "two")]);
    agent.wait_for_problem("cannot write");
    wait_for_value(&agent, &work, "a/app.env", "two");
    // For the agent this is no change: it is the set of which it knows that it was out as a whole.
    volume.rotate(&[("db", "one")]);
    agent.wait_for_generation(&volume.generation());
    fs::rename(work.path("away"), &b).unwrap();
    wait_for_value(&agent, &work, "a/app.env", "one");
    agent.wait_until_well();
    wait_for_value(&agent, &work, "b/app.env", "one");
}

#[test]
fn a_mount_that_is_away_does_not_switch_to_the_vault() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("vault")).start().unwrap();
    let volume = Volume::new(&work, &[("db", "mount")]);
    let agent = Agent::sidecar(&work)
        .vault(&vault, "SECRET=db")
        .set("MOUNT", volume.text())
        .set("POLL_INTERVAL", "1s")
        .env_file()
        .start();
    wait_for_value(&agent, &work, "out/app.env", "mount");
    // So that the vault's value would be at hand.
    agent.wait_for_status("the vault's answer", |status| status["vault"]["lastSuccess"].is_string());
    fs::rename(volume.dir(), work.path("away")).unwrap();
    agent.wait_for_problem(&volume.text());
    // A problem is shown after the outputs of its pass have been written.
    assert_eq!(value(&work, "out/app.env"), Some(secret("mount")), "{}", agent.scene());
    assert_eq!(agent.status()["changes"], 0);
    fs::rename(work.path("away"), volume.dir()).unwrap();
    agent.wait_until_well();
    volume.rotate(&[("db", "next")]);
    wait_for_value(&agent, &work, "out/app.env", "next");
}

#[test]
fn a_file_that_was_spoiled_after_the_start_does_not_spoil_the_probes() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let address = free_address().to_string();
    let good = format!(
        "listen: {address}\nmount: {}\nenv: {{SECRET: db}}\noutputs: [{{envFile: {}}}]\n",
        volume.text(),
        work.text("app.env")
    );
    let agent = Agent::sidecar(&work).yaml(&good).set("LISTEN", address).start();
    agent.wait_until_ready();
    let ask = |arguments: &[&str]| {
        let ask = Agent::new(&work, arguments[0]).unset("LISTEN").arguments(&arguments[1..]);
        ask.argument("--config").argument(work.path("config.yaml")).finish()
    };
    work.write("config.yaml", good + "noSuchKey: 1\n");
    let checked = ask(&["check"]).expect(78);
    assert!(checked.err.contains("noSuchKey"), "{}", checked.scene);
    ask(&["probe", "live"]).expect(0);
    ask(&["probe", "ready"]).expect(0);
    // It was this agent that answered.
    agent.stop().expect(0);
    ask(&["probe", "live"]).expect(1);
}
