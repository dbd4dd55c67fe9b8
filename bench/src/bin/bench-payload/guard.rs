//! `guard`: nothing that is started to be measured outlives the measurement, however that ends.

use nix::sys::{prctl, signal::Signal};
use std::{io, os::unix::process::CommandExt as _, process::Command};

/// Becomes `program`. The wish to be killed with the parent survives execve(2).
pub(crate) fn guard(program: &[&str]) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    Err(Command::new(program[0]).args(&program[1..]).exec())
}
