//! How the old child goes and the new one comes.

use super::support::{
    Agent, Finished, LEAVE_GROUP, Ready, Running, Volume, Workdir, process, secret, test_app,
};
use std::fs;

/// An agent with a test-app, and with a volume whose secret is `one`, after the first start.
fn start<'w>(work: &'w Workdir, volume: &Volume, yaml: &str, arguments: &[&str]) -> Running<'w> {
    let app = test_app();
    let program: Vec<&str> =
        [&*app, "--print", "SECRET"].into_iter().chain(arguments.iter().copied()).collect();
    let agent = Agent::exec(work, &program).mount(volume, "SECRET=db").yaml(yaml).start();
    agent.wait_for_start(1);
    agent.wait_until_ready();
    agent
}

fn values(ended: &Finished) -> Vec<&str> {
    ended.out.lines().filter_map(|line| line.strip_prefix("env SECRET='")?.strip_suffix('\'')).collect()
}

#[test]
fn the_old_child_is_gone_before_the_new_one_starts() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "0")]);
    let agent = start(&work, &volume, "", &["--log", "log", "--roll-call"]);
    for count in 1..=5 {
        volume.rotate(&[("db", &count.to_string())]);
        agent.wait_for_start(count + 1);
    }
    let ended = agent.stop().expect(0);
    assert!(!ended.out.contains("alive"), "{}", ended.scene);
    assert_eq!(ended.out.matches("ended ").count(), 6, "each in its own way:\n{}", ended.scene);
}

#[test]
fn what_the_old_child_has_started_is_gone_as_well() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    // One member of the group takes its time, the other one does not listen at all.
    let arguments = [
        "--log",
        "log",
        "--roll-call",
        "--spawn",
        "--log log --stop-when released",
        "--spawn",
        "--log log --stop-on 0",
    ];
    let agent = start(&work, &volume, "onChange: [{restart: {grace: 500ms}}]\n", &arguments);
    let started = |count| move |text: &str| Ready::all_in(text).len() >= count;
    agent.wait_until("three members", || started(3)(&work.read("log")).then_some(()));
    volume.rotate(&[("db", "two")]);
    agent.wait_until("all told", || (work.read("log").matches("signal 15\n").count() == 3).then_some(()));
    work.write("released", "");
    agent.wait_until("three more", || started(6)(&work.read("log")).then_some(()));
    let ended = agent.stop().expect(0);
    assert!(!ended.out.contains("alive"), "{}", ended.scene);
    assert_eq!(values(&ended), [secret("one"), secret("two")]);
}

#[test]
fn a_member_whose_parent_left_the_group_does_not_hold_up_the_restart() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = test_app();
    // The middle process goes to a group of its own and leaves a child of its own in the old one, whose end
    // nobody but itself is told of.
    let script = format!(
        "{app} --log middle --own-group --into $$ --spawn '--log member --stop-when released' & \
         exec {app} --print SECRET --log leader"
    );
    let agent = Agent::exec(&work, &["sh", "-c", &script])
        .mount(&volume, "SECRET=db")
        .yaml("onChange: [{restart: {grace: 2s}}]\n")
        .start();
    let leader = agent.wait_until("the leader", || Ready::all_in(&work.read("leader")).first().copied());
    let member = agent.wait_until("its member", || Ready::all_in(&work.read("member")).first().copied());
    assert_eq!(member.group, leader.pid, "{}", agent.scene());
    volume.rotate(&[("db", "two")]);
    agent.wait_until("the leader's end", || work.read("leader").contains("ended").then_some(()));
    agent.wait_until("the member is told", || work.read("member").contains("signal 15").then_some(()));
    work.write("released", "");
    agent.wait_for_line(&format!("env SECRET='{}'", secret("two")));
}

#[test]
fn a_child_that_has_left_its_group_is_stopped_and_killed_all_the_same() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = test_app();
    let agent = Agent::exec(&work, &["python3", LEAVE_GROUP, &app, "--print", "SECRET", "--stop-on", "3"])
        .mount(&volume, "SECRET=db")
        .yaml("onChange: [{restart: {signal: QUIT, grace: 1m}}]\n")
        .start();
    let child = agent.wait_for_start(1);
    assert_ne!(child.group, child.pid, "{}", agent.scene());
    volume.rotate(&[("db", "two")]);
    agent.wait_for_start(2);
    // Of SIGTERM it does not end.
    agent.signal(libc::SIGTERM);
    agent.wait_for_signal(libc::SIGTERM);
    agent.signal(libc::SIGTERM);
    let ended = agent.wait().expect(137);
    assert_eq!(values(&ended), [secret("one"), secret("two")]);
}

#[test]
fn the_stop_signal_can_be_chosen() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let yaml = "onChange: [{restart: {signal: QUIT, grace: 1m}}]\n";
    let agent = start(&work, &volume, yaml, &["--stop-on", "3"]);
    volume.rotate(&[("db", "two")]);
    agent.wait_for_start(2);
    agent.signal(libc::SIGQUIT);
    let ended = agent.wait().expect(0);
    assert!(!ended.out.contains("signal 15"), "{}", ended.scene);
    assert_eq!(values(&ended), [secret("one"), secret("two")]);
}

#[test]
fn a_child_that_does_not_stop_in_time_is_killed() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let yaml = "onChange: [{restart: {grace: 200ms}}]\n";
    let agent = start(&work, &volume, yaml, &["--stop-on", "0", "--log", "log", "--roll-call"]);
    volume.rotate(&[("db", "two")]);
    agent.wait_for_start(2);
    agent.wait_for_line(&format!("env SECRET='{}'", secret("two")));
    assert_eq!(agent.signals().first(), Some(&libc::SIGTERM), "it was asked first: {}", agent.scene());
    assert!(!agent.out().contains("alive"), "{}", agent.scene());
}

#[test]
fn a_stopped_child_is_restarted_too() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = start(&work, &volume, "", &[]);
    let child = agent.starts()[0].pid;
    process::send(child, libc::SIGSTOP);
    agent.wait_until("it is stopped", || process::stat(child).filter(|stat| stat.state == 'T'));
    volume.rotate(&[("db", "two")]);
    agent.wait_for_start(2);
    assert!(agent.out().contains(&format!("ended {child}\n")), "in its own way: {}", agent.scene());
}

/// Waits until the process has this signal pending: it was sent, and is not taken as long as the process
/// only waits to be released.
fn wait_until_pending(agent: &Running<'_>, pid: i32, signal: i32) {
    agent.wait_until(&format!("signal {signal} is pending"), || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let mask = status.lines().find_map(|line| line.strip_prefix("ShdPnd:\t"))?;
        let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
        (mask >> (signal - 1) & 1 == 1).then_some(())
    });
}

#[test]
fn sigterm_during_a_restart_ends_with_the_childs_code() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = start(&work, &volume, "", &["--stop-when", "released", "--code", "23"]);
    volume.rotate(&[("db", "two")]);
    agent.wait_for_signal(libc::SIGTERM);
    agent.signal(libc::SIGTERM);
    wait_until_pending(&agent, agent.starts()[0].pid, libc::SIGTERM);
    work.write("released", "");
    let ended = agent.wait().expect(23);
    assert_eq!(values(&ended), [secret("one")], "nothing is started on the way out\n{}", ended.scene);
}

#[test]
fn sigint_during_a_restart_does_not_make_the_first_sigterm_the_second() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = start(&work, &volume, "", &["--stop-when", "released", "--code", "23"]);
    volume.rotate(&[("db", "two")]);
    agent.wait_for_signal(libc::SIGTERM);
    let child = agent.starts()[0].pid;
    for signal in [libc::SIGINT, libc::SIGTERM] {
        agent.signal(signal);
        wait_until_pending(&agent, child, signal);
    }
    work.write("released", "");
    let ended = agent.wait().expect(23);
    assert_eq!(values(&ended), [secret("one")], "{}", ended.scene);
}

#[test]
fn the_second_sigterm_during_a_restart_kills() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = start(&work, &volume, "", &["--stop-when", "released"]);
    volume.rotate(&[("db", "two")]);
    agent.wait_for_signal(libc::SIGTERM);
    agent.signal(libc::SIGTERM);
    wait_until_pending(&agent, agent.starts()[0].pid, libc::SIGTERM);
    agent.signal(libc::SIGTERM);
    let ended = agent.wait().expect(137);
    assert_eq!(values(&ended), [secret("one")], "{}", ended.scene);
}

#[test]
fn sigterm_after_the_child_but_before_the_last_of_its_group_ends_at_once() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let arguments = ["--code", "5", "--log", "log", "--spawn", "--log log --stop-on 0"];
    let agent = start(&work, &volume, "onChange: [{restart: {grace: 1m}}]\n", &arguments);
    agent.wait_until("the member", || (Ready::all_in(&work.read("log")).len() == 2).then_some(()));
    let member = Ready::all_in(&work.read("log")).into_iter().find(|one| one.pid != one.group).unwrap();
    volume.rotate(&[("db", "two")]);
    let child = member.group;
    agent.wait_until("the child is gone", || process::stat(child).is_none().then_some(()));
    agent.signal(libc::SIGTERM);
    let ended = agent.wait().expect(5);
    assert_eq!(values(&ended), [secret("one")], "{}", ended.scene);
    super::support::eventually("the member is killed", || (!process::is_running(member.pid)).then_some(()));
}

#[test]
fn a_change_during_a_restart_gives_the_newest_set() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = start(&work, &volume, "", &["--stop-when", "released"]);
    volume.rotate(&[("db", "two")]);
    agent.wait_for_signal(libc::SIGTERM);
    volume.rotate(&[("db", "three")]);
    agent.wait_for_generation(&volume.generation());
    work.write("released", "");
    agent.wait_for_start(2);
    volume.rotate(&[("db", "four")]);
    agent.wait_for_start(3);
    let ended = agent.stop().expect(0);
    assert_eq!(values(&ended), [secret("one"), secret("three"), secret("four")], "{}", ended.scene);
}

#[test]
fn a_child_that_cannot_be_started_again_ends_the_agent() {
    let work = Workdir::executable();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = work.path("app");
    fs::copy(test_app(), &app).unwrap();
    let agent = Agent::exec(&work, &[&app]).mount(&volume, "SECRET=db").start();
    agent.wait_for_start(1);
    agent.wait_until_ready();
    fs::remove_file(&app).unwrap();
    volume.rotate(&[("db", "two")]);
    let ended = agent.wait().expect(127);
    assert_eq!(ended.complaints().len(), 1, "{}", ended.scene);
}

#[test]
fn a_burst_of_changes_makes_few_restarts_and_ends_with_the_last() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "0")]);
    let agent = start(&work, &volume, "", &[]);
    for count in 1..=100 {
        volume.rotate(&[("db", &count.to_string())]);
    }
    agent.wait_for_line(&format!("env SECRET='{}'", secret("100")));
    let ended = agent.stop().expect(0);
    assert_eq!(values(&ended).last(), Some(&&*secret("100")), "{}", ended.scene);
    assert!(values(&ended).len() <= 12, "{}", ended.scene);
}
