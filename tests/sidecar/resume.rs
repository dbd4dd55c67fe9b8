//! An agent that goes and comes back, while the app stays.

use super::support::{Agent, App, Running, Volume, Workdir, secret};

fn start<'w>(work: &'w Workdir, volume: &Volume, app: &str) -> Running<'w> {
    let agent = Agent::sidecar(work)
        .mount(volume, "SECRET=db")
        .env_file()
        .set("ON_CHANGE", "signal:HUP")
        .set("TARGET", App::target(work, app))
        .start();
    agent.wait_until_ready();
    agent
}

#[test]
fn a_restart_of_the_agent_without_a_change_tells_nobody() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = App::start(&work, "resume-same", &["--stop-on", "0"]);
    for _ in 0..3 {
        start(&work, &volume, "resume-same").stop().expect(0);
    }
    // Also when it was killed, and when the mount was written anew meanwhile.
    drop(start(&work, &volume, "resume-same"));
    volume.rotate(&[("db", "one"), ("other", "x")]);
    let agent = start(&work, &volume, "resume-same");
    volume.rotate(&[("db", "two"), ("other", "x")]);
    assert_eq!(app.wait_for_signals(1), [libc::SIGHUP]);
    agent.stop().expect(0);
    assert_eq!(app.signals(), [libc::SIGHUP]);
}

#[test]
fn a_rotation_while_the_agent_was_down_is_told() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = App::start(&work, "resume-missed", &["--stop-on", "0"]);
    start(&work, &volume, "resume-missed").stop().expect(0);
    volume.rotate(&[("db", "two")]);
    let agent = start(&work, &volume, "resume-missed");
    assert_eq!(app.wait_for_signals(1), [libc::SIGHUP]);
    assert_eq!(work.read("out/app.env"), format!("export SECRET='{}'\n", secret("two")));
    agent.stop().expect(0);
    assert_eq!(app.signals(), [libc::SIGHUP]);
}

#[test]
fn a_first_start_tells_nobody() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = App::start(&work, "resume-first", &["--stop-on", "0"]);
    let agent = start(&work, &volume, "resume-first");
    agent.stop().expect(0);
    assert!(app.signals().is_empty(), "{:?}", app.signals());
}

#[test]
fn another_mode_alone_is_put_right_and_tells_nobody() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = App::start(&work, "resume-mode", &["--stop-on", "0"]);
    start(&work, &volume, "resume-mode").stop().expect(0);
    let agent = Agent::sidecar(&work)
        .mount(&volume, "SECRET=db")
        .env_file()
        .set("ENV_FILE_MODE", "0400")
        .set("ON_CHANGE", "signal:HUP")
        .set("TARGET", App::target(&work, "resume-mode"))
        .start();
    agent.wait_until_ready();
    let metadata = std::fs::metadata(work.path("out/app.env")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o7777, 0o400);
    agent.stop().expect(0);
    assert!(app.signals().is_empty(), "{:?}", app.signals());
}

#[test]
fn signals_end_it_with_a_code_that_says_whether_it_had_done_its_work() {
    for (signal, code) in [(libc::SIGTERM, 143), (libc::SIGINT, 130), (libc::SIGQUIT, 131)] {
        let work = Workdir::new();
        let volume = Volume::empty(&work);
        let agent = Agent::sidecar(&work).mount(&volume, "SECRET=db").env_file().start();
        agent.wait_for_problem("is empty");
        agent.signal(libc::SIGHUP);
        agent.wait_for_log("a refresh was asked for");
        agent.signal(signal);
        agent.wait().expect(code);

        volume.rotate(&[("db", "one")]);
        let agent = Agent::sidecar(&work).mount(&volume, "SECRET=db").env_file().start();
        agent.wait_until_ready();
        agent.signal(signal);
        agent.wait().expect(0);
    }
}
