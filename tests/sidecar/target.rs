//! Whom a sidecar signals, and when.

use super::support::{Agent, App, Running, Volume, Workdir, eventually, process, test_app};
use std::{
    fs::{self, File},
    time::{Duration, SystemTime},
};

fn start<'w>(work: &'w Workdir, volume: &Volume, target: String) -> Running<'w> {
    let agent = Agent::sidecar(work)
        .mount(volume, "SECRET=db")
        .env_file()
        .set("ON_CHANGE", "signal:HUP")
        .set("TARGET", target)
        .start();
    agent.wait_until_ready();
    agent
}

/// Without an output, so that nobody knows what an app has read that is started after a change.
fn start_without_output<'w>(work: &'w Workdir, volume: &Volume, target: String) -> Running<'w> {
    let agent = Agent::sidecar(work).mount(volume, "SECRET=db");
    let agent = agent.set("ON_CHANGE", "signal:HUP").set("TARGET", target).start();
    agent.wait_until_ready();
    agent
}

#[test]
fn a_process_is_found_by_name_and_signalled_on_a_change_only() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = App::start(&work, "by-name", &["--stop-on", "0"]);
    let bystander = App::start(&work, "by-other", &["--stop-on", "0"]);
    let agent = start(&work, &volume, App::target(&work, "by-name"));
    // Neither the start nor a set with the same value is a change.
    volume.rotate(&[("db", "one"), ("other", "x")]);
    agent.wait_for_generation(&volume.generation());
    volume.rotate(&[("db", "two")]);
    assert_eq!(app.wait_for_signals(1), [libc::SIGHUP]);
    volume.rotate(&[("db", "three")]);
    assert_eq!(app.wait_for_signals(2), [libc::SIGHUP; 2]);
    assert!(bystander.signals().is_empty());
    agent.wait_for_status("two reactions", |status| status["reactions"] == 2);
    agent.stop().expect(0);
    assert_eq!(app.signals(), [libc::SIGHUP; 2]);
}

#[test]
fn a_process_is_found_by_its_pid_file() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = App::start(&work, "by-pid-file", &["--stop-on", "0"]);
    let file = work.write("app.pid", format!("{}\n", app.pid()));
    let agent = start(&work, &volume, format!("pidfile:{}", file.display()));
    volume.rotate(&[("db", "two")]);
    app.wait_for_signals(1);
    // Another process takes over, as a server does that was restarted.
    let next = App::start(&work, "by-pid-file", &["--stop-on", "0"]);
    work.write("app.pid", next.pid().to_string());
    volume.rotate(&[("db", "three")]);
    assert_eq!(next.wait_for_signals(1), [libc::SIGHUP]);
    assert_eq!(app.signals(), [libc::SIGHUP]);
    drop(agent);
}

#[test]
fn a_process_is_found_by_its_command_line() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    // The same program twice, as two apps of one interpreter are.
    let (log, other) = (work.text("web.log"), work.text("batch.log"));
    let app = App::start(&work, "interpreter", &["--stop-on", "0", "--log", &log]);
    let bystander = App::start(&work, "interpreter", &["--stop-on", "0", "--log", &other]);
    let name = work.unique("interpreter");
    let agent = start(&work, &volume, format!("cmdline:/{name} --stop-on 0 --log .*/web[.]log$"));
    volume.rotate(&[("db", "two")]);
    assert_eq!(app.wait_for_signals(1), [libc::SIGHUP]);
    agent.wait_for_status("a reaction", |status| status["reactions"] == 1);
    assert!(bystander.signals().is_empty());
}

#[test]
fn an_app_that_is_restarted_in_between_is_found_again() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "0")]);
    let agent = start(&work, &volume, App::target(&work, "restarting"));
    for round in 1..=3 {
        let app = App::start(&work, "restarting", &["--stop-on", "0"]);
        volume.rotate(&[("db", &round.to_string())]);
        assert_eq!(app.wait_for_signals(1), [libc::SIGHUP], "round {round}");
        agent.wait_for_status("the reaction", |status| status["reactions"] == round);
        assert_eq!(agent.status()["target"]["pids"], serde_json::json!([app.pid()]));
    }
}

#[test]
fn a_pid_file_that_is_older_than_the_process_means_another_one() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = App::start(&work, "reused", &["--stop-on", "0"]);
    let path = work.write("app.pid", app.pid().to_string());
    let written = |at: SystemTime| File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
    written(SystemTime::now() - Duration::from_secs(3600));
    let agent = start(&work, &volume, format!("pidfile:{}", path.display()));
    volume.rotate(&[("db", "two")]);
    agent.wait_for_problem("the pid file is older than process");
    assert!(app.signals().is_empty());
    written(SystemTime::now());
    assert_eq!(app.wait_for_signals(1), [libc::SIGHUP], "the change is still owed");
    agent.wait_until_well();
}

#[test]
fn an_app_that_has_ended_without_being_reaped_is_not_told() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = App::start(&work, "unreaped", &["--stop-on", "0"]);
    let pid_file = work.write("app.pid", app.pid().to_string());
    process::send(app.pid(), libc::SIGKILL);
    eventually("its end", || process::stat(app.pid()).filter(|stat| stat.state == 'Z'));
    // The kernel would take a signal for it, and so it would count as told.
    let targets = [App::target(&work, "unreaped"), format!("pidfile:{}", pid_file.display())];
    for (count, target) in targets.into_iter().enumerate() {
        let agent = start_without_output(&work, &volume, target);
        volume.rotate(&[("db", &format!("after {count}"))]);
        agent.wait_for_problem("no process");
        assert_eq!(agent.status()["reactions"], 0);
        let next = App::start(&work, "unreaped", &["--stop-on", "0"]);
        work.write("app.pid", next.pid().to_string());
        assert_eq!(next.wait_for_signals(1), [libc::SIGHUP]);
        work.write("app.pid", app.pid().to_string());
    }
    assert!(app.signals().is_empty());
}

#[test]
fn what_the_agent_has_started_itself_is_never_the_target() {
    let work = Workdir::executable();
    let volume = Volume::new(&work, &[("db", "one")]);
    let name = work.unique("own-command");
    fs::copy(test_app(), work.path(&name)).unwrap();
    let command = format!(
        "onChange:\n- command: {{argv: [{}, --stop-on, '0', --log, {}], timeout: 1h}}\n",
        work.text(&name),
        work.text("command")
    );
    let agent = Agent::sidecar(&work)
        .mount(&volume, "SECRET=db")
        .yaml(&command)
        .set("TARGET", format!("process:{name}"))
        .start();
    agent.wait_until_ready();
    volume.rotate(&[("db", "two")]);
    agent.wait_until("the command", || work.read("command").contains("ready").then_some(()));
    let target = agent.status()["target"].clone();
    assert_eq!(target["state"], "absent", "{target:#}");
    assert!(target["detail"].to_string().contains("which the agent itself has started"), "{target:#}");
}

#[test]
fn a_pid_file_that_is_wrong_signals_nobody() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "0")]);
    let app = App::start(&work, "wrong-pid-file", &["--stop-on", "0"]);
    let file = work.path("app.pid");
    let agent = start(&work, &volume, format!("pidfile:{}", file.display()));
    for (count, (content, problem)) in [
        (None, "cannot read the pid file"),
        (Some("0"), "does not hold a process id"),
        (Some("-1"), "does not hold a process id"),
        (Some("not a number"), "does not hold a process id"),
        (Some("2147483647"), "no process"),
    ]
    .into_iter()
    .enumerate()
    {
        if let Some(content) = content {
            work.write("app.pid", content);
        }
        volume.rotate(&[("db", &(count + 1).to_string())]);
        agent.wait_for_status(&format!("{problem:?} for {content:?}"), |status| {
            status["failedReactions"].as_u64() > Some(count as u64)
                && status["problems"].to_string().contains(problem)
        });
    }
    assert!(app.signals().is_empty());
    work.write("app.pid", app.pid().to_string());
    assert_eq!(app.wait_for_signals(1), [libc::SIGHUP], "the change is still owed");
    agent.wait_until_well();
}

#[test]
fn all_processes_of_a_name_are_signalled_but_a_masters_workers_are_not() {
    let work = Workdir::executable();
    let volume = Volume::new(&work, &[("db", "one")]);
    let worker = "--stop-on 0 --log worker";
    // A program of that name and not a link, so that the workers have it as well.
    let name = work.unique("many");
    fs::copy(test_app(), work.path(&name)).unwrap();
    let master = App::start(&work, "many", &["--stop-on", "0", "--spawn", worker, "--spawn", worker]);
    let other = App::start(&work, "many", &["--stop-on", "0"]);
    eventually("two workers", || (work.read("worker").matches("ready").count() == 2).then_some(()));
    for pid in process::children(master.pid()).into_keys() {
        assert_eq!(fs::read_to_string(format!("/proc/{pid}/comm")).unwrap(), format!("{name}\n"));
    }
    let agent = start(&work, &volume, App::target(&work, "many"));
    volume.rotate(&[("db", "two")]);
    other.wait_for_signals(1);
    agent.wait_for_status("a reaction", |status| status["reactions"] == 1);
    assert_eq!(master.wait_for_signals(1), [libc::SIGHUP]);
    assert!(!work.read("worker").contains("signal"), "a master passes on what its workers have to know");
}

#[test]
fn a_target_that_is_missing_is_signalled_when_it_appears() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = start_without_output(&work, &volume, App::target(&work, "late-app"));
    volume.rotate(&[("db", "two")]);
    let problem = agent.wait_for_problem("no process is called 'late-app-");
    assert!(problem.contains("not told of a change"), "{problem}");
    assert!(agent.status()["failedReactions"].as_u64() >= Some(1));
    let app = App::start(&work, "late-app", &["--stop-on", "0"]);
    assert_eq!(app.wait_for_signals(1), [libc::SIGHUP]);
    agent.wait_until_well();
    agent.stop().expect(0);
    assert_eq!(app.signals(), [libc::SIGHUP]);
}

#[test]
fn what_is_owed_stays_reported_while_other_things_happen() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = start(&work, &volume, App::target(&work, "never-there"));
    volume.rotate(&[("db", "two")]);
    agent.wait_for_problem("no process is called 'never-there-");
    let passes = agent.status()["passes"].as_u64().unwrap();
    agent.signal(libc::SIGHUP);
    let status = agent.wait_for_status("another pass", |status| status["passes"].as_u64().unwrap() > passes);
    assert!(status["problems"].to_string().contains("never-there"), "{status:#}");
}

#[test]
fn a_change_while_one_is_owed_is_told_at_once() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = start(&work, &volume, App::target(&work, "owing-app"));
    volume.rotate(&[("db", "two")]);
    agent.wait_for_problem("owing-app");
    let app = App::start(&work, "owing-app", &["--stop-on", "0"]);
    volume.rotate(&[("db", "three")]);
    app.wait_for_signals(1);
    agent.wait_until_well();
    agent.stop().expect(0);
    let signals = app.signals();
    assert!(signals.iter().all(|signal| *signal == libc::SIGHUP) && signals.len() <= 2, "{signals:?}");
}

#[test]
fn each_variable_has_its_own_signal() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("tls", "one"), ("other", "one")]);
    let app = App::start(&work, "rules-app", &["--stop-on", "0"]);
    let agent = Agent::sidecar(&work)
        .mount(&volume, "SECRET=db,TLS_KEY=tls,OTHER=other")
        .env_file()
        .yaml("onChange:\n- {when: [TLS_*], signal: HUP}\n- {when: OTHER, none: true}\n- {signal: USR1}\n")
        .set("TARGET", App::target(&work, "rules-app"))
        .start();
    agent.wait_until_ready();
    volume.rotate(&[("db", "one"), ("tls", "two"), ("other", "one")]);
    assert_eq!(app.wait_for_signals(1), [libc::SIGHUP]);
    volume.rotate(&[("db", "one"), ("tls", "two"), ("other", "two")]);
    agent.wait_for_status("the second change", |status| status["changes"] == 2);
    volume.rotate(&[("db", "two"), ("tls", "two"), ("other", "two")]);
    assert_eq!(app.wait_for_signals(2), [libc::SIGHUP, libc::SIGUSR1]);
    volume.rotate(&[("db", "three"), ("tls", "three"), ("other", "three")]);
    assert_eq!(app.wait_for_signals(4)[2..], [libc::SIGHUP, libc::SIGUSR1]);
}

#[test]
fn without_an_output_the_app_is_signalled_all_the_same() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = App::start(&work, "reads-mount", &["--stop-on", "0"]);
    let agent = Agent::sidecar(&work)
        .mount(&volume, "SECRET=db")
        .set("ON_CHANGE", "signal:USR2")
        .set("TARGET", App::target(&work, "reads-mount"))
        .start();
    agent.wait_until_ready();
    volume.rotate(&[("db", "two")]);
    assert_eq!(app.wait_for_signals(1), [libc::SIGUSR2]);
}
