//! The operator's view over HTTP: `/livez`, `/readyz`, `/metrics`, `/v1/status`, and `POST /v1/refresh`.
//!
//! The main loop binds the socket, so that an address in use is noticed at once, and hands it over when the
//! first client comes: an agent that nobody asks never starts a server.

use crate::{
    background::Background,
    source::vault::VaultView,
    status::{Board, Status, VaultStatus},
    wake::Waker,
};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ALLOW, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{task::AbortHandle, time::timeout};

/// A scraper and a few probes come at the same time; with more, the oldest has to go.
const MAX_CONNECTIONS: usize = 64;

/// One request and its answer.
const MAX_CONNECTION_TIME: Duration = Duration::from_secs(5);

/// How long a client may take to say what it wants.
const HEADER_TIMEOUT: Duration = Duration::from_secs(2);

/// What the server needs of the loop.
#[derive(Debug, Clone)]
pub struct Shared {
    /// What to show.
    pub board: Board,
    /// What the vaults have answered since the loop was last woken, which it is only for what is new.
    pub vault: Option<VaultView>,
    /// Asks for a refresh: set, then the loop is woken.
    pub refresh: Arc<AtomicBool>,
    /// Wakes the loop.
    pub waker: Waker,
}

impl Shared {
    fn status(&self) -> Status {
        let mut status = self.board.lock().clone();
        status.vault = self.vault.as_ref().map(|vault| {
            let latest = vault.latest();
            VaultStatus {
                requests: latest.requests,
                answers: latest.answers.clone(),
                last_success: latest.last_success,
            }
        });
        status
    }
}

/// Serves on `listener` from now on.
pub fn start(listener: TcpListener, shared: Shared, background: &mut Background) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    background.spawn(async move {
        match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => serve(listener, shared).await,
            Err(error) => tracing::error!(%error, "the listener cannot be used"),
        }
    })
}

async fn serve(listener: tokio::net::TcpListener, shared: Shared) {
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, or the client has gone again: neither is helped by spinning.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        open.retain(|connection| !connection.is_finished());
        if open.len() >= MAX_CONNECTIONS
            && let Some(oldest) = open.pop_front()
        {
            // Whoever is answered is answered within milliseconds, so the oldest is one that says nothing.
            oldest.abort();
        }
        let shared = shared.clone();
        let connection = tokio::spawn(async move {
            let service = service_fn(|request| {
                let response = respond(&request, &shared);
                async { Ok::<_, Infallible>(response) }
            });
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
            http.keep_alive(false).max_buf_size(16 << 10);
            // What goes wrong on a connection is the client's concern.
            let _ = timeout(MAX_CONNECTION_TIME, http.serve_connection(TokioIo::new(stream), service)).await;
        });
        open.push_back(connection.abort_handle());
    }
}

fn respond(request: &Request<Incoming>, shared: &Shared) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    let known = matches!(path, "/livez" | "/readyz" | "/metrics" | "/v1/status" | "/v1/refresh");
    let allowed = if path == "/v1/refresh" { Method::POST } else { Method::GET };
    let head = allowed == Method::GET && request.method() == Method::HEAD;
    if known && request.method() != allowed && !head {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n".into());
        let allow = HeaderValue::from_static(if allowed == Method::POST { "POST" } else { "GET, HEAD" });
        response.headers_mut().insert(ALLOW, allow);
        return response;
    }
    match path {
        "/livez" => text(StatusCode::OK, "ok\n".into()),
        "/readyz" => ready(&shared.board),
        "/metrics" => {
            let metrics = shared.status().metrics();
            typed(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", metrics)
        }
        "/v1/status" => {
            let status = serde_json::to_string_pretty(&shared.status()).unwrap_or_default();
            typed(StatusCode::OK, "application/json", status)
        }
        "/v1/refresh" => {
            shared.refresh.store(true, Ordering::Release);
            shared.waker.wake();
            text(StatusCode::ACCEPTED, "the sources are read again\n".into())
        }
        _ => text(StatusCode::NOT_FOUND, "not found\n".into()),
    }
}

fn ready(board: &Board) -> Response<Full<Bytes>> {
    let status = board.lock();
    if status.ready {
        text(StatusCode::OK, "ok\n".into())
    } else {
        let mut body = String::from("the first complete set is not there yet\n");
        status.problems.iter().for_each(|problem| {
            body.push_str(problem);
            body.push('\n');
        });
        text(StatusCode::SERVICE_UNAVAILABLE, body)
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    typed(status, "text/plain; charset=utf-8", body)
}

fn typed(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
