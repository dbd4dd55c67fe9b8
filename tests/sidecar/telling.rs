//! What happens to a signal that cannot go its usual way.

use super::support::{Agent, App, Ready, Volume, Workdir, eventually, test_app};
use std::{
    fs::{self, File, Permissions},
    io::{self, Write as _},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    process::{Child, Command},
};

/// Anybody but root.
const OTHER_USER: u32 = 65534;

/// A process of another user, killed when a test lets go of it.
pub(super) struct Stranger(Child);

impl Stranger {
    pub(super) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Puts a test-app there that every user can start: a program and not a link to one, which others might not reach.
pub(super) fn install(work: &Workdir, name: &str) {
    fs::set_permissions(work.dir(), Permissions::from_mode(0o711)).unwrap();
    fs::copy(test_app(), work.path(&work.unique(name))).unwrap();
}

/// Starts an installed test-app as another user, whose story is in the file `stranger`.
pub(super) fn start_stranger(work: &Workdir, name: &str) -> Stranger {
    let child = Command::new(work.path(&work.unique(name)))
        .args(["--stop-on", "0"])
        .env_clear()
        .uid(OTHER_USER)
        .gid(OTHER_USER)
        .stdout(File::create(work.path("stranger")).unwrap())
        .spawn()
        .unwrap();
    let stranger = Stranger(child);
    eventually("the other user's app is ready", || Ready::all_in(&work.read("stranger")).first().copied());
    stranger
}

/// Whether the test has to do without another user, which it then says itself and not by a macro, whose output is
/// shown only if it fails.
pub(super) fn is_not_root() -> bool {
    let skipped = !nix::unistd::geteuid().is_root();
    if skipped {
        let _ = writeln!(io::stderr(), "skipped: only root can start a process of another user");
    }
    skipped
}

#[test]
fn one_of_the_same_name_that_refuses_does_not_make_the_others_be_told_twice() {
    if is_not_root() {
        return;
    }
    let work = Workdir::executable();
    install(&work, "refusing");
    let volume = Volume::new(&work, &[("db", "one")]);
    // One on each side, since the order of their ids must not matter.
    let before = App::start(&work, "refusing", &["--stop-on", "0"]);
    let _stranger = start_stranger(&work, "refusing");
    let after = App::start(&work, "refusing", &["--stop-on", "0"]);
    let agent = Agent::sidecar(&work)
        .mount(&volume, "SECRET=db")
        .set("ON_CHANGE", "signal:HUP")
        .set("TARGET", App::target(&work, "refusing"))
        .without_capabilities()
        .start();
    agent.wait_until_ready();
    for (count, label) in [(1, "two"), (2, "three")] {
        volume.rotate(&[("db", label)]);
        let tries = |status: &serde_json::Value| {
            status["reactions"].as_u64().unwrap() + status["failedReactions"].as_u64().unwrap()
        };
        let status = agent.wait_for_status("a try", |status| tries(status) >= count);
        // What failed would be tried again.
        assert_eq!(status["failedReactions"], 0, "{}", agent.scene());
        before.wait_for_signals(count.try_into().unwrap());
        after.wait_for_signals(count.try_into().unwrap());
    }
    agent.wait_for_log("it runs as user 65534");
    agent.wait_until_well();
    agent.stop().expect(0);
    assert_eq!((before.signals(), after.signals()), (vec![libc::SIGHUP; 2], vec![libc::SIGHUP; 2]));
    assert!(!work.read("stranger").contains("signal"));
}

#[test]
fn a_pid_file_that_is_a_fifo_stops_nothing() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let fifo = work.text("app.pid");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let agent = Agent::sidecar(&work)
        .mount(&volume, "SECRET=db")
        .set("ON_CHANGE", "signal:HUP")
        .set("TARGET", format!("pidfile:{fifo}"))
        .start();
    agent.wait_until_ready();
    volume.rotate(&[("db", "two")]);
    let problem = agent.wait_for_problem(&fifo);
    assert!(problem.contains("not a regular file"), "{problem}");
    agent.stop().expect(0);
}

#[test]
fn an_agent_that_is_told_to_end_does_not_wait_with_what_it_owes() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = App::start(&work, "splayed", &["--stop-on", "0"]);
    let agent = Agent::sidecar(&work)
        .mount(&volume, "SECRET=db")
        .env_file()
        .set("ON_CHANGE", "signal:HUP")
        .set("TARGET", App::target(&work, "splayed"))
        .set("SPLAY", "1h")
        .start();
    agent.wait_until_ready();
    volume.rotate(&[("db", "two")]);
    let status = agent.wait_for_status("the change", |status| status["changes"] == 1);
    assert_eq!(status["reactions"], 0, "it waits for its turn");
    agent.stop().expect(0);
    assert_eq!(app.wait_for_signals(1), [libc::SIGHUP]);
}
