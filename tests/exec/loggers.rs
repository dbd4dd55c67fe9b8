//! A container runtime that does not read what the agent logs.

use super::{
    parent::new_namespaces,
    support::{Agent, Volume, Workdir, test_app},
};
use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, symlink},
    path::Path,
    process::Command,
};

/// Starts the agent with the named pipe `stderr` for its standard error.
const INTO_PIPE: [&str; 4] = ["sh", "-c", r#"exec "$@" 2>stderr"#, "sh"];

/// Both ends of a named pipe that nobody reads.
fn pipe(path: &Path) -> File {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(path).unwrap()
}

/// Leaves no room for another byte.
fn fill(mut pipe: &File) {
    // Small writes after the large ones: a write up to a page is done as a whole or not at all.
    for size in [4096, 1] {
        let error = loop {
            if let Err(error) = pipe.write(&vec![b'.'; size]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    }
}

#[test]
fn a_full_pipe_that_nobody_reads_holds_up_neither_changes_nor_signals() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let pipe = pipe(&work.path("stderr"));
    let agent = Agent::exec(&work, &[&*test_app(), "--code", "3"])
        .mount(&volume, "SECRET=db")
        .set("ON_CHANGE", "signal:USR1")
        .under(&INTO_PIPE)
        .start();
    agent.wait_for_start(1);
    agent.wait_until_ready();
    fill(&pipe);
    // A change is logged before the child is told of it.
    volume.rotate(&[("db", "two")]);
    agent.wait_for_signal(libc::SIGUSR1);
    let ended = agent.stop().expect(3);
    assert!(ended.out.contains("signal 15\n"), "{}", ended.scene);
}

#[test]
fn a_start_that_fails_ends_the_agent_though_nobody_reads_why() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let pipe = pipe(&work.path("stderr"));
    fill(&pipe);
    Agent::exec(&work, &["no-such-app"]).mount(&volume, "SECRET=db").under(&INTO_PIPE).finish().expect(127);
}

#[test]
fn a_restart_that_fails_ends_the_agent_though_nobody_reads_why() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let pipe = pipe(&work.path("stderr"));
    let app = work.path("app");
    symlink(test_app(), &app).unwrap();
    let agent = Agent::exec(&work, &[&app]).mount(&volume, "SECRET=db").under(&INTO_PIPE).start();
    agent.wait_for_start(1);
    agent.wait_until_ready();
    fill(&pipe);
    fs::remove_file(&app).unwrap();
    volume.rotate(&[("db", "two")]);
    agent.wait().expect(127);
}

#[test]
fn the_kubelet_learns_why_before_a_reader_who_is_slow() {
    // Not below /dev, which is replaced.
    let work = Workdir::executable();
    let volume = Volume::new(&work, &[("db", "one")]);
    let mut pipe = pipe(&work.path("stderr"));
    fill(&pipe);
    work.make_dir("dev");
    let message = work.write("dev/termination-log", "");
    let script = r#"mount --bind dev /dev && exec "$@" 2>stderr"#;
    let own_dev = [new_namespaces(&["--mount"]), vec!["sh", "-c", script, "sh"]].concat();
    let agent = Agent::exec(&work, &["no-such-app"]).mount(&volume, "SECRET=db").under(&own_dev).start();
    let expected = "akv-agent: no-such-app: no such program in PATH\n";
    agent.wait_until("the message", || (fs::read_to_string(&message).unwrap() == expected).then_some(()));
    let mut said = Vec::new();
    agent.wait_until("its last words", || {
        // Reads what is there, and then fails because there is no more.
        pipe.read_to_end(&mut said).unwrap_err();
        String::from_utf8_lossy(&said).contains(expected).then_some(())
    });
    agent.wait().expect(127);
}
