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

/// Sends `signal` (0: only tries) to every process that `target` means; gives their ids.
///
/// Each is held by a pidfd from before it is looked at again until the signal is sent, so that an id that
/// is reused meanwhile hits nobody else.
pub fn send(target: &Target, signal: i32) -> Result<Vec<i32>, SignalError> {
    let mut signalled = Vec::new();
    for pid in target::find(target)? {
        let Ok(handle) = sys::pidfd_open(pid) else { continue };
        if let Target::Process(name) = target
            && !target::is_called(pid, name)
        {
            continue;
        }
        match sys::pidfd_send_signal(&handle, signal) {
            Ok(()) => signalled.push(pid),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => (),
            Err(source) => return Err(SignalError::Refused { pid, source }),
        }
    }
    if signalled.is_empty() {
        // All that were found ended in the meantime.
        let name = match target {
            Target::Process(name) => name.clone(),
            Target::PidFile(path) => path.display().to_string(),
        };
        return Err(TargetError::NoSuchProcess { name, alone: false }.into());
    }
    Ok(signalled)
}
