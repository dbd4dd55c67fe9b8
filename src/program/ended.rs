//! How a process ended, and what that says.

use crate::failure::ExitCode;
use std::fmt;

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By exit(3) with this code.
    Exited(u8),
    /// By this signal.
    Signalled(i32),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit code {code}"),
            Self::Signalled(signal) => write!(f, "signal {signal}"),
        }
    }
}

impl Ended {
    /// From what wait(2) reports.
    pub fn from_wait_status(status: i32) -> Self {
        if libc::WIFSIGNALED(status) {
            Self::Signalled(libc::WTERMSIG(status))
        } else {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "exit codes are 0 to 255"
            )]
            Self::Exited(libc::WEXITSTATUS(status) as u8)
        }
    }

    /// The code with which a transparent parent ends.
    pub fn exit_code(self) -> ExitCode {
        match self {
            Self::Exited(code) => ExitCode(code),
            Self::Signalled(signal) => ExitCode::signalled(signal),
        }
    }

    /// Whether its work was done.
    pub fn is_success(self) -> bool {
        self == Self::Exited(0)
    }

    /// Whether what it was started with may be the cause. It is not when the work was done, nor when somebody
    /// asked for the end, by a signal or at the terminal.
    pub fn is_suspicious(self) -> bool {
        const ASKED: [i32; 4] = [libc::SIGTERM, libc::SIGINT, libc::SIGQUIT, libc::SIGHUP];
        let asked = ASKED.iter().any(|signal| self.exit_code() == ExitCode::signalled(*signal));
        !asked && !self.is_success()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_are_the_shells() {
        assert_eq!(Ended::Exited(0).exit_code(), ExitCode(0));
        assert_eq!(Ended::Exited(42).exit_code(), ExitCode(42));
        assert_eq!(Ended::Signalled(9).exit_code(), ExitCode(137));
        assert_eq!(Ended::Signalled(15).exit_code(), ExitCode(143));
    }

    #[test]
    fn an_end_that_was_asked_for_says_nothing_about_the_set() {
        for (how, suspicious) in [
            (Ended::Exited(0), false),
            (Ended::Exited(1), true),
            (Ended::Exited(130), false),
            (Ended::Exited(143), false),
            (Ended::Exited(137), true),
            (Ended::Signalled(libc::SIGSEGV), true),
            (Ended::Signalled(libc::SIGKILL), true),
            (Ended::Signalled(libc::SIGTERM), false),
            (Ended::Signalled(libc::SIGINT), false),
        ] {
            assert_eq!(how.is_suspicious(), suspicious, "{how}");
        }
    }
}
