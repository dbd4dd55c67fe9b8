//! Connections: taken, refused, never answered.

use super::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use tokio::net::{TcpSocket, TcpStream};

fn outcome(host: Host, port: u16) -> Result<(), String> {
    Owner::new().exchange(Task::Tcp { host, port, timeout: PATIENCE })
}

/// A port that nobody listens on: bound, so that nobody else gets it.
fn free_port() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

#[test]
fn a_connection_that_is_taken_is_success() {
    for ip in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
        let listener = TcpListener::bind((ip, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(outcome(Host::Address(ip), port), Ok(()));
        assert_eq!(outcome(Host::Loopback, port), Ok(()));
    }
}

#[test]
fn a_port_without_a_listener_refuses() {
    let (_socket, port) = free_port();
    let refused = |host: &str| Err(format!("connect to {host}:{port}: connection refused"));
    assert_eq!(outcome(Host::Address(Ipv4Addr::LOCALHOST.into()), port), refused("127.0.0.1"));
    assert_eq!(outcome(Host::Loopback, port), refused("localhost"));
    assert_eq!(outcome(Host::Name("localhost".into()), port), refused("localhost"));
}

#[test]
fn a_name_without_an_address_is_an_error_that_names_it() {
    // A name that no resolver asks anybody about: RFC 1035 allows 63 bytes a label.
    let name = "x".repeat(64);
    let said = outcome(Host::Name(name.clone()), 80).unwrap_err();
    assert!(said.starts_with(&format!("connect to {name}:80: the name cannot be looked up")), "{said}");
}

#[test]
fn a_listener_that_takes_no_connection_is_given_up_at_the_limit() {
    // Nobody accepts, so the queue of connections fills up, and the kernel drops what comes then.
    let socket = nix::sys::socket::socket(
        nix::sys::socket::AddressFamily::Inet,
        nix::sys::socket::SockType::Stream,
        nix::sys::socket::SockFlag::SOCK_CLOEXEC,
        None,
    )
    .unwrap();
    nix::sys::socket::listen(&socket, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
    let port = TcpListener::from(socket.try_clone().unwrap()).local_addr().unwrap().port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut held = Vec::new();
    while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
        held.push(stream);
        assert!(held.len() < 100, "the queue has no end");
    }
    let timeout = Duration::from_millis(300);
    let mut owner = Owner::new();
    for host in [Host::Loopback, Host::Address(Ipv4Addr::LOCALHOST.into())] {
        let said = owner.exchange(Task::Tcp { host: host.clone(), port, timeout });
        assert_eq!(said, Err(format!("connect to {host}:{port}: no answer within 300 ms")));
    }
}

#[test]
fn a_connection_of_a_port_with_itself_is_seen_through() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    runtime.block_on(async {
        let (socket, port) = free_port();
        let itself = socket.connect(SocketAddr::from(([127, 0, 0, 1], port))).await.unwrap();
        assert!(network::is_answered_by_itself(&itself));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let other = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        assert!(!network::is_answered_by_itself(&other));
    });
}
