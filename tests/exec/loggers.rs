//! A container runtime that does not read what the agent logs.

use super::support::{Agent, Volume, Workdir, test_app};
use std::{
    fs::{File, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    process::Command,
};

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
        .under(&["sh", "-c", r#"exec "$@" 2>stderr"#, "sh"])
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
