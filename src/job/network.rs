//! Requests and connections, in clear text and to nobody but whom they are for: no proxy is used, no redirect
//! is followed, and for this pod and for addresses no name is looked up.

use super::Problem;
use crate::{
    config::{Host, HttpRequest, Method},
    lookup,
};
use bytes::Bytes;
use futures::future::{Either, select};
use http_body_util::Empty;
use hyper::{
    Request, Uri,
    client::conn::http1,
    header::{CONNECTION, CONTENT_LENGTH, HOST, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::pin,
    time::Duration,
};
use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};

/// Bounds the head of an answer, which is all that is read.
const LONGEST_HEAD: usize = 16 << 10;

const WHO: &str = concat!("akv-agent/", env!("CARGO_PKG_VERSION"));

/// Succeeds when an answer with an expected status has come. Cancel-safe in that dropping it closes the
/// connection; the server may have acted on the request all the same.
pub(super) async fn request(request: &HttpRequest) -> Result<(), Problem> {
    let deadline = Instant::now() + request.timeout;
    let no_answer = Problem::NoAnswer(request.timeout);
    let status = match timeout_at(deadline, exchange(request, deadline)).await {
        Ok(answer) => answer?,
        Err(_) => return Err(no_answer),
    };
    let (lowest, highest) = request.expect;
    if (lowest..=highest).contains(&status) {
        Ok(())
    } else {
        Err(Problem::Status { status, expected: request.expect })
    }
}

/// Succeeds when a connection is taken, and closes it again.
pub(super) async fn connect(host: &Host, port: u16, limit: Duration) -> Result<(), Problem> {
    let deadline = Instant::now() + limit;
    match timeout_at(deadline, open(host, port, deadline, limit)).await {
        Ok(connected) => connected.map(drop),
        Err(_) => Err(Problem::NoAnswer(limit)),
    }
}

/// Sends the request over a connection of its own and returns the status of the answer.
async fn exchange(request: &HttpRequest, deadline: Instant) -> Result<u16, Problem> {
    let outgoing = outgoing(request)?;
    let stream = open(&request.host, request.port, deadline, request.timeout).await?;
    let mut http = http1::Builder::new();
    http.max_buf_size(LONGEST_HEAD);
    let (mut sender, connection) =
        http.handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    // Both in this task, so that nothing is left of the connection when the status is known or time is over:
    // an app may keep it open, or take for ever to send a body that nobody wants.
    let answer = pin!(sender.send_request(outgoing));
    let answer = match select(answer, connection).await {
        Either::Left((answer, _)) => answer,
        Either::Right((_, answer)) => answer.await,
    };
    Ok(answer.map_err(|error| broken(&error))?.status().as_u16())
}

pub(super) fn outgoing(request: &HttpRequest) -> Result<Request<Empty<Bytes>>, Problem> {
    let method = match request.method {
        Method::Get => hyper::Method::GET,
        Method::Post => hyper::Method::POST,
        Method::Put => hyper::Method::PUT,
    };
    let uri = Uri::builder().path_and_query(request.path.as_str()).build().map_err(|_| Problem::BadUrl)?;
    let authority = match request.port {
        80 => request.host.to_string(),
        port => format!("{}:{port}", request.host),
    };
    let mut builder = Request::builder()
        .method(method)
        .uri(uri)
        .header(HOST, authority)
        .header(USER_AGENT, WHO)
        .header(CONNECTION, "close");
    if request.method != Method::Get {
        // Where a body is usual, some servers want to be told that there is none (411).
        builder = builder.header(CONTENT_LENGTH, 0);
    }
    builder.body(Empty::new()).map_err(|_| Problem::BadUrl)
}

/// In words of our own: what was received is nobody else's business.
fn broken(error: &hyper::Error) -> Problem {
    Problem::Broken(if error.is_parse_too_large() {
        "the head of the answer is too long"
    } else if error.is_parse() {
        "the answer is not HTTP"
    } else {
        "the connection was closed before the answer"
    })
}

/// Tries one address after the other; each gets an equal share of the time that is left. If all fail, the
/// first one's reason is told: there the app was expected most.
async fn open(host: &Host, port: u16, deadline: Instant, limit: Duration) -> Result<TcpStream, Problem> {
    let addresses = addresses(host, port).await?;
    let mut first = None;
    for (done, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - done).unwrap_or(u32::MAX);
        let now = Instant::now();
        let share = deadline.saturating_duration_since(now) / left;
        let problem = match timeout_at(now + share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) if !is_answered_by_itself(&stream) => return Ok(stream),
            Ok(Ok(_)) => Problem::NotConnected(io::ErrorKind::ConnectionRefused.into()),
            Ok(Err(error)) => Problem::NotConnected(error),
            Err(_) => Problem::NoAnswer(limit),
        };
        first = first.or(Some(problem));
    }
    Err(first.unwrap_or_else(|| Problem::Lookup(io::Error::other("no address"))))
}

/// Where nobody listens, a connection to this machine may be given the very port that it is for; then TCP
/// connects it with itself.
pub(super) fn is_answered_by_itself(stream: &TcpStream) -> bool {
    matches!((stream.local_addr(), stream.peer_addr()), (Ok(ours), Ok(theirs)) if ours == theirs)
}

async fn addresses(host: &Host, port: u16) -> Result<Vec<SocketAddr>, Problem> {
    let addresses: Vec<IpAddr> = match host {
        Host::Loopback => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        Host::Address(address) => vec![*address],
        Host::Name(name) => return lookup::addresses(name, port).await.map_err(Problem::Lookup),
    };
    Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect())
}
