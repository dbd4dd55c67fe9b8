//! Answers to whoever has the token that is in the variable API_TOKEN. Stands in for any program that
//! takes a secret from its environment when it starts, and knows nothing of rotation.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use std::{env, thread};

const ADDRESS: &str = "0.0.0.0:8080";
const PATIENCE: Duration = Duration::from_secs(5);
const LARGEST_REQUEST: u64 = 8 * 1024;

fn main() -> ExitCode {
    let token: Arc<str> = match env::var("API_TOKEN") {
        Ok(token) if !token.is_empty() => token.into(),
        _ => return fail("API_TOKEN is not set"),
    };
    let listener = match TcpListener::bind(ADDRESS) {
        Ok(listener) => listener,
        Err(error) => return fail(&format!("{ADDRESS}: {error}")),
    };
    println!("listening on {ADDRESS}");
    for stream in listener.incoming().flatten() {
        let token = Arc::clone(&token);
        // A client that goes away is no matter of ours.
        thread::spawn(move || answer(stream, &token).ok());
    }
    ExitCode::SUCCESS
}

fn fail(reason: &str) -> ExitCode {
    eprintln!("token-service: {reason}");
    ExitCode::FAILURE
}

fn answer(mut stream: TcpStream, token: &str) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(stream.try_clone()?.take(LARGEST_REQUEST)).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let mut known = false;
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        known |= given(&line).is_some_and(|given| same(given, token));
    }
    let status = match request.split(' ').nth(1) {
        Some("/healthz") => "200 OK",
        Some("/") if known => "200 OK",
        Some("/") => "401 Unauthorized\r\nWWW-Authenticate: Bearer",
        _ => "404 Not Found",
    };
    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}

/// The token in a header line, if it is that line.
fn given(line: &str) -> Option<&str> {
    let (name, value) = line.split_once(':')?;
    name.eq_ignore_ascii_case("authorization").then(|| value.trim().strip_prefix("Bearer "))?
}

/// Takes the same time wherever they differ, so that nobody can find the token letter by letter.
fn same(one: &str, other: &str) -> bool {
    let differences = one.bytes().zip(other.bytes()).fold(0, |seen, (a, b)| seen | (a ^ b));
    one.len() == other.len() && differences == 0
}
