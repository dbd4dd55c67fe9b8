//! Why a job failed. Nothing here holds what was sent, said or answered.

use crate::program::{ended::Ended, spawn::StartError};
use std::{fmt, io, time::Duration};

/// Why a job failed.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The program was not started.
    #[error(transparent)]
    NotStarted(#[from] StartError),
    /// There is no thread for what speaks over a network.
    #[error("the background thread cannot be started")]
    NoThread(#[source] io::Error),
    /// It was tried and did not succeed.
    #[error("{what}: {problem}")]
    Failed {
        /// What was tried.
        what: String,
        /// What came of it.
        problem: Problem,
    },
}

/// What came of a job instead of success.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The path of the request cannot be sent.
    #[error("the URL is not valid")]
    BadUrl,
    /// The name has no address.
    #[error("the name cannot be looked up ({0})")]
    Lookup(io::Error),
    /// Nobody took the connection.
    #[error("{}", kind(.0))]
    NotConnected(io::Error),
    /// Nothing came in time.
    #[error("no answer within {}", Limit(*.0))]
    NoAnswer(Duration),
    /// The connection ended too early, or what came over it is not HTTP.
    #[error("{0}")]
    Broken(&'static str),
    /// The answer has another status.
    #[error("{}; expected {}", Status(*.status), Expected(*.expected))]
    Status {
        /// Which.
        status: u16,
        /// The lowest and the highest that would have been good.
        expected: (u16, u16),
    },
    /// The program did not succeed.
    #[error("{0}")]
    Ended(Ended),
    /// The program took too long, and was killed.
    #[error("still running after {}; killed", Limit(*.0))]
    StillRunning(Duration),
}

/// Without the number that the standard library adds, where the words say it all.
fn kind(error: &io::Error) -> String {
    match error.kind() {
        kind @ (io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable) => kind.to_string(),
        _ => error.to_string(),
    }
}

/// A limit as it is configured: seconds, or milliseconds where it is no whole number of seconds.
struct Limit(Duration);

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.subsec_millis() {
            0 => write!(f, "{} s", self.0.as_secs()),
            _ => write!(f, "{} ms", self.0.as_millis()),
        }
    }
}

/// A status with the phrase that the standard has for it; what the server calls it may be anything.
struct Status(u16);

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = hyper::StatusCode::from_u16(self.0).ok().and_then(|status| status.canonical_reason());
        match known {
            Some(reason) => write!(f, "{} {reason}", self.0),
            None => write!(f, "status {}", self.0),
        }
    }
}

struct Expected((u16, u16));

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            (lowest, highest) if lowest == highest => lowest.fmt(f),
            (lowest, highest) => write!(f, "{lowest} to {highest}"),
        }
    }
}
