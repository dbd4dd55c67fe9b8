//! `restart`: from the switch of a volume to a new process.

use super::watch;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    ffi::OsStr,
    io,
    path::Path,
    process::{Command, ExitCode},
};

/// Runs `program`, and at every switch of `dir` ends it and starts it again.
pub(crate) fn restart(dir: &Path, program: &[&OsStr]) -> io::Result<ExitCode> {
    let inotify = watch::switches(dir)?;
    let mut command = Command::new(program[0]);
    command.args(&program[1..]);
    loop {
        let mut child = command.spawn()?;
        watch::wait(&inotify)?;
        let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
        kill(Pid::from_raw(pid), Signal::SIGTERM)?;
        child.wait()?;
    }
}
