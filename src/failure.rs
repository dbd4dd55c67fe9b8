//! How a run of the agent can end badly: what is said, and with which exit code.

use std::fmt;

/// Why a run failed. Each class owns one exit code of `sysexits.h`; `exec` reports every one of them as
/// [`ExitCode::AGENT_FAILED`], because the other codes belong to the wrapped program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// The command line cannot be understood.
    Usage,
    /// A source stayed unreachable or incomplete until the deadline.
    Unavailable,
    /// A bug in the agent.
    Bug,
    /// An output cannot be created.
    CannotCreate,
    /// The vault, the mount or the kernel said no.
    Permission,
    /// The configuration is wrong; waiting cannot help.
    Config,
}

/// The exit codes that the agent gives of its own accord.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitCode(pub u8);

impl ExitCode {
    /// Everything was done.
    pub const OK: Self = Self(0);
    /// `exec`: the agent itself failed (as `env` and `timeout` have it).
    pub const AGENT_FAILED: Self = Self(125);
    /// `exec`: the program was found but cannot be executed.
    pub const NOT_EXECUTABLE: Self = Self(126);
    /// `exec`: the program was not found.
    pub const NOT_FOUND: Self = Self(127);

    /// The shell's convention for a process that a signal ended.
    pub const fn signalled(signal: i32) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "signals are 1 to 64")]
        Self(128 + signal as u8)
    }
}

impl Class {
    /// The exit code of `sysexits.h` for this class.
    pub const fn exit_code(self) -> ExitCode {
        ExitCode(match self {
            Self::Usage => 64,
            Self::Unavailable => 69,
            Self::Bug => 70,
            Self::CannotCreate => 73,
            Self::Permission => 77,
            Self::Config => 78,
        })
    }
}

/// A failure that ends the run: its class, and one line that names the thing and the remedy.
///
/// The message never holds a secret value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Decides the exit code.
    pub class: Class,
    /// Usually one line; several problems of a configuration are one line each.
    pub message: String,
}

impl Failure {
    /// A failure of `class` that says `message`.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// One line with the whole chain of causes, outermost first: `reading X: permission denied`.
///
/// Errors here keep their cause in `source()` and out of `Display`, so nothing is said twice. A cause that
/// repeats what was just said is skipped (third-party errors do include their source).
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let text = cause.to_string();
        if !line.ends_with(&text) {
            line.push_str(": ");
            line.push_str(&text);
        }
        next = cause.source();
    }
    line.replace(['\n', '\r'], " ")
}
