//! The controlling terminal: who has its foreground, and what a shell above us needs to know.
//!
//! The child leads a process group of its own, so that it can be stopped with all it has started. To a shell
//! that has started the agent, both are one job all the same: the child is given what the agent was given, and
//! the agent stops when the child is stopped. Without a controlling terminal none of this does anything.

use crate::{program::child::Child, sys};
use nix::{
    sys::stat::{SFlag, fstat},
    unistd::{Pid, getpgrp, getpid, getppid, getsid, tcgetpgrp, tcsetpgrp},
};
use std::{
    fs::File,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
};

/// What is remembered about the terminal.
#[derive(Debug)]
pub(super) struct Terminal {
    /// Whether the child gets the foreground when the agent has it.
    is_for_child: bool,
}

impl Terminal {
    /// The child gets the terminal without asking if it would read there, unless somebody of our own group has
    /// to have it: who reads our output through a pipe may be a pager. Otherwise it is asked for by the first
    /// use, which the kernel answers with a stop.
    pub(super) fn new() -> Self {
        let is_input = tcgetpgrp(io::stdin()).is_ok();
        let is_pipe = fstat(io::stdout())
            .is_ok_and(|stat| SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFIFO);
        Self { is_for_child: is_input && !is_pipe }
    }

    /// The terminal, if a child that is started now is to have its foreground.
    pub(super) fn for_next(&self) -> Option<OwnedFd> {
        if !self.is_for_child {
            return None;
        }
        open().filter(|terminal| has_foreground(terminal, getpgrp()))
    }

    /// The child has been stopped. Either it can go on with the terminal, or we stop as it did.
    pub(super) fn stopped(&mut self, child: Child, signal: i32) {
        let Some(terminal) = open() else { return };
        let asks = matches!(signal, libc::SIGTTIN | libc::SIGTTOU);
        // Whoever stops in the foreground leaves a person without anybody to type to.
        let concerns_shell = asks || signal == libc::SIGTSTP || has_foreground(&terminal, child.group());
        if asks && has_foreground(&terminal, getpgrp()) {
            self.is_for_child = true;
            self.resume(child);
            let _ = child.signal_group(libc::SIGCONT);
        } else if concerns_shell && is_job() {
            tracing::debug!(signal, "stopping, as the child did");
            // The shell looks at the process that it has started, which need not be us but is of our group.
            let _ = sys::kill(0, libc::SIGSTOP);
        }
    }

    /// The child is about to be continued: if we have been given the foreground, it is for the child.
    pub(super) fn resume(&self, child: Child) {
        if self.is_for_child {
            pass(getpgrp(), child.group());
        }
    }
}

/// The child has ended. What comes from the terminal is for us until there is another one, and after us for
/// whoever has lent it to us, which a script does without noticing.
pub(super) fn take_back(child: Child) {
    pass(child.group(), getpgrp());
}

/// The controlling terminal. It is opened each time: an agent that keeps it open would keep it from closing.
fn open() -> Option<OwnedFd> {
    let flags = libc::O_NOCTTY | libc::O_NONBLOCK | libc::O_CLOEXEC;
    let device = File::options().read(true).write(true).custom_flags(flags).open("/dev/tty");
    // Where there is no such device, standard input may be it by another name.
    let terminal = device.map(OwnedFd::from).or_else(|_| io::stdin().as_fd().try_clone_to_owned()).ok()?;
    tcgetpgrp(&terminal).is_ok().then_some(terminal)
}

fn has_foreground(terminal: &OwnedFd, group: Pid) -> bool {
    tcgetpgrp(terminal) == Ok(group)
}

/// Gives the foreground from one group to another one, if it has it. Needs SIGTTOU to be blocked.
fn pass(from: Pid, to: Pid) {
    if let Some(terminal) = open()
        && has_foreground(&terminal, from)
    {
        let _ = tcsetpgrp(&terminal, to);
    }
}

/// Whether we are a job of a shell, which sees that we stop and can continue us: it has put us into a group of
/// our own within its session. Whoever leads a session, such as PID 1 of a container, has nobody like that.
fn is_job() -> bool {
    let session = getsid(None);
    getpid().as_raw() != 1 && session != Ok(getpgrp()) && session == getsid(Some(getppid()))
}
