//! A process that was started, and news of all processes that are ours to reap.

use super::ended::Ended;
use crate::sys;
use nix::unistd::{Pid, getpgid};
use std::{fmt, io};

/// A child that was started. Its id means it until it is reaped, and its process group for as long as that
/// has a member; after that it must not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Child {
    pid: i32,
    is_reaped: bool,
}

impl fmt::Display for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pid.fmt(f)
    }
}

impl Child {
    pub(super) fn new(pid: i32) -> Self {
        Self { pid, is_reaped: false }
    }

    /// What is left when it has been reaped: its process group.
    #[must_use]
    pub fn reaped(self) -> Self {
        Self { is_reaped: true, ..self }
    }

    /// The process id.
    pub fn pid(self) -> i32 {
        self.pid
    }

    /// The process group that it leads.
    pub fn group(self) -> Pid {
        Pid::from_raw(self.pid)
    }

    /// Signals the child alone. That it is gone already is no error: its end is about to be reaped.
    pub fn signal(self, signal: i32) -> io::Result<()> {
        ignore_gone(sys::kill(self.pid, signal))
    }

    /// Signals the child's whole process group, and the child itself if it has moved to another one.
    pub fn signal_group(self, signal: i32) -> io::Result<()> {
        let group = ignore_gone(sys::kill(-self.pid, signal));
        if self.has_left_group() { group.and(self.signal(signal)) } else { group }
    }

    /// Asked after the group was signalled: whoever leaves it in between gets the signal twice rather than never.
    fn has_left_group(self) -> bool {
        !self.is_reaped && getpgid(Some(self.group())).is_ok_and(|group| group != self.group())
    }

    /// Whether nobody of its process group is left. A process that has ended counts until it is reaped.
    pub fn is_group_empty(self) -> bool {
        sys::kill(-self.pid, 0).is_err_and(|error| error.raw_os_error() == Some(libc::ESRCH))
    }
}

fn ignore_gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        other => other,
    }
}

/// What became of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It has ended and is reaped.
    Ended(Ended),
    /// This signal has stopped it.
    Stopped(i32),
    /// It goes on.
    Continued,
}

impl Change {
    fn from_wait_status(status: i32) -> Self {
        if libc::WIFSTOPPED(status) {
            Self::Stopped(libc::WSTOPSIG(status))
        } else if libc::WIFCONTINUED(status) {
            Self::Continued
        } else {
            Self::Ended(Ended::from_wait_status(status))
        }
    }
}

/// What has become of one process, ours or adopted, and its id. One that has ended is reaped by that. `None`:
/// there is no other news.
pub fn reap() -> Option<(i32, Change)> {
    let (pid, status) = sys::wait_any()?;
    Some((pid, Change::from_wait_status(status)))
}
