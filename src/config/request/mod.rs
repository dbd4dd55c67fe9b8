//! What is asked of an app or of a program beside it: requests, connections, commands.

mod address;
mod read;

pub(super) use read::{checks, command, http, short_command, short_http};

use std::{fmt, net::IpAddr, time::Duration};

/// Asks whether an app is well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    /// The answer has an expected status.
    Http(HttpRequest),
    /// A connection is taken.
    Tcp {
        /// Whose port.
        host: Host,
        /// Which.
        port: u16,
        /// How long it may take.
        timeout: Duration,
    },
    /// The program ends with code 0.
    Command(Command),
}

/// A request, in clear text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRequest {
    /// `GET`, `POST` or `PUT`.
    pub method: Method,
    /// To whom.
    pub host: Host,
    /// At which port.
    pub port: u16,
    /// Path and query, from the `/` on.
    pub path: String,
    /// The lowest and the highest status that count as success.
    pub expect: (u16, u16),
    /// From the connection to the status.
    pub timeout: Duration,
}

/// A method of a request that has no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
    /// PUT.
    Put,
}

/// Where a connection goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// This pod: `localhost`, at `127.0.0.1` or else `::1`.
    Loopback,
    /// An address.
    Address(IpAddr),
    /// A name to look up.
    Name(String),
}

/// A program to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The program, looked up in `PATH` if it is a bare name, and its arguments. Never empty.
    pub argv: Vec<String>,
    /// How long it may run; then its process group is killed.
    pub timeout: Duration,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(request) => request.fmt(f),
            Self::Tcp { host, port, .. } => write!(f, "connect to {host}:{port}"),
            Self::Command(command) => command.fmt(f),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        })
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback => f.write_str("localhost"),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Self::Address(address) => address.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// Without its query, which may hold a key.
impl fmt::Display for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.split('?').next().unwrap_or_default();
        write!(f, "{} http://{}:{}{path}", self.method, self.host, self.port)
    }
}

/// Only the program: what it is given may be nobody else's business.
impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {}", self.argv.first().map_or("", String::as_str))
    }
}
