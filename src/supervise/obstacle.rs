//! What it means for a supervisor that a child could not be started.

use crate::{failure::ExitCode, program::spawn::StartError};

/// Why a child could not be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// The kernel is short of something, which may pass.
    Busy,
    /// The set is more than the kernel takes.
    TooBig,
    /// There is no way to start the program, and `exec` ends with this code.
    Program(ExitCode),
}

impl From<&StartError> for Obstacle {
    fn from(error: &StartError) -> Self {
        let errno = match error {
            StartError::NotExecutable { source, .. } | StartError::NoProcess { source, .. } => {
                source.raw_os_error()
            }
            StartError::NotFound(_) => None,
        };
        match errno {
            // ETXTBSY: somebody still writes the file.
            Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE | libc::ETXTBSY) => Self::Busy,
            Some(libc::E2BIG) => Self::TooBig,
            _ => Self::Program(error.exit_code()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn what_a_failure_means_follows_from_the_kernels_error() {
        let at_exec = |errno| StartError::NotExecutable {
            program: "app".into(),
            source: io::Error::from_raw_os_error(errno),
        };
        let before = |errno| StartError::NoProcess {
            program: "app".into(),
            source: io::Error::from_raw_os_error(errno),
        };
        for (error, obstacle) in [
            (before(libc::EAGAIN), Obstacle::Busy),
            (before(libc::ENOMEM), Obstacle::Busy),
            (before(libc::EMFILE), Obstacle::Busy),
            (at_exec(libc::ENFILE), Obstacle::Busy),
            (at_exec(libc::ETXTBSY), Obstacle::Busy),
            (at_exec(libc::E2BIG), Obstacle::TooBig),
            (at_exec(libc::EACCES), Obstacle::Program(ExitCode::NOT_EXECUTABLE)),
            (at_exec(libc::ENOEXEC), Obstacle::Program(ExitCode::NOT_EXECUTABLE)),
            (before(libc::EPERM), Obstacle::Program(ExitCode::AGENT_FAILED)),
            (StartError::NotFound("app".into()), Obstacle::Program(ExitCode::NOT_FOUND)),
        ] {
            assert_eq!(Obstacle::from(&error), obstacle, "{error}");
        }
    }
}
