//! The commands beside the three uses: `install`, `probe`, `status`, `check`, and the texts.

#![allow(clippy::unwrap_used)]

#[path = "install/check.rs"]
mod check;
mod support;

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    process::Command,
};
use support::{Agent, Finished, Running, Volume, Workdir, secret};

const AGENT: &str = env!("CARGO_BIN_EXE_akv-agent");

#[test]
fn install_copies_the_running_binary() {
    let work = Workdir::executable();
    let directory = work.make_dir("shared");
    let umask = ["sh", "-c", "umask 077; exec \"$@\"", "sh"];
    let ended = Agent::new(&work, "install").argument(&directory).under(&umask).finish().expect(0);
    let installed = work.path("shared/akv-agent");
    assert_eq!(ended.out, format!("{}\n", installed.display()));
    assert_eq!(work.names("shared"), ["akv-agent"]);
    assert_eq!(fs::metadata(&installed).unwrap().permissions().mode() & 0o7777, 0o755);
    assert!(fs::read(&installed).unwrap() == fs::read(AGENT).unwrap(), "the same bytes");
    let version = Command::new(&installed).arg("--version").output().unwrap();
    assert!(version.status.success() && version.stdout.starts_with(b"akv-agent "));
}

#[test]
fn install_replaces_a_copy_that_is_running() {
    let work = Workdir::executable();
    let directory = work.make_dir("shared");
    let install = || Agent::new(&work, "install").argument(&directory).finish().expect(0);
    install();
    let installed = work.path("shared/akv-agent");
    let volume = Volume::new(&work, &[("db", "one")]);
    // A copy of the agent that waits for as long as it is let live.
    let mut running = Command::new(&installed)
        .args(["exec", "--", "sleep", "1000"])
        .env("AKV_AGENT_MOUNT", volume.dir())
        .env("AKV_AGENT_LISTEN", "off")
        .spawn()
        .unwrap();
    let old = fs::metadata(&installed).unwrap().ino();
    install();
    assert_ne!(fs::metadata(&installed).unwrap().ino(), old);
    assert!(running.try_wait().unwrap().is_none(), "it goes on with the old one");
    support::process::send(i32::try_from(running.id()).unwrap(), libc::SIGTERM);
    let ended = support::eventually("its end", || running.try_wait().unwrap());
    assert_eq!(ended.code(), Some(143));
}

#[test]
fn install_works_from_a_place_that_is_read_only() {
    let work = Workdir::executable();
    let (image, directory) = (work.make_dir("image"), work.make_dir("shared"));
    fs::copy(AGENT, image.join("akv-agent")).unwrap();
    fs::set_permissions(image.join("akv-agent"), fs::Permissions::from_mode(0o555)).unwrap();
    fs::set_permissions(&image, fs::Permissions::from_mode(0o555)).unwrap();
    let output = Command::new(image.join("akv-agent")).arg("install").arg(&directory).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::metadata(directory.join("akv-agent")).unwrap().permissions().mode() & 0o7777, 0o755);
    fs::set_permissions(&image, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn install_into_nowhere_is_an_error() {
    let work = Workdir::executable();
    let locked = work.make_dir("locked");
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    for directory in [work.path("absent"), work.write("file", ""), locked] {
        let agent = Agent::new(&work, "install").argument(&directory).without_capabilities();
        let ended = agent.finish().expect(73);
        let complaints = ended.complaints();
        assert_eq!(complaints.len(), 1, "{}", ended.scene);
        assert!(complaints[0].contains(directory.to_str().unwrap()), "{complaints:?}");
    }
}

/// Asks the running agent by a command of another one.
fn ask(agent: &Running<'_>, work: &Workdir, arguments: &[&str]) -> Finished {
    let (command, others) = arguments.split_first().unwrap();
    Agent::new(work, command).arguments(others).set("LISTEN", agent.address().to_string()).finish()
}

#[test]
fn probes_and_status_ask_the_running_agent() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    let agent = Agent::sidecar(&work).mount(&volume, "SECRET=db").env_file().start();
    agent.wait_for_problem("is empty");
    ask(&agent, &work, &["probe", "live"]).expect(0);
    let ready = ask(&agent, &work, &["probe", "ready"]).expect(1);
    assert!(ready.complaints()[0].contains("SECRET"), "it says what is missing: {}", ready.scene);
    let status = ask(&agent, &work, &["status"]).expect(0);
    assert!(status.out.contains("not ready") && status.out.contains("is empty"), "{}", status.scene);

    volume.rotate(&[("db", "one")]);
    agent.wait_until_ready();
    let ready = ask(&agent, &work, &["probe", "ready"]).expect(0);
    assert_eq!((&*ready.out, &*ready.err), ("", ""), "a probe that succeeds says nothing");
    let status = ask(&agent, &work, &["status"]).expect(0);
    assert!(status.out.starts_with("sidecar "), "{}", status.scene);
    assert!(status.out.contains("SECRET") && status.out.contains("mount file 'db'"), "{}", status.scene);
    let status = ask(&agent, &work, &["status", "--json"]).expect(0);
    let json: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!(json["ready"], true);
    assert!(!status.out.contains(&secret("")));
}

#[test]
fn probes_and_status_say_that_nobody_answers() {
    let work = Workdir::new();
    for (arguments, code) in [(&["probe", "live"][..], 1), (&["probe", "ready"], 1), (&["status"], 69)] {
        let (command, others) = arguments.split_first().unwrap();
        let ended = Agent::new(&work, command).arguments(others).finish().expect(code);
        let complaints = ended.complaints();
        assert!(complaints.len() == 1 && complaints[0].contains("no agent answers"), "{}", ended.scene);
    }
    let ended = Agent::new(&work, "status").set("LISTEN", "off").finish().expect(78);
    assert!(ended.complaints()[0].contains("`listen`"), "{}", ended.scene);
}

#[test]
fn help_and_version_are_printed() {
    let work = Workdir::new();
    for command in ["--help", "-h", "help"] {
        let ended = Agent::new(&work, command).finish().expect(0);
        for part in ["init", "sidecar", "exec", "exit codes", "AKV_AGENT_ENV"] {
            assert!(ended.out.contains(part), "{part}: {}", ended.scene);
        }
    }
    let ended = Agent::new(&work, "--version").finish().expect(0);
    assert_eq!(ended.out, format!("akv-agent {}\n", env!("CARGO_PKG_VERSION")));
}
