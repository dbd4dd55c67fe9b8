//! Signals another process of the pod.

use super::{
    refusal::Refusal,
    target::{self, Process, TargetError},
};
use crate::{config::Target, sys};
use std::{io, os::fd::OwnedFd, sync::Once};

/// Why a signal did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// There is nobody to signal.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The kernel refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Who was signalled.
#[derive(Debug)]
pub struct Told {
    /// Their process ids; at least one.
    pub pids: Vec<i32>,
    /// Why another one was not.
    pub refused: Option<SignalError>,
}

/// Sends `signal` (0: only tries) to every process that `target` means. It is enough that one got it: those
/// of other users that have the same name are not the app.
///
/// Each is held from before it is looked at again until the signal is sent, so that an id that is reused
/// meanwhile hits nobody else.
pub fn send(target: &Target, signal: i32) -> Result<Told, SignalError> {
    let mut told = Told { pids: Vec::new(), refused: None };
    let mut last = 0;
    for process in target::look(target)? {
        last = process.pid;
        match send_to(process, signal) {
            Ok(()) => told.pids.push(process.pid),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => (),
            Err(error) => told.refused = Some(Refusal::new(process.pid, error).into()),
        }
    }
    match told.refused {
        Some(refused) if told.pids.is_empty() => Err(refused),
        None if told.pids.is_empty() => Err(TargetError::gone(target, last).into()),
        _ => Ok(told),
    }
}

fn send_to(process: Process, signal: i32) -> io::Result<()> {
    let held = Held::hold(process.pid)?;
    if !process.is_running() {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    held.signal(signal)
}

/// A process that is about to be signalled.
#[derive(Debug)]
enum Held {
    /// This one, whatever becomes of its id.
    Process(OwnedFd),
    /// Whoever has this id, where the kernel offers nothing better.
    Id(i32),
}

impl Held {
    fn hold(pid: i32) -> io::Result<Self> {
        match sys::pidfd_open(pid) {
            Err(error) if is_not_offered(&error) => {
                static SAID: Once = Once::new();
                SAID.call_once(|| {
                    tracing::info!(%error, "processes are signalled by their ids, for want of pidfd_open(2)");
                });
                Ok(Self::Id(pid))
            }
            opened => opened.map(Self::Process),
        }
    }

    fn signal(&self, signal: i32) -> io::Result<()> {
        match self {
            Self::Process(fd) => sys::pidfd_send_signal(fd, signal),
            Self::Id(pid) => sys::kill(*pid, signal),
        }
    }
}

/// Whether `pidfd_open(2)` is not there: the kernel is older than 5.3 or not Linux's own, or a seccomp profile
/// does not know the call. The call itself knows no lack of permission.
fn is_not_offered(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_missing_call_is_done_without() {
        for (errno, missing) in
            [(libc::ENOSYS, true), (libc::EPERM, true), (libc::ESRCH, false), (libc::EMFILE, false)]
        {
            assert_eq!(is_not_offered(&io::Error::from_raw_os_error(errno)), missing, "{errno}");
        }
    }

    #[test]
    fn a_process_is_reached_either_way() {
        let parent = nix::unistd::getppid().as_raw();
        Held::hold(parent).unwrap().signal(0).unwrap();
        Held::Id(parent).signal(0).unwrap();
        let error = Held::Id(i32::MAX).signal(0).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
    }
}
