//! What a child finds: signals, descriptors, its process group, and a parent that reaps.

use super::support::{Agent, Ready, Running, Volume, Workdir, process, secret, test_app};
use nix::unistd::geteuid;
use std::process::Command;

/// Makes the agent PID 1 of a namespace.
fn as_pid_1(agent: Agent<'_>) -> Running<'_> {
    agent.under(&new_namespaces(&["--pid", "--fork", "--mount-proc", "--kill-child"])).start()
}

/// A wrapper that starts the agent in namespaces of its own; in that of a user as well where it must be.
pub(super) fn new_namespaces<'a>(options: &[&'a str]) -> Vec<&'a str> {
    let user: &[_] = if geteuid().is_root() { &[] } else { &["--user", "--map-root-user"] };
    [&["unshare"], user, options].concat()
}

/// The agent's id out here.
pub(super) fn inner_pid(agent: &Running<'_>) -> i32 {
    agent.wait_until("the namespace", || process::children(agent.pid()).into_keys().next())
}

fn output_of(program: &[&str], agent: impl FnOnce(Agent<'_>) -> Agent<'_>) -> String {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "db")]);
    agent(Agent::exec(&work, program).mount(&volume, "SECRET=db")).finish().expect(0).out
}

/// What the program prints when the tests start it themselves.
fn output_without_agent(program: &[&str]) -> String {
    let output = Command::new(program[0]).args(&program[1..]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// A shell's own pattern, so that no further process counts its descriptors.
const DESCRIPTORS: &str = "for f in /proc/self/fd/*; do echo ${f##*/}; done";

#[test]
fn no_descriptor_of_the_agent_is_left_open() {
    let program = ["sh", "-c", DESCRIPTORS];
    assert_eq!(output_of(&program, |agent| agent), output_without_agent(&program));
}

#[test]
fn standard_input_and_output_pass_through() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "db")]);
    let content: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
    let input = std::fs::File::open(work.write("input", &content)).unwrap();
    let program = ["sh", "-c", "cat > copy; echo out; echo err >&2"];
    let agent = Agent::exec(&work, &program).mount(&volume, "SECRET=db").stdin(input);
    let ended = agent.finish().expect(0);
    assert_eq!(std::fs::read(work.path("copy")).unwrap(), content);
    assert_eq!(ended.out, "out\n");
    assert!(ended.err.lines().any(|line| line == "err"), "{}", ended.scene);
}

#[test]
fn the_child_leads_a_process_group_of_its_own() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "db")]);
    let agent = Agent::exec(&work, &[test_app()]).mount(&volume, "SECRET=db").start();
    let child = agent.wait_for_start(1);
    assert_eq!((child.parent, child.group), (agent.pid(), child.pid));
}

/// Makes as many orphans as fast as a shell can, then becomes something that stays.
fn orphanage(app: &str) -> String {
    format!("i=0; while [ $i -lt 10000 ]; do (: & ); i=$((i+1)); done; exec {app}")
}

/// Waits until the agent has no children but this one, and no dead ones.
fn wait_for_no_zombies(agent: &Running<'_>, pid: i32) {
    agent.wait_until("no zombies", || {
        let children = process::children(pid);
        (children.len() == 1 && children.values().all(|stat| stat.state != 'Z')).then_some(())
    });
}

#[test]
fn ten_thousand_orphans_are_reaped() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "db")]);
    let program = ["sh", "-c", &orphanage(&test_app())];
    let agent = Agent::exec(&work, &program).mount(&volume, "SECRET=db").start();
    agent.wait_for_start(1);
    wait_for_no_zombies(&agent, agent.pid());
    agent.stop().expect(0);
}

#[test]
fn orphans_that_live_on_come_to_the_agent() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "db")]);
    let app = test_app();
    let script = format!("(setsid {app} --log orphan &); exec {app} --code 3");
    let agent = Agent::exec(&work, &["sh", "-c", &script]).mount(&volume, "SECRET=db").start();
    let orphan = agent.wait_until("an adopted orphan", || {
        let started = Ready::all_in(&work.read("orphan")).first().copied()?;
        process::children(agent.pid()).contains_key(&started.pid).then_some(started.pid)
    });
    agent.wait_for_start(2);
    process::send(orphan, libc::SIGKILL);
    wait_for_no_zombies(&agent, agent.pid());
    agent.stop().expect(3);
}

#[test]
fn as_pid_1_it_forwards_reaps_and_gives_the_childs_code() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "db")]);
    let script = orphanage(&format!("{} --code 9", test_app()));
    let agent = as_pid_1(Agent::exec(&work, &["sh", "-c", &script]).mount(&volume, "SECRET=db"));
    let child = agent.wait_for_start(1);
    assert_eq!(child.parent, 1);
    let inner = inner_pid(&agent);
    wait_for_no_zombies(&agent, inner);
    process::send(inner, libc::SIGUSR2);
    agent.wait_for_signal(libc::SIGUSR2);
    process::send(inner, libc::SIGTERM);
    agent.wait().expect(9);
}

#[test]
fn as_pid_1_it_ends_on_sigterm_before_the_first_set() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    let agent = as_pid_1(Agent::exec(&work, &["true"]).mount(&volume, "SECRET=db"));
    agent.wait_for_problem("is empty");
    process::send(inner_pid(&agent), libc::SIGTERM);
    agent.wait().expect(143);
}

#[test]
fn as_pid_1_it_restarts_the_child() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let program = [&test_app(), "--print", "SECRET", "--spawn", "--stop-when never"];
    let agent = Agent::exec(&work, &program)
        .mount(&volume, "SECRET=db")
        .yaml("onChange: [{restart: {grace: 200ms}}]\n");
    let agent = as_pid_1(agent);
    agent.wait_for_start(2);
    volume.rotate(&[("db", "two")]);
    agent.wait_for_line(&format!("env SECRET='{}'", secret("two")));
    process::send(inner_pid(&agent), libc::SIGTERM);
    agent.wait().expect(0);
}
