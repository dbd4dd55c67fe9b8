//! `wrap`: the least that a parent process must do to be correct as PID 1.

use nix::{
    errno::Errno,
    sys::{
        prctl,
        signal::{SigSet, Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use std::{
    ffi::OsStr,
    io,
    process::{Command, ExitCode},
};

/// Runs `program`, forwards every standard signal to it, reaps whatever ends, and ends with its code.
pub(crate) fn wrap(program: &[&OsStr]) -> io::Result<ExitCode> {
    let signals: SigSet = Signal::iterator().collect();
    // Blocked before the fork, so that none is lost; the standard library gives the child an empty mask.
    signals.thread_block()?;
    prctl::set_child_subreaper(true)?;
    let child = Command::new(program[0]).args(&program[1..]).spawn()?;
    let child = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
    loop {
        match signals.wait()? {
            Signal::SIGCHLD => {
                if let Some(code) = reap(child)? {
                    return Ok(code);
                }
            }
            signal => kill(child, signal)?,
        }
    }
}

/// Reaps everything that has ended; the exit code if the child was among it.
fn reap(child: Pid) -> io::Result<Option<ExitCode>> {
    loop {
        let code = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => code,
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => 128 + signal as i32,
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(None),
            Ok(_) => continue,
            Err(errno) => return Err(errno.into()),
        };
        return Ok(Some(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX))));
    }
}
