//! `onChange`: what follows a change.

mod read;
mod target;
mod verify;

pub(super) use read::{rules, stop};
pub(super) use target::target;
pub use target::{Pattern, Target};

use super::request::{Check, Command, HttpRequest};
use nix::sys::signal::Signal;
use std::{fmt, time::Duration};

/// One rule of `onChange`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Globs (`*` and `?`) over variable names; empty matches all.
    pub when: Vec<String>,
    /// What to do.
    pub reaction: Reaction,
}

/// What to do when a variable changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// Nothing.
    None,
    /// Send a signal: to the child in `exec`, to the target in `sidecar`.
    Signal {
        /// Which.
        signal: i32,
        /// How to see that the app took the change.
        verify: Option<Verify>,
    },
    /// Stop the child and start it anew (`exec` only).
    Restart(Stop),
    /// Send a request.
    Http {
        /// Which.
        request: HttpRequest,
        /// How to see that the app took the change.
        verify: Option<Verify>,
    },
    /// Run a program.
    Command(Command),
    /// End with this code, after the child, so that the kubelet restarts what it is told to.
    Exit(u8),
}

/// How a child is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    /// The stop signal, sent to the child's process group.
    pub signal: i32,
    /// How long it may take before SIGKILL.
    pub grace: Duration,
}

impl Stop {
    /// SIGTERM, and the time that Kubernetes itself gives a container by default.
    pub const DEFAULT: Self = Self { signal: libc::SIGTERM, grace: Duration::from_secs(30) };
}

/// How to see that an app took a change that it was told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verify {
    /// What must come true.
    pub by: Proof,
    /// How long that may take.
    pub within: Duration,
}

/// What proves that an app took a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A check passes.
    Check(Check),
    /// The target has been started since: it restarts itself to read its secrets anew.
    StartTime,
}

impl Reaction {
    /// A signal, without a proof that it did something.
    pub const fn signal(signal: i32) -> Self {
        Self::Signal { signal, verify: None }
    }

    /// How to see that the app took the change.
    pub const fn verify(&self) -> Option<&Verify> {
        match self {
            Self::Signal { verify, .. } | Self::Http { verify, .. } => verify.as_ref(),
            Self::None | Self::Restart(_) | Self::Command(_) | Self::Exit(_) => None,
        }
    }
}

impl fmt::Display for Reaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |signal| Signal::try_from(signal).map_or("a signal", Signal::as_str);
        match self {
            Self::None => f.write_str("nothing"),
            Self::Signal { signal, .. } => f.write_str(name(*signal)),
            Self::Restart(Stop { signal, grace }) => {
                write!(f, "restart by {}, after {grace:?} by SIGKILL", name(*signal))
            }
            Self::Http { request, .. } => request.fmt(f),
            Self::Command(command) => command.fmt(f),
            Self::Exit(code) => write!(f, "end with exit code {code}"),
        }
    }
}

impl fmt::Display for Verify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.by {
            Proof::Check(check) => write!(f, "{check} within {:?}", self.within),
            Proof::StartTime => write!(f, "a new start of the process within {:?}", self.within),
        }
    }
}
