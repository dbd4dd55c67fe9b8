//! The addresses behind the name of a host.

use std::{io, net::SocketAddr};
use tokio::net::lookup_host;

/// All of them, IPv4 first: a cluster that hands out IPv6 addresses without routing them is more common than one
/// without IPv4, and in the latter IPv4 fails at once.
pub async fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let (first, then): (Vec<_>, Vec<_>) = lookup_host((host, port)).await?.partition(SocketAddr::is_ipv4);
    Ok([first, then].concat())
}
