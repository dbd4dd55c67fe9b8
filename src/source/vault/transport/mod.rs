//! The only way out: every request of the SDK, to a vault or for a token, passes through [`Transport`].
//!
//! It exists because the SDK's own transport, and its retries, cannot be bounded. Here every request is
//! bounded in time and size, goes only where the configuration says, and ends either in a 2xx answer or in
//! a [`TransportError`]. That error travels inside an SDK error of kind `Other`, the one kind which the
//! SDK's retry policies (also the fixed one for IMDS) pass on at once: when to try again is decided in one
//! place, [`super::schedule`].
//!
//! Proxy variables are not read, so nothing can capture a request for a token by accident.

mod connect;
mod error;
mod imds;
mod refusal;
mod route;
pub(super) mod tls;
mod token;

pub(super) use error::{Phase, Problem, TransportError};
pub(super) use refusal::{Refusal, tidy};
pub(super) use route::{Role, Routes, Target};
pub(super) use token::{ProxyCa, TokenProxy, TokenTransport};

use async_trait::async_trait;
use azure_core::http::{
    AsyncRawResponse, HttpClient, Request, StatusCode,
    headers::{HeaderName, HeaderValue, Headers},
    request::Body,
};
use bytes::Bytes;
use connect::Peer;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{Response, body::Incoming};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime},
};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Bounds one request from the name look-up to the last byte of the answer. Key Vault and Entra answer
/// within a second; what takes this long is better tried again on a new connection.
const REQUEST_LIMIT: Duration = Duration::from_secs(20);

/// Bounds the body of an answer. A secret has at most 25 KB, a token a few; what is larger comes from
/// neither.
const BODY_LIMIT: usize = 1 << 20;

/// How many requests each host was sent, by the status of the answer; `None` where there was none.
pub type Answers = BTreeMap<(String, Option<u16>), u64>;

/// A client for a handful of known hosts.
#[derive(Debug)]
pub(super) struct Transport {
    routes: Routes,
    tls: Tls,
    peers: Mutex<BTreeMap<Target, Arc<Peer>>>,
    vault_requests: AtomicU64,
    answers: Mutex<Answers>,
}

/// `TlsConnector` has no `Debug`.
#[derive(Clone)]
struct Tls(TlsConnector);

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Transport {
    pub(super) fn new(routes: Routes, tls: Arc<rustls::ClientConfig>) -> Self {
        Self {
            routes,
            tls: Tls(tls.into()),
            peers: Mutex::default(),
            vault_requests: AtomicU64::new(0),
            answers: Mutex::default(),
        }
    }

    /// Requests sent to vaults so far.
    pub(super) fn vault_requests(&self) -> u64 {
        self.vault_requests.load(Ordering::Relaxed)
    }

    /// Closes the idle connections to `target` and forgets its addresses.
    ///
    /// Called when a round ends. The next one may be minutes away; by then the far end, or a gateway on the
    /// way, would have dropped the connection, and until then it would cost memory on both sides.
    pub(super) fn hang_up(&self, target: &Target) {
        self.peers().remove(target);
    }

    fn peers(&self) -> std::sync::MutexGuard<'_, BTreeMap<Target, Arc<Peer>>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Token endpoints are asked about once an hour, so only connections to vaults are worth sharing.
    fn peer(&self, role: Role, target: &Target) -> Arc<Peer> {
        match role {
            Role::Vault => {
                let mut peers = self.peers();
                Arc::clone(peers.entry(target.clone()).or_insert_with(|| Arc::new(Peer::new(target.clone()))))
            }
            Role::Imds => Arc::new(Peer::new(target.clone()).near()),
            Role::Entra | Role::TokenProxy => Arc::new(Peer::new(target.clone())),
        }
    }

    /// What came of the requests so far.
    pub(super) fn answers(&self) -> Answers {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count(&self, target: &Target, answer: &azure_core::Result<AsyncRawResponse>) {
        let status = match answer {
            Ok(answer) => Some(u16::from(answer.status())),
            Err(error) => match error.downcast_ref() {
                Some(TransportError { problem: Problem::Refused(refusal), .. }) => Some(refusal.status),
                _ => None,
            },
        };
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry((target.to_string(), status)).or_default() += 1;
    }

    /// Sends a request where the routes say; the answer may take until `limit`.
    async fn send(&self, request: &Request, limit: Duration) -> azure_core::Result<AsyncRawResponse> {
        let Some((role, target)) = self.routes.route(request.method(), request.url()) else {
            return Err(TransportError::not_allowed(request.url()).into());
        };
        if role == Role::Vault {
            self.vault_requests.fetch_add(1, Ordering::Relaxed);
        }
        let peer = self.peer(role, &target);
        let answer = match outgoing(&target, "", request) {
            Ok(outgoing) => exchange(role, &peer, &self.tls.0, outgoing, limit).await,
            Err(problem) => Err(TransportError::new(role, &target, problem).into()),
        };
        self.count(&target, &answer);
        answer
    }
}

/// Sends over `peer` and reads the whole answer. Good is 2xx; all else is an error.
async fn exchange(
    role: Role,
    peer: &Peer,
    tls: &TlsConnector,
    request: hyper::Request<Full<Bytes>>,
    limit: Duration,
) -> azure_core::Result<AsyncRawResponse> {
    let exchange = async {
        let (answer, sender) = peer.send(tls, request).await?;
        let answer = Answer::read(answer).await?;
        peer.give_back(sender);
        Ok(answer)
    };
    match timeout(limit, exchange).await.unwrap_or(Err(Problem::TimedOut(Phase::Answer))) {
        Ok(answer) if answer.is_success() && role == Role::Imds => {
            Ok(Answer { body: imds::with_text_times(answer.body), ..answer }.into_sdk())
        }
        Ok(answer) if answer.is_success() => Ok(answer.into_sdk()),
        Ok(answer) => Err(Problem::Refused(answer.into_refusal())),
        Err(problem) => Err(problem),
    }
    .map_err(|problem| TransportError::new(role, peer.target(), problem).into())
}

#[async_trait]
impl HttpClient for Transport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.send(request, REQUEST_LIMIT).await
    }
}

/// The request in hyper's terms, with `prefix` before its path. The host header is ours, because the request
/// may go elsewhere than its URL says.
fn outgoing(
    target: &Target,
    prefix: &str,
    request: &Request,
) -> Result<hyper::Request<Full<Bytes>>, Problem> {
    let Body::Bytes(body) = request.body() else {
        return Err(Problem::Broken("a streamed request body is not supported".into()));
    };
    let url = request.url();
    let path = format!("{prefix}{}", &url[url::Position::BeforePath..url::Position::AfterQuery]);
    let mut builder = hyper::Request::builder().method(request.method().as_ref()).uri(path);
    for (name, value) in request.headers().iter() {
        builder = builder.header(name.as_str(), value.as_str());
    }
    builder
        .header(hyper::header::HOST, target.authority())
        .body(Full::new(body.clone()))
        .map_err(|error| Problem::Broken(error.to_string()))
}

/// An answer that has arrived in full.
struct Answer {
    head: hyper::http::response::Parts,
    body: Bytes,
}

impl Answer {
    async fn read(response: Response<Incoming>) -> Result<Self, Problem> {
        let (head, body) = response.into_parts();
        let body = Limited::new(body, BODY_LIMIT).collect().await.map_err(|error| {
            Problem::Broken(if error.is::<LengthLimitError>() {
                format!("the answer is longer than {BODY_LIMIT} bytes")
            } else {
                "the connection was cut in the middle of the answer".into()
            })
        })?;
        Ok(Self { head, body: body.to_bytes() })
    }

    fn is_success(&self) -> bool {
        self.head.status.is_success()
    }

    fn into_sdk(self) -> AsyncRawResponse {
        let mut headers = Headers::new();
        for (name, value) in &self.head.headers {
            if let Ok(value) = value.to_str() {
                headers
                    .insert(HeaderName::from(name.as_str().to_owned()), HeaderValue::from(value.to_owned()));
            }
        }
        AsyncRawResponse::from_bytes(StatusCode::from(self.head.status.as_u16()), headers, self.body)
    }

    fn into_refusal(self) -> Refusal {
        let header = |name: hyper::header::HeaderName| self.head.headers.get(name)?.to_str().ok();
        Refusal::new(
            self.head.status.as_u16(),
            header(hyper::header::RETRY_AFTER),
            header(hyper::header::WWW_AUTHENTICATE),
            &self.body,
            SystemTime::now(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_core::http::Method;

    #[test]
    fn a_request_to_a_foreign_host_is_not_sent() {
        let target = |url| Target::parse(url).expect("URL");
        let routes = Routes {
            vaults: vec![target("https://v.vault.azure.net")],
            authority: target("https://login.example"),
            imds: None,
            identity_endpoint: None,
        };
        let tls = tls::client_config(Vec::new()).expect("TLS");
        let transport = Transport::new(routes, Arc::new(tls));
        let url = "https://evil.example/secrets/a".parse().expect("URL");
        let request = Request::new(url, Method::Get);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        let error = runtime.block_on(transport.execute_request(&request)).expect_err("refused");
        let error: &TransportError = error.downcast_ref().expect("ours");
        assert!(matches!(error.problem, Problem::NotAllowed));
        assert_eq!((error.host.as_str(), transport.vault_requests()), ("evil.example", 0));
    }
}
