//! Requests: what is sent, and what each kind of answer means.

use super::*;
use crate::config::Method;
use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
};

/// A server for one connection: reads the head of the request, lets `answer` have the connection, and gives
/// back what it was sent.
fn server(
    ip: impl Into<IpAddr>,
    answer: impl FnOnce(&mut TcpStream) + Send + 'static,
) -> (SocketAddr, thread::JoinHandle<String>) {
    let listener = TcpListener::bind((ip.into(), 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head = Vec::new();
        let mut buffer = [0; 1024];
        while !head.ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut buffer).unwrap();
            assert_ne!(read, 0, "the request has an end");
            head.extend_from_slice(&buffer[..read]);
        }
        answer(&mut stream);
        String::from_utf8(head).unwrap()
    });
    (address, server)
}

/// Sends `answer` and closes the connection.
fn answering(answer: &'static str) -> (SocketAddr, thread::JoinHandle<String>) {
    server(Ipv4Addr::LOCALHOST, move |stream| stream.write_all(answer.as_bytes()).unwrap())
}

/// Holds the connection until the client has closed it.
fn hold(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert_eq!(rest, b"");
}

fn get(address: SocketAddr) -> HttpRequest {
    HttpRequest {
        method: Method::Get,
        host: Host::Address(address.ip()),
        port: address.port(),
        path: "/".into(),
        expect: (200, 299),
        timeout: PATIENCE,
    }
}

fn outcome(request: HttpRequest) -> Result<(), String> {
    Owner::new().exchange(Task::Http(request))
}

#[test]
fn the_request_is_complete_and_says_who_sends_it() {
    for (method, name) in [(Method::Get, "GET"), (Method::Post, "POST"), (Method::Put, "PUT")] {
        let (address, server) = answering("HTTP/1.1 204 No Content\r\n\r\n");
        let request = HttpRequest { method, path: "/-/reload?a=b".into(), ..get(address) };
        assert_eq!(outcome(request), Ok(()));
        let sent = server.join().unwrap();
        let mut lines = sent.trim_end().split("\r\n");
        assert_eq!(lines.next(), Some(format!("{name} /-/reload?a=b HTTP/1.1").as_str()));
        let mut headers: Vec<_> = lines.map(str::to_ascii_lowercase).collect();
        headers.sort();
        let mut expected = vec![
            "connection: close".to_owned(),
            format!("host: {address}"),
            concat!("user-agent: akv-agent/", env!("CARGO_PKG_VERSION")).to_owned(),
        ];
        if method != Method::Get {
            expected.insert(1, "content-length: 0".into());
        }
        assert_eq!(headers, expected, "{name}");
    }
}

#[test]
fn the_host_header_is_that_of_the_url() {
    let host = |host, port| {
        let request = HttpRequest { host, port, ..get(SocketAddr::from(([127, 0, 0, 1], 80))) };
        network::outgoing(&request).unwrap().headers()["host"].to_str().unwrap().to_owned()
    };
    assert_eq!(host(Host::Loopback, 8080), "localhost:8080");
    assert_eq!(host(Host::Loopback, 80), "localhost");
    assert_eq!(host(Host::Address(Ipv6Addr::LOCALHOST.into()), 8080), "[::1]:8080");
    assert_eq!(host(Host::Name("app.example".into()), 443), "app.example:443");
}

#[test]
fn only_an_expected_status_is_success() {
    const FOUND: &str = "HTTP/1.1 302 Found\r\nlocation: http://192.0.2.1/\r\n\r\n";
    for (answer, expect, said) in [
        ("HTTP/1.1 200 OK\r\n\r\n", (200, 299), None),
        ("HTTP/1.0 299 Fine\r\n\r\n", (200, 299), None),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", (200, 299), None),
        ("HTTP/1.1 503 Not now\r\n\r\n", (503, 503), None),
        (FOUND, (302, 302), None),
        (FOUND, (200, 299), Some("302 Found; expected 200 to 299")),
        ("HTTP/1.1 199 Odd\r\n\r\n", (200, 299), Some("no answer")),
        ("HTTP/1.1 300 Odd\r\n\r\n", (200, 299), Some("300 Multiple Choices; expected 200 to 299")),
        ("HTTP/1.1 503 secret\r\n\r\n", (200, 299), Some("503 Service Unavailable; expected 200 to 299")),
        ("HTTP/1.1 200 OK\r\n\r\n", (204, 204), Some("200 OK; expected 204")),
        ("HTTP/1.1 599 secret\r\n\r\n", (200, 200), Some("status 599; expected 200")),
    ] {
        let (address, server) = answering(answer);
        let said = said.map(|said| match said {
            // An informational answer is none, and nothing follows it.
            "no answer" => "the connection was closed before the answer",
            said => said,
        });
        let expected = said.map_or(Ok(()), |said| Err(format!("GET http://{address}/: {said}")));
        assert_eq!(outcome(HttpRequest { expect, ..get(address) }), expected, "{answer}");
        server.join().unwrap();
    }
}

#[test]
fn what_is_no_answer_is_said_in_words_of_our_own() {
    let long: &'static str = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "x".repeat(64 << 10)).leak();
    for (answer, said) in [
        ("", "the connection was closed before the answer"),
        ("HTTP/1.1 200", "the connection was closed before the answer"),
        ("HTTP/1.1 200 OK\r\ncontent-type: te", "the connection was closed before the answer"),
        ("SSH-2.0-secret\r\n", "the answer is not HTTP"),
        ("HTTP/1.1 2x0 secret\r\n\r\n", "the answer is not HTTP"),
        ("\u{16}\u{3}\u{1}", "the answer is not HTTP"),
        (long, "the head of the answer is too long"),
    ] {
        let (address, server) = server(Ipv4Addr::LOCALHOST, move |stream| {
            // The client may have gone before it was sent all of it.
            let _ = stream.write_all(answer.as_bytes());
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let expected = Err(format!("GET http://{address}/: {said}"));
        assert_eq!(outcome(get(address)), expected, "{answer:.40}");
        server.join().unwrap();
    }
}

#[test]
fn the_head_of_the_answer_is_enough_and_the_connection_is_closed_then() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nconnection: keep-alive\r\ncontent-length: 0\r\n\r\n",
    ] {
        let (address, server) = server(Ipv4Addr::LOCALHOST, move |stream| {
            stream.write_all(answer.as_bytes()).unwrap();
            hold(stream);
        });
        assert_eq!(outcome(get(address)), Ok(()));
        // It ends only because the client closes the connection.
        server.join().unwrap();
    }
}

#[test]
fn a_server_that_says_nothing_or_drips_is_given_up_at_the_limit() {
    for first in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 Continue\r\n\r\n"] {
        let (address, server) = server(Ipv4Addr::LOCALHOST, move |stream| {
            stream.write_all(first.as_bytes()).unwrap();
            hold(stream);
        });
        let request = HttpRequest { timeout: Duration::from_millis(200), ..get(address) };
        let begun = Instant::now();
        assert_eq!(outcome(request), Err(format!("GET http://{address}/: no answer within 200 ms")));
        assert!(begun.elapsed() >= Duration::from_millis(200));
        server.join().unwrap();
    }
}

#[test]
fn localhost_is_ipv4_or_else_ipv6() {
    for ip in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
        let (address, server) = server(ip, |stream| stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap());
        let request = HttpRequest { host: Host::Loopback, ..get(address) };
        assert_eq!(outcome(request), Ok(()), "{ip}");
        assert!(server.join().unwrap().contains(&format!("host: localhost:{}", address.port())));
    }
}

#[test]
fn a_request_that_is_given_up_is_closed_and_has_no_result() {
    let (said, heard) = std::sync::mpsc::channel();
    let (address, server) = server(Ipv4Addr::LOCALHOST, move |stream| {
        said.send(()).unwrap();
        hold(stream);
    });
    let mut owner = Owner::new();
    let id = owner.start(Task::Http(get(address)));
    heard.recv_timeout(PATIENCE).expect("the request arrived");
    owner.jobs.cancel(id);
    server.join().unwrap();
    assert!(owner.jobs.finished().is_empty() && owner.jobs.open.is_empty());
}

#[test]
fn dropping_the_jobs_closes_their_connections() {
    let (said, heard) = std::sync::mpsc::channel();
    let (address, server) = server(Ipv4Addr::LOCALHOST, move |stream| {
        said.send(()).unwrap();
        hold(stream);
    });
    let Owner { mut jobs, mut background } = Owner::new();
    jobs.start(Task::Http(get(address)), Instant::now(), &mut background);
    heard.recv_timeout(PATIENCE).expect("the request arrived");
    drop(jobs);
    server.join().unwrap();
}

#[test]
fn a_result_that_was_there_before_its_job_was_given_up_is_not_told() {
    let (address, server) = answering("HTTP/1.1 200 OK\r\n\r\n");
    let mut owner = Owner::new();
    let id = owner.start(Task::Http(get(address)));
    owner.woken();
    owner.jobs.cancel(id);
    assert!(owner.jobs.finished().is_empty());
    assert_eq!(owner.jobs.due(), None);
    server.join().unwrap();
}

#[test]
fn a_path_that_cannot_be_sent_fails_without_a_connection() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    for path in ["/a b", "/\r\nx: y", "/\u{7f}"] {
        let said = outcome(HttpRequest { path: path.into(), ..get(address) }).unwrap_err();
        assert!(said.ends_with("the URL is not valid"), "{path:?}: {said}");
    }
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}
