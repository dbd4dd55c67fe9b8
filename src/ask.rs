//! Asks the agent that runs in this pod: a tiny HTTP client for `status` and `probe`.
//!
//! Containers of a pod share their network, so this works from any of them. It is meant for exec probes,
//! which run every few seconds in a container with little memory: one connection, one answer, no runtime.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// A kubelet gives an exec probe one second by default.
const TIMEOUT: Duration = Duration::from_millis(900);

/// More than any status.
const MAX_ANSWER: u64 = 4 << 20;

/// What the agent answered.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// Sends `GET path` to the agent at `address`.
pub fn get(address: SocketAddr, path: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    // An agent that listens at all addresses is asked at one of them, and answers to the name of that one only.
    let host = stream.peer_addr()?;
    // HTTP/1.0: the answer ends where the connection does, so there is nothing to frame.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n")?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER).read_to_string(&mut answer).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::new(io::ErrorKind::TimedOut, "no answer in time"),
        _ => error,
    })?;
    parse(&answer).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "that is no HTTP answer"))
}

fn parse(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, body: body.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{BufRead as _, BufReader},
        net::TcpListener,
        thread,
    };

    #[test]
    fn an_agent_at_all_addresses_is_asked_by_the_one_that_is_reached() {
        for (all, reached) in [("0.0.0.0:0", "127.0.0.1"), ("[::]:0", "[::1]")] {
            // A machine may be without IPv6.
            let Ok(listener) = TcpListener::bind(all) else { continue };
            let address = listener.local_addr().unwrap();
            let server = thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                // To its end: what is left unread when a connection is closed takes the answer with it.
                let lines = BufReader::new(&stream).lines().map(Result::unwrap);
                let request: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
                stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n").unwrap();
                request
            });
            assert_eq!(get(address, "/v1/status").unwrap().status, 200);
            let host = format!("Host: {reached}:{}", address.port());
            assert!(server.join().unwrap().contains(&host), "{host}");
        }
    }

    #[test]
    fn answers_are_told_from_noise() {
        let answer = parse("HTTP/1.0 503 Service Unavailable\r\na: b\r\n\r\nnot yet\n").unwrap();
        assert_eq!(answer, Answer { status: 503, body: "not yet\n".into() });
        assert_eq!(parse("SSH-2.0-OpenSSH\r\n\r\n"), None);
        assert_eq!(parse(""), None);
    }
}
