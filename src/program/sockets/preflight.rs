//! Whether a socket could be opened, told beforehand. Nobody notices: nothing listens, and no file comes or goes.

use super::ListenError;
use crate::config::Endpoint;
use nix::unistd::{AccessFlags, access};
use std::{fs, io, net::SocketAddr, os::unix::fs::FileTypeExt as _, path::Path};
use tokio::net::TcpSocket;

/// How opening a socket would fare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// It would work.
    Free,
    /// Somebody listens there, who may be an agent that runs already.
    InUse,
    /// There is a socket at the path already. It would be replaced if nobody answers at it.
    Exists,
}

/// Tries as much of it as leaves no trace.
pub fn preflight(endpoint: &Endpoint) -> Result<Outlook, ListenError> {
    let outlook = match endpoint {
        Endpoint::Tcp(address) => at_address(*address),
        Endpoint::Unix(path) => at_path(path),
    };
    outlook.map_err(|source| ListenError { endpoint: endpoint.clone(), source })
}

/// Without listening: a client who came now would be taken for served, and then lost.
fn at_address(address: SocketAddr) -> io::Result<Outlook> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As the standard library binds what is to listen: connections of before, which are still being closed, are
    // no obstacle.
    socket.set_reuseaddr(true)?;
    match socket.bind(address) {
        Ok(()) => Ok(Outlook::Free),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Ok(Outlook::InUse),
        Err(error) => Err(error),
    }
}

fn at_path(path: &Path) -> io::Result<Outlook> {
    access(path.parent().unwrap_or(path), AccessFlags::W_OK | AccessFlags::X_OK)?;
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => Ok(Outlook::Exists),
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Outlook::Free),
        Err(error) => Err(error),
    }
}
