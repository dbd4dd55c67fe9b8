//! What can be expected: the terms of the rows in [`super::rows`].

use std::fmt;

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) far_end: FarEnd,
    pub(crate) cause: Cause,
    pub(crate) course: Course,
    /// What the log and the status say, in this order; `...` stands for any text, `HOST` for the far end.
    pub(crate) says: &'static str,
    /// What an operator should do.
    pub(crate) remedy: &'static str,
}

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FarEnd {
    /// Microsoft Entra's.
    Token,
    /// IMDS, which gives tokens to managed identities.
    Metadata,
    Vault,
}

impl FarEnd {
    pub(crate) const ALL: [Self; 3] = [Self::Token, Self::Metadata, Self::Vault];
}

/// How it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Refused,
    Unresolved,
    UnknownCa,
    ExpiredCertificate,
    NoAnswer,
    Trickle,
    CutBody,
    Status(u16),
    /// A status with a code that says more.
    Code(u16, &'static str),
    /// With this `Retry-After` in seconds.
    Throttled(u32),
    Html,
    WrongShape,
    Large,
    Huge,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    /// It is no failure.
    Served,
    /// At the start it is waited for until the deadline, which ends with this code.
    Waits(i32, Again),
    /// At the start it ends the agent at once with this code.
    Ends(i32, Again),
}

/// When it is tried again once there is a last good set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// By itself, after a second or two at first and a minute at last.
    BackOff,
    /// With the next poll: it is about one secret, and the vault has given its answer.
    Poll,
}

impl Cause {
    /// Whether it is known only when the time for a request is over.
    pub(crate) fn is_slow(self) -> bool {
        matches!(self, Self::NoAnswer | Self::Trickle)
    }
}

impl fmt::Display for FarEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token => "token endpoint",
            Self::Metadata => "metadata service",
            Self::Vault => "vault",
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "connection refused",
            Self::Unresolved => "name does not resolve",
            Self::UnknownCa => "certificate of an unknown CA",
            Self::ExpiredCertificate => "certificate has expired",
            Self::NoAnswer => "no answer",
            Self::Trickle => "answer trickles",
            Self::CutBody => "answer is cut off",
            Self::Status(status) => return write!(f, "HTTP {status}"),
            Self::Code(status, code) => return write!(f, "HTTP {status} {code}"),
            Self::Throttled(_) => return f.write_str("HTTP 429 with `Retry-After`"),
            Self::Html => "HTML instead of JSON",
            Self::WrongShape => "JSON of the wrong shape",
            Self::Large => "answer of 25 KB",
            Self::Huge => "answer of 10 MB",
        })
    }
}
