//! `exec --no-watch`: the program in the agent's place.

use super::support::{Agent, Finished, Volume, Workdir, process, secret, test_app};
use std::{fs, path::Path, process::Command};

fn agent<'w>(work: &'w Workdir, program: &[&str]) -> Agent<'w> {
    let volume = Volume::new(work, &[("db", "db")]);
    Agent::exec(work, program).mount(&volume, "SECRET=db").argument("--no-watch")
}

fn finish(program: &[&str]) -> Finished {
    agent(&Workdir::new(), program).finish()
}

#[test]
fn nothing_of_the_agent_stays() {
    let work = Workdir::new();
    let app = test_app();
    let agent = agent(&work, &[&app, "--print", "SECRET", "--code", "6"]).start();
    let started = agent.wait_for_start(1);
    assert_eq!(started.pid, agent.pid());
    assert_eq!(started.parent, i32::try_from(std::process::id()).unwrap());
    let executable = fs::read_link(format!("/proc/{}/exe", agent.pid())).unwrap();
    assert_eq!(executable, Path::new(&app).canonicalize().unwrap());
    assert!(process::children(agent.pid()).is_empty());
    let ended = agent.stop().expect(6);
    assert!(ended.out.contains(&format!("env SECRET='{}'\n", secret("db"))), "{}", ended.scene);
}

#[test]
fn descriptors_are_as_without_the_agent() {
    let descriptors = ["sh", "-c", "for f in /proc/self/fd/*; do echo ${f##*/}; done"];
    let plain = Command::new(descriptors[0]).args(&descriptors[1..]).output().unwrap();
    assert_eq!(finish(&descriptors).expect(0).out, String::from_utf8(plain.stdout).unwrap());
}

#[test]
fn the_childs_end_is_the_agents_end() {
    finish(&["sh", "-c", "exit 8"]).expect(8);
    finish(&["sh", "-c", "kill -9 $$"]).expect(-9);
}

#[test]
fn what_cannot_be_started_has_the_shells_codes() {
    for (program, code) in [("no-such-program", 127), ("/no/such/program", 127), ("/etc/passwd", 126)] {
        let ended = finish(&[program]).expect(code);
        let complaints = ended.complaints();
        assert!(complaints.len() == 1 && complaints[0].contains(program), "{}", ended.scene);
    }
}

#[test]
fn without_a_complete_set_nothing_is_started() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "db")]);
    let ended = Agent::exec(&work, &["touch", "started"])
        .mount(&volume, "SECRET=db,OTHER=other")
        .argument("--no-watch")
        .set("TIMEOUT", "200ms")
        .finish()
        .expect(125);
    assert!(!work.path("started").exists(), "{}", ended.scene);
    assert!(ended.complaints().iter().any(|line| line.contains("OTHER")), "{}", ended.scene);
}

#[test]
fn sigterm_before_the_first_set_ends_it() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    let agent = Agent::exec(&work, &["true"]).mount(&volume, "SECRET=db").argument("--no-watch").start();
    agent.wait_for_log("is empty");
    agent.signal(libc::SIGTERM);
    agent.wait().expect(143);
}
