//! What changes while no agent is there to tell the app, or while the app is not there to be told.

use super::support::{Agent, App, Volume, Workdir, eventually, process, read_env_file, secret, test_app};
use std::{
    fs,
    os::unix::fs::symlink,
    process::{Child, Command},
};

const RULES: &str =
    "onChange:\n- {when: [TLS_*], signal: HUP}\n- {when: QUIET, none: true}\n- {signal: USR1}\n";
const VARIABLES: &str = "DB=db,QUIET=quiet,TLS_KEY=tls";

fn volume(work: &Workdir) -> Volume {
    Volume::new(work, &[("db", "1"), ("quiet", "1"), ("tls", "1")])
}

/// One that knows a reaction for each variable.
fn agent<'w>(work: &'w Workdir, volume: &Volume, app: &str) -> Agent<'w> {
    let agent = Agent::sidecar(work).mount(volume, VARIABLES).env_file().yaml(RULES);
    agent.set("TARGET", App::target(work, app))
}

/// Waits until it has done all that it means to do at its start, and then ends it.
fn run_until_idle(agent: Agent<'_>) {
    let agent = agent.start();
    agent.wait_until_idle();
    agent.stop().expect(0);
}

/// The kernel tells starts in ticks of ten milliseconds: what is started from now on is later beyond doubt.
fn wait_for_the_next_tick() {
    let tick = || fs::read_to_string("/proc/uptime").unwrap().split(' ').next().unwrap().to_owned();
    for _ in 0..2 {
        let now = tick();
        eventually("the clock's next tick", || (tick() != now).then_some(()));
    }
}

#[test]
fn a_change_while_the_agent_was_down_leads_to_the_reaction_of_its_variable_and_no_other() {
    for (what, files, expected) in [
        ("TLS_KEY", [("db", "1"), ("quiet", "1"), ("tls", "2")], vec![libc::SIGHUP]),
        ("DB", [("db", "2"), ("quiet", "1"), ("tls", "1")], vec![libc::SIGUSR1]),
        ("QUIET", [("db", "1"), ("quiet", "2"), ("tls", "1")], vec![]),
        ("DB TLS_KEY", [("db", "2"), ("quiet", "1"), ("tls", "2")], vec![libc::SIGHUP, libc::SIGUSR1]),
    ] {
        let work = Workdir::new();
        let volume = volume(&work);
        let app = App::start(&work, "missed", &["--stop-on", "0"]);
        run_until_idle(agent(&work, &volume, "missed"));
        volume.rotate(&files);
        let next = agent(&work, &volume, "missed").start();
        next.wait_until_idle();
        next.wait_for_log(&format!("missed={}", if what.contains(' ') { "\"DB" } else { what }));
        assert_eq!(app.wait_for_signals(expected.len()), expected, "{what}");
        next.stop().expect(0);
        // And once only.
        run_until_idle(agent(&work, &volume, "missed"));
        assert_eq!(app.signals(), expected, "{what}");
    }
}

#[test]
fn variables_that_came_or_went_while_the_agent_was_down_are_changes() {
    let work = Workdir::new();
    let volume = volume(&work);
    let app = App::start(&work, "missed-set", &["--stop-on", "0"]);
    run_until_idle(agent(&work, &volume, "missed-set").set("ENV", "DB=db,QUIET=quiet"));
    run_until_idle(agent(&work, &volume, "missed-set"));
    assert_eq!(app.wait_for_signals(1), [libc::SIGHUP], "TLS_KEY is new");
    run_until_idle(agent(&work, &volume, "missed-set").unset("ENV").set("ENV", "QUIET=quiet,TLS_KEY=tls"));
    assert_eq!(app.wait_for_signals(2)[1..], [libc::SIGUSR1], "DB is gone");
    run_until_idle(agent(&work, &volume, "missed-set").set("ENV", "QUIET=quiet,TLS_KEY=tls"));
    assert_eq!(app.signals().len(), 2);
}

#[test]
fn an_agent_that_is_killed_between_writing_and_telling_leaves_the_telling_to_the_next() {
    let work = Workdir::new();
    let volume = volume(&work);
    let app = App::start(&work, "untold", &["--stop-on", "0"]);
    let pid_file = work.path("app.pid");
    let start = || {
        let target = format!("pidfile:{}", pid_file.display());
        let agent =
            Agent::sidecar(&work).mount(&volume, VARIABLES).env_file().yaml(RULES).set("TARGET", target);
        let agent = agent.start();
        agent.wait_until_ready();
        agent
    };
    let first = start();
    volume.rotate(&[("db", "1"), ("quiet", "1"), ("tls", "2")]);
    first.wait_for_problem("cannot read the pid file");
    assert_eq!(read_env_file(&work.path("out/app.env")).unwrap()["TLS_KEY"], secret("2"));
    drop(first);
    // Neither can the second tell it, and a third one gets another change to tell.
    let second = start();
    second.wait_for_problem("cannot read the pid file");
    drop(second);
    volume.rotate(&[("db", "2"), ("quiet", "1"), ("tls", "2")]);
    let third = start();
    third.wait_for_problem("cannot read the pid file");
    fs::write(&pid_file, app.pid().to_string()).unwrap();
    let mut told = app.wait_for_signals(2);
    told.sort_unstable();
    assert_eq!(told, [libc::SIGHUP, libc::SIGUSR1]);
    third.wait_until_idle();
    drop(third);
    let fourth = start();
    fourth.wait_until_idle();
    fourth.stop().expect(0);
    assert_eq!(app.signals().len(), 2);
}

#[test]
fn what_waits_for_its_turn_when_the_agent_is_killed_is_told_by_the_next() {
    let work = Workdir::new();
    let volume = volume(&work);
    let app = App::start(&work, "waiting", &["--stop-on", "0"]);
    let first = agent(&work, &volume, "waiting").set("SPLAY", "1h").start();
    first.wait_until_ready();
    volume.rotate(&[("db", "1"), ("quiet", "1"), ("tls", "2")]);
    first.wait_for_status("the change", |status| status["changes"] == 1);
    // Back to what it was: an app that was started in between would have the other value all the same.
    volume.rotate(&[("db", "1"), ("quiet", "1"), ("tls", "1")]);
    first.wait_for_status("that it was taken back", |status| status["changes"] == 2);
    drop(first);
    assert!(app.signals().is_empty());
    run_until_idle(agent(&work, &volume, "waiting"));
    assert_eq!(app.wait_for_signals(1), [libc::SIGHUP]);
}

#[test]
fn without_an_output_there_is_a_state_where_it_has_a_directory() {
    let work = Workdir::new();
    let volume = volume(&work);
    let app = App::start(&work, "reads-mount", &["--stop-on", "0"]);
    let state = work.make_dir("state");
    let agent = || agent(&work, &volume, "reads-mount").unset("ENV_FILE").set("STATE_DIR", &state);
    run_until_idle(agent());
    assert_eq!(work.names("state"), [".akv-agent-state"]);
    volume.rotate(&[("db", "1"), ("quiet", "1"), ("tls", "2")]);
    run_until_idle(agent());
    assert_eq!(app.wait_for_signals(1), [libc::SIGHUP]);
}

#[test]
fn what_changes_between_init_and_sidecar_is_told_and_nothing_else() {
    for (rotated, expected) in [(false, vec![]), (true, vec![libc::SIGHUP])] {
        let work = Workdir::new();
        let volume = volume(&work);
        Agent::init(&work).mount(&volume, VARIABLES).env_file().yaml(RULES).finish().expect(0);
        let app = App::start(&work, "after-init", &["--stop-on", "0"]);
        if rotated {
            volume.rotate(&[("db", "1"), ("quiet", "1"), ("tls", "2")]);
        }
        run_until_idle(agent(&work, &volume, "after-init"));
        assert_eq!(app.wait_for_signals(expected.len()), expected);
    }
}

#[test]
fn an_app_that_is_started_anew_has_nothing_to_be_told() {
    let work = Workdir::new();
    let volume = volume(&work);
    let first = App::start(&work, "anew", &["--stop-on", "0"]);
    let agent_one = agent(&work, &volume, "anew").start();
    agent_one.wait_until_ready();
    drop(first);
    let second = App::start(&work, "anew", &["--stop-on", "0"]);
    agent_one.signal(libc::SIGHUP);
    agent_one.wait_for_status("another pass", |status| status["passes"].as_u64() > Some(1));
    agent_one.stop().expect(0);
    run_until_idle(agent(&work, &volume, "anew"));
    assert!(second.signals().is_empty(), "{:?}", second.signals());
}

#[test]
fn an_app_that_was_started_after_the_outputs_were_written_needs_no_signal() {
    let work = Workdir::new();
    let volume = volume(&work);
    let agent = agent(&work, &volume, "since").start();
    agent.wait_until_ready();
    volume.rotate(&[("db", "2"), ("quiet", "1"), ("tls", "2")]);
    agent.wait_for_status("a try for each", |status| status["failedReactions"].as_u64() >= Some(2));
    wait_for_the_next_tick();
    let app = App::start(&work, "since", &["--stop-on", "0"]);
    agent.wait_until_idle();
    agent.wait_until_well();
    assert!(agent.err().contains("needs no signal"));
    assert!(app.signals().is_empty(), "{:?}", app.signals());
    // It is noted as told.
    drop(agent);
    run_until_idle(self::agent(&work, &volume, "since"));
    assert!(app.signals().is_empty(), "{:?}", app.signals());
}

#[test]
fn all_processes_of_the_app_must_be_new_for_it_to_need_no_signal() {
    let work = Workdir::new();
    let volume = volume(&work);
    let agent = agent(&work, &volume, "partly").set("SPLAY", "1h").start();
    agent.wait_until_ready();
    let old = App::start(&work, "partly", &["--stop-on", "0"]);
    volume.rotate(&[("db", "1"), ("quiet", "1"), ("tls", "2")]);
    agent.wait_for_status("the change", |status| status["changes"] == 1);
    wait_for_the_next_tick();
    let new = App::start(&work, "partly", &["--stop-on", "0"]);
    // What is owed is done now.
    agent.stop().expect(0);
    assert_eq!(old.wait_for_signals(1), [libc::SIGHUP]);
    assert_eq!(new.wait_for_signals(1), [libc::SIGHUP]);
}

/// A script that starts the app when it is told to. It and the app are killed when a test lets go of it.
struct Script(Child);

impl Script {
    fn start(work: &Workdir, app: &str) -> Self {
        let name = work.unique(app);
        symlink(test_app(), work.path(&name)).unwrap();
        // Not the last command, which a shell may become instead of starting it.
        let script = format!("until [ -e go ]; do sleep 0.01; done; ./{name} --stop-on 0 > app.out; :");
        let child = Command::new("sh").args(["-c", &script]).current_dir(work.dir()).spawn().unwrap();
        Self(child)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let app = process::children(self.0.id().try_into().unwrap());
        let _ = self.0.kill();
        for pid in app.into_keys() {
            process::send(pid, libc::SIGKILL);
        }
        let _ = self.0.wait();
    }
}

#[test]
fn a_new_app_whose_parent_is_an_old_one_is_signalled() {
    let work = Workdir::executable();
    let volume = volume(&work);
    // It was there before the change, and starts the app after it: with what it read then.
    let _script = Script::start(&work, "child-app");
    let agent = agent(&work, &volume, "child-app").start();
    agent.wait_until_ready();
    volume.rotate(&[("db", "1"), ("quiet", "1"), ("tls", "2")]);
    agent.wait_for_problem("no process is called");
    wait_for_the_next_tick();
    work.write("go", "");
    agent.wait_until("a signal", || work.read("app.out").contains("signal 1\n").then_some(()));
}

#[test]
fn a_file_that_is_read_before_an_app_is_started_proves_nothing() {
    for format in ["kubelet", "docker"] {
        let work = Workdir::new();
        let volume = volume(&work);
        let name = format!("by-{format}");
        let agent = agent(&work, &volume, &name).set("ENV_FILE_FORMAT", format).start();
        agent.wait_until_ready();
        volume.rotate(&[("db", "1"), ("quiet", "1"), ("tls", "2")]);
        agent.wait_for_problem("no process is called");
        wait_for_the_next_tick();
        let app = App::start(&work, &name, &["--stop-on", "0"]);
        assert_eq!(app.wait_for_signals(1), [libc::SIGHUP]);
    }
}

#[test]
fn an_agent_that_ends_because_of_a_change_does_not_end_because_of_it_again() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "1")]);
    let start =
        || Agent::sidecar(&work).mount(&volume, "DB=db").env_file().set("ON_CHANGE", "exit:42").start();
    let first = start();
    first.wait_until_ready();
    volume.rotate(&[("db", "2")]);
    first.wait().expect(42);
    // Nobody was there to see this one.
    volume.rotate(&[("db", "3")]);
    start().wait().expect(42);
    let last = start();
    last.wait_until_idle();
    last.stop().expect(0);
}
