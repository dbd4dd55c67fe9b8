//! Every kind of volume, and everything that can happen to one.

use super::support::{Agent, Running, Volume, Workdir, process, read_env_file, secret};
use std::{fs, path::Path};

fn start<'w>(work: &'w Workdir, mount: &Path, env: &str) -> Running<'w> {
    Agent::sidecar(work).set("MOUNT", mount).set("ENV", env).env_file().start()
}

fn wait_for_value(agent: &Running<'_>, work: &Workdir, label: &str) {
    agent.wait_until(&format!("the value {label:?}"), || {
        let found = read_env_file(&work.path("out/app.env"))?;
        (found.get("SECRET") == Some(&secret(label))).then_some(())
    });
}

#[test]
fn a_secret_that_leaves_the_set_keeps_its_last_value_until_it_is_back() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("other", "x")]);
    let agent = start(&work, volume.dir(), "SECRET=db");
    wait_for_value(&agent, &work, "one");
    volume.rotate(&[("other", "x")]);
    let problem = agent.wait_for_problem("SECRET");
    assert!(problem.contains("no file 'db'"), "{problem}");
    wait_for_value(&agent, &work, "one");
    assert_eq!(agent.status()["ready"], true, "the app has its set");
    volume.rotate(&[("other", "x"), ("db", "two")]);
    wait_for_value(&agent, &work, "two");
    agent.wait_until_well();
}

#[test]
fn other_secrets_that_come_and_go_are_no_change() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = start(&work, volume.dir(), "SECRET=db");
    agent.wait_until_ready();
    for others in [&[("db", "one"), ("new", "x")][..], &[("db", "one"), ("new", "y")], &[("db", "one")]] {
        volume.rotate(others);
        agent.wait_for_generation(&volume.generation());
    }
    let status = agent.status();
    assert_eq!((&status["changes"], &status["problems"]), (&0.into(), &serde_json::json!([])));
}

#[test]
fn a_secret_that_is_late_is_waited_for() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("other", "x")]);
    let agent = start(&work, volume.dir(), "SECRET=db,OTHER=other");
    agent.wait_for_problem("no file 'db'");
    assert!(!work.path("out/app.env").exists(), "nothing is written before the set is complete");
    assert_eq!(agent.request("GET", "/readyz").status, 503);
    volume.rotate(&[("other", "x"), ("db", "one")]);
    wait_for_value(&agent, &work, "one");
}

#[test]
fn a_mount_that_appears_after_the_start_is_found() {
    let work = Workdir::new();
    let agent = start(&work, &work.path("secrets"), "SECRET=db");
    agent.wait_for_problem("does not exist");
    let volume = Volume::empty(&work);
    volume.rotate(&[("db", "one")]);
    wait_for_value(&agent, &work, "one");
    volume.rotate(&[("db", "two")]);
    wait_for_value(&agent, &work, "two");
}

#[test]
fn a_mount_that_is_made_anew_is_followed() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = start(&work, volume.dir(), "SECRET=db");
    wait_for_value(&agent, &work, "one");
    fs::remove_dir_all(volume.dir()).unwrap();
    agent.wait_for_problem("does not exist");
    wait_for_value(&agent, &work, "one");
    let volume = Volume::empty(&work);
    volume.rotate(&[("db", "two")]);
    wait_for_value(&agent, &work, "two");
    agent.wait_until_well();
    volume.rotate(&[("db", "three")]);
    wait_for_value(&agent, &work, "three");
}

#[test]
fn a_mount_that_is_replaced_by_another_one_is_followed() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = start(&work, volume.dir(), "SECRET=db");
    wait_for_value(&agent, &work, "one");
    // The agent finds the other one in its place, and never a moment without any.
    agent.signal(libc::SIGSTOP);
    agent.wait_until("it stands still", || process::stat(agent.pid()).filter(|stat| stat.state == 'T'));
    fs::rename(volume.dir(), work.path("before")).unwrap();
    let volume = Volume::empty(&work);
    volume.rotate(&[("db", "two")]);
    agent.signal(libc::SIGCONT);
    wait_for_value(&agent, &work, "two");
    volume.rotate(&[("db", "three")]);
    wait_for_value(&agent, &work, "three");
}

#[test]
fn a_volume_of_the_kubelet_is_followed() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    volume.rotate_as_kubelet(&[("db", "one"), ("nested/key", "x")]);
    let agent = start(&work, volume.dir(), "SECRET=db,NESTED=mount:nested/key");
    wait_for_value(&agent, &work, "one");
    volume.rotate_as_kubelet(&[("db", "two"), ("nested/key", "x")]);
    wait_for_value(&agent, &work, "two");
    // A name that is new gets its link only after the switch.
    volume.rotate_as_kubelet(&[("nested/key", "x")]);
    agent.wait_for_problem("SECRET");
    volume.rotate_as_kubelet(&[("db", "three"), ("nested/key", "x")]);
    wait_for_value(&agent, &work, "three");
    agent.wait_until_well();
}

#[test]
fn a_plain_directory_is_followed() {
    let work = Workdir::new();
    let mount = work.make_dir("plain");
    work.write("plain/db", secret("one"));
    let agent = start(&work, &mount, "SECRET=db");
    wait_for_value(&agent, &work, "one");
    // Written in place.
    work.write("plain/db", secret("two"));
    wait_for_value(&agent, &work, "two");
    // Written beside and moved over.
    work.write("plain/db.new", secret("three"));
    fs::rename(work.path("plain/db.new"), work.path("plain/db")).unwrap();
    wait_for_value(&agent, &work, "three");
    fs::remove_file(work.path("plain/db")).unwrap();
    agent.wait_for_problem("SECRET");
    wait_for_value(&agent, &work, "three");
    work.write("plain/db", secret("four"));
    wait_for_value(&agent, &work, "four");
}

#[test]
fn a_plain_directory_that_becomes_an_atomic_volume_is_followed() {
    let work = Workdir::new();
    work.make_dir("secrets");
    let agent = start(&work, &work.path("secrets"), "SECRET=db");
    agent.wait_for_problem("is empty");
    let volume = Volume::empty(&work);
    for label in ["one", "two", "three"] {
        volume.rotate(&[("db", label)]);
        wait_for_value(&agent, &work, label);
    }
}

#[test]
fn a_link_to_the_mount_is_as_good_as_the_mount() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    std::os::unix::fs::symlink(volume.dir(), work.path("link")).unwrap();
    let agent = start(&work, &work.path("link"), "SECRET=db");
    wait_for_value(&agent, &work, "one");
    volume.rotate(&[("db", "two")]);
    wait_for_value(&agent, &work, "two");
}

#[test]
fn an_empty_value_is_a_value() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    volume.write_raw(&[("db", "")]);
    let agent = start(&work, volume.dir(), "SECRET=db");
    agent.wait_until("an empty value", || (work.read("out/app.env") == "export SECRET=''\n").then_some(()));
}
