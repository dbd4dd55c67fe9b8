//! What ends the agent, and what does not.

use super::support::{Agent, Ready, Volume, Workdir, test_app};

#[test]
fn a_rotation_does_not_start_anew_what_was_told_to_end() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let program = [&*test_app(), "--stop-when", "released", "--code", "9"];
    let agent = Agent::exec(&work, &program).mount(&volume, "SECRET=db").start();
    agent.wait_for_start(1);
    agent.wait_until_ready();
    agent.signal(libc::SIGTERM);
    agent.wait_for_signal(libc::SIGTERM);
    volume.rotate(&[("db", "two")]);
    agent.wait_for_status("the reaction to it", |status| status["reactions"] == 1);
    work.write("released", "");
    let ended = agent.wait().expect(9);
    assert_eq!(Ready::all_in(&ended.out).len(), 1, "{}", ended.scene);
}

#[test]
fn an_agent_that_is_told_to_end_does_not_wait_until_a_restart_is_due() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = Agent::exec(&work, &[&*test_app(), "--code", "9"])
        .mount(&volume, "SECRET=db")
        .set("SPLAY", "1h")
        .start();
    agent.wait_for_start(1);
    agent.wait_until_ready();
    volume.rotate(&[("db", "two")]);
    agent.wait_for_status("a restart is owed", |status| status["owed"][0].is_object());
    let ended = agent.stop().expect(9);
    assert_eq!(Ready::all_in(&ended.out).len(), 1, "{}", ended.scene);
}

#[test]
fn without_a_child_signals_that_programs_ignore_are_ignored() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    let agent = Agent::exec(&work, &["true"]).mount(&volume, "SECRET=db").argument("--no-watch").start();
    agent.wait_for_log("is empty");
    agent.signal(libc::SIGWINCH);
    agent.signal(libc::SIGCHLD);
    // Signals are looked at before the mount is, so what is said of this set comes after them.
    volume.rotate(&[("other", "x")]);
    agent.wait_for_log("has no file 'db'");
    agent.signal(libc::SIGTERM);
    agent.wait().expect(143);
}
