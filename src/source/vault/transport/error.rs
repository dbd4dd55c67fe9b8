//! What can go wrong between a request and a good answer.

use super::{Refusal, Role, Target};
use azure_core::http::Url;
use std::{fmt, io};

/// Why a request got no good answer. It holds nothing that a request or an answer carried, apart from the
/// service's own error code and message.
#[derive(Debug, thiserror::Error)]
#[error("{host}: {problem}")]
pub(in super::super) struct TransportError {
    /// Whom the request was for; `None` if nobody whom the configuration knows.
    pub(in super::super) role: Option<Role>,
    /// `HOST[:PORT]`.
    pub(in super::super) host: String,
    /// What happened.
    pub(in super::super) problem: Problem,
}

/// What happened to the request.
#[derive(Debug, thiserror::Error)]
pub(in super::super) enum Problem {
    /// The request was not sent.
    #[error("requests to this host are not allowed")]
    NotAllowed,
    /// The name has no address.
    #[error("the name does not resolve ({0})")]
    Resolve(String),
    /// No address accepted a TCP connection.
    #[error("cannot connect ({0})")]
    Connect(io::Error),
    /// No TLS connection.
    #[error("TLS: {0}")]
    Tls(rustls::Error),
    /// Took too long.
    #[error("timed out {0}")]
    TimedOut(Phase),
    /// The connection broke, or what came over it was not HTTP.
    #[error("{0}")]
    Broken(String),
    /// An answer arrived, and it was not 2xx.
    #[error("{0}")]
    Refused(Refusal),
}

/// What was under way when time ran out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Phase {
    Resolve,
    Connect,
    Handshake,
    Answer,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "looking up the name",
            Self::Connect => "connecting",
            Self::Handshake => "in the TLS handshake",
            Self::Answer => "waiting for the answer",
        })
    }
}

impl TransportError {
    pub(super) fn new(role: Role, target: &Target, problem: Problem) -> Self {
        Self { role: Some(role), host: target.to_string(), problem }
    }

    pub(super) fn not_allowed(url: &Url) -> Self {
        // The port may be all that makes it another host.
        let target = Target::of(url).map(|target| target.to_string());
        let host = target.unwrap_or_else(|| url.host_str().unwrap_or_default().to_owned());
        Self { role: None, host, problem: Problem::NotAllowed }
    }
}

impl From<TransportError> for azure_core::Error {
    /// Of kind `Other`: any transport kind would make the SDK try again by itself, for over a minute.
    fn from(error: TransportError) -> Self {
        Self::new(azure_core::error::ErrorKind::Other, error)
    }
}
