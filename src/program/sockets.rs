//! Sockets that outlive each child: opened once by the agent, handed to every child it starts.
//!
//! They are handed over as systemd does it (`sd_listen_fds(3)`): as the descriptors from 3 on, with their number,
//! names and the child's own id in the environment. While there is no child, or it does not accept, the kernel
//! keeps connections in the queue of the socket.

pub mod preflight;

use super::environment;
use crate::config::{Endpoint, Socket};
use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl},
    sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, connect, listen, socket},
};
use std::{
    ffi::{CStr, CString},
    fs, io,
    net::TcpListener,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
        unix::{fs::FileTypeExt, net::UnixListener},
    },
    path::Path,
};

/// The number of the first one in a child.
pub(super) const FIRST: RawFd = 3;

/// The variable that holds the child's own id, so that it knows that the sockets are for it.
pub(super) const PID: &CStr = c"LISTEN_PID";

/// The variables that tell a child of its sockets.
pub(super) const VARIABLES: [&str; 3] = ["LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID"];

/// A socket that listens.
#[derive(Debug)]
pub struct Listening {
    name: String,
    socket: OwnedFd,
}

/// Why a socket was not opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen at {endpoint} for the program: {source}; {}", remedy(endpoint, source))]
pub struct ListenError {
    endpoint: Endpoint,
    source: io::Error,
}

impl ListenError {
    /// What the kernel said, in short.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }
}

fn remedy(endpoint: &Endpoint, error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => match endpoint {
            Endpoint::Tcp(_) => "stop what listens there, or choose another address",
            Endpoint::Unix(_) => {
                "stop what listens there, take away what else is there, or choose another path"
            }
        },
        io::ErrorKind::AddrNotAvailable => "choose an address of this machine or pod, such as 0.0.0.0",
        io::ErrorKind::PermissionDenied => {
            "choose a place that the user may use, such as a port from 1024 on"
        }
        io::ErrorKind::NotFound => "make its directory first, or choose another path",
        _ => "choose another address",
    }
}

impl AsFd for Listening {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Opens all of them, in their order.
pub fn open(sockets: &[Socket]) -> Result<Vec<Listening>, ListenError> {
    let open = |Socket { name, endpoint }: &Socket| match open_one(endpoint) {
        Ok(socket) => Ok(Listening { name: name.clone(), socket }),
        Err(source) => Err(ListenError { endpoint: endpoint.clone(), source }),
    };
    sockets.iter().map(open).collect()
}

fn open_one(endpoint: &Endpoint) -> io::Result<OwnedFd> {
    let socket = match endpoint {
        Endpoint::Tcp(address) => TcpListener::bind(address)?.into(),
        Endpoint::Unix(path) => bind_path(path)?.into(),
    };
    enqueue(&socket)?;
    Ok(socket)
}

/// All who come while a child is replaced have to find a place; the kernel bounds it by `somaxconn`.
fn enqueue(socket: &OwnedFd) -> nix::Result<()> {
    listen(socket, Backlog::MAXALLOWABLE)
}

/// An agent that was killed has left its socket behind, where nobody answers; then it is replaced.
fn bind_path(path: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_abandoned(path) => {
            fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        other => other,
    }
}

fn is_abandoned(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    is_socket && knock(path) == Err(Errno::ECONNREFUSED)
}

/// Connects without waiting: the queue of a server that hangs may be full, and signals would wait as well.
fn knock(path: &Path) -> nix::Result<()> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let client = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(client.as_raw_fd(), &UnixAddr::new(path)?)
}

/// Makes them as they were when they were opened: whether accept(2) waits and how many wait for it is a matter of
/// the socket, not of the descriptor, so the child before may have changed it for all that follow. So is a
/// shutdown(2), which ends the listening of a TCP socket, until now; that of a Unix socket cannot be taken back.
pub(super) fn prepare(sockets: &[Listening]) -> io::Result<()> {
    for Listening { socket, .. } in sockets {
        let flags = OFlag::from_bits_retain(fcntl(socket, FcntlArg::F_GETFL)?);
        fcntl(socket, FcntlArg::F_SETFL(flags - OFlag::O_NONBLOCK))?;
        enqueue(socket)?;
    }
    Ok(())
}

/// What a child is told of them, except for [`PID`].
pub(super) fn variables(sockets: &[Listening]) -> impl Iterator<Item = CString> {
    let names: Vec<&str> = sockets.iter().map(|socket| socket.name.as_str()).collect();
    let values = [sockets.len().to_string(), names.join(":")];
    VARIABLES
        .into_iter()
        .zip(values)
        .filter_map(|(name, value)| environment::variable(name.as_bytes(), value.as_bytes()))
}
