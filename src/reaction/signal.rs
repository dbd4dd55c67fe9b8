//! Signals another process of the pod.

use super::target::{self, TargetError};
use crate::{config::Target, sys};
use std::io;

/// Why a signal did not arrive.
#[derive(Debug, thiserror::Error)]
pub enum SignalError {
    /// There is nobody to signal.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The kernel refused.
    #[error("may not signal process {pid}: {}", hint(.source))]
    Refused {
        /// Which process.
        pid: i32,
        /// What the kernel said.
        source: io::Error,
    },
}

fn hint(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EPERM) => {
            "it runs as another user; run the agent with the same `runAsUser`, or add the capability KILL"
                .into()
        }
        _ => error.to_string(),
    }
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
/// Each is held by a pidfd from before it is looked at again until the signal is sent, so that an id that
/// is reused meanwhile hits nobody else.
pub fn send(target: &Target, signal: i32) -> Result<Told, SignalError> {
    let mut told = Told { pids: Vec::new(), refused: None };
    for pid in target::find(target)? {
        match send_to(pid, target, signal) {
            Ok(()) => told.pids.push(pid),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => (),
            Err(source) => told.refused = Some(SignalError::Refused { pid, source }),
        }
    }
    match told.refused {
        Some(refused) if told.pids.is_empty() => Err(refused),
        None if told.pids.is_empty() => Err(nobody(target).into()),
        _ => Ok(told),
    }
}

/// All that were found have ended in the meantime.
fn nobody(target: &Target) -> TargetError {
    match target {
        Target::Process(name) => TargetError::NoSuchProcess { name: name.clone(), alone: false },
        Target::PidFile(path) => TargetError::StalePidFile(path.clone()),
        Target::CommandLine(pattern) => {
            TargetError::NoSuchCommandLine { pattern: pattern.to_string(), alone: false }
        }
    }
}

fn send_to(pid: i32, target: &Target, signal: i32) -> io::Result<()> {
    let handle = sys::pidfd_open(pid)?;
    if !target::is_meant(pid, target) {
        return Err(io::Error::from_raw_os_error(libc::ESRCH));
    }
    sys::pidfd_send_signal(&handle, signal)
}
