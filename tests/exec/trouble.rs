//! What goes wrong around a child that has done nothing wrong.

use super::support::{Agent, Ready, Volume, Workdir, process, secret, test_app};
use dev_vault::{Action, DevVault, Endpoint, Fault};

#[test]
fn a_zombie_that_its_parent_leaves_does_not_hold_up_the_restart() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = test_app();
    // The middle process goes to a group of its own and leaves a child of its own in the old one.
    let script = format!(
        "{app} --log middle --own-group --into $$ --spawn '--log member' & \
         exec {app} --print SECRET --log leader"
    );
    let agent = Agent::exec(&work, &["sh", "-c", &script])
        .mount(&volume, "SECRET=db")
        .yaml("onChange: [{restart: {grace: 1s}}]\n")
        .start();
    let ready = |log: &str| Ready::all_in(&work.read(log)).first().copied();
    let [leader, middle, member] =
        ["leader", "middle", "member"].map(|log| agent.wait_until(&format!("the {log}"), || ready(log)));
    assert_eq!((member.group, middle.group), (leader.pid, middle.pid), "{}", agent.scene());
    agent.wait_until_ready();
    // A parent that is stopped reaps nobody.
    process::send(middle.pid, libc::SIGSTOP);
    agent.wait_until("it is stopped", || process::stat(middle.pid).filter(|stat| stat.state == 'T'));
    volume.rotate(&[("db", "two")]);
    agent.wait_for_line(&format!("env SECRET='{}'", secret("two")));
    let left = process::stat(member.pid).expect("it was not reaped");
    assert_eq!((left.state, left.group), ('Z', leader.pid), "{}", agent.scene());
    // What is still being started when the agent is killed would be left behind.
    agent.wait_until("the new member", || Ready::all_in(&work.read("member")).get(1).copied());
}

#[test]
fn a_child_that_cannot_be_killed_is_reported_until_it_ends() {
    if !nix::unistd::geteuid().is_root() {
        return; // Nobody else can start what is then out of reach.
    }
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let script = "echo started $$; exec sleep 600";
    let agent = Agent::exec(&work, &["setpriv", "--reuid=65534", "sh", "-c", script])
        .mount(&volume, "SECRET=db")
        .yaml("onChange: [{restart: {grace: 1s}}]\n")
        .under(&["setpriv", "--bounding-set=-all,+setuid"])
        .start();
    let started = || agent.out().lines().filter(|line| line.starts_with("started")).count();
    agent.wait_until("a child", || (started() == 1).then_some(()));
    agent.wait_until_ready();
    let child = agent.child();
    volume.rotate(&[("db", "two")]);
    let problem = agent.wait_for_problem("has not ended");
    assert!(problem.contains(&child.to_string()), "{problem}");
    process::send(child, libc::SIGKILL);
    agent.wait_until("another child", || (started() == 2).then_some(()));
    agent.wait_until_well();
    assert_eq!(agent.err().matches("has not ended").count(), 1, "{}", agent.scene());
}

#[test]
fn a_child_that_cannot_be_killed_is_reported_at_the_end_as_well() {
    if !nix::unistd::geteuid().is_root() {
        return; // Nobody else can start what is then out of reach.
    }
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = Agent::exec(&work, &["setpriv", "--reuid=65534", "sh", "-c", "echo started; exec sleep 600"])
        .mount(&volume, "SECRET=db")
        .under(&["setpriv", "--bounding-set=-all,+setuid"])
        .start();
    agent.wait_for_line("started");
    agent.wait_until_ready();
    let child = agent.child();
    agent.signal(libc::SIGTERM);
    agent.wait_for_log("could not be signalled");
    agent.signal(libc::SIGTERM);
    let problem = agent.wait_for_problem("has not ended");
    assert!(problem.contains(&child.to_string()), "{problem}");
    process::send(child, libc::SIGKILL);
    agent.wait().expect(128 + libc::SIGKILL);
}

#[test]
fn a_value_that_no_child_could_be_given_leaves_the_old_child_alone() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = Agent::exec(&work, &[&*test_app(), "--print", "SECRET"]).mount(&volume, "SECRET=db").start();
    let child = agent.wait_for_start(1).pid;
    agent.wait_until_ready();
    volume.rotate(&[("db", &"x".repeat(200 * 1024))]);
    let problem = agent.wait_for_problem("128 KiB");
    assert!(problem.contains("SECRET"), "{problem}");
    assert_eq!(agent.status()["child"]["pid"], child);
    assert!(process::is_running(child) && agent.signals().is_empty(), "{}", agent.scene());
    volume.rotate(&[("db", "two")]);
    agent.wait_for_line(&format!("env SECRET='{}'", secret("two")));
    agent.wait_until_well();
    assert_eq!(agent.starts().len(), 2, "{}", agent.scene());
}

#[test]
fn a_token_that_lasts_longer_than_time_does_not_end_the_child() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("one")).start().unwrap();
    let agent = Agent::exec(&work, &[&*test_app(), "--print", "SECRET"])
        .vault(&vault, "SECRET=db")
        .set("POLL_INTERVAL", "1s")
        .start();
    let child = agent.wait_for_start(1).pid;
    let answer = serde_json::json!({
        "token_type": "Bearer",
        "expires_in": i64::MAX,
        "ext_expires_in": i64::MAX,
        "access_token": vault.issue_token(),
    });
    let action =
        Action::Status { status: 200, retry_after: None, body: Some(answer.to_string()), content_type: None };
    vault.faults().push(Fault::new(Endpoint::Token, action).method("POST"));
    vault.revoke_tokens();
    agent.wait_for_problem("token");
    assert_eq!(agent.status()["child"]["pid"], child);
    assert!(process::is_running(child) && agent.signals().is_empty(), "{}", agent.scene());
    vault.faults().clear();
    vault.set_secret("db", &secret("two"));
    agent.wait_for_line(&format!("env SECRET='{}'", secret("two")));
    agent.wait_until_well();
}
