//! Sockets: accepts connections, hands whole requests to the interfaces, and lets faults have their way.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use crate::api::{self, Answer, ApiError, Request, empty_answer};
use crate::faults::{Action, Endpoint, Target};
use crate::log::RequestRecord;
use crate::payload::Payload;
use crate::token_proxy::PREFIX;
use crate::util::guid;
use crate::world::World;

/// Far above the largest value a vault takes.
const MAX_BODY: usize = 1 << 20;

/// Which of the two listeners a request came through.
#[derive(Clone)]
pub(crate) enum Side {
    /// Key Vault and Entra, over TLS.
    Tls(TlsAcceptor),
    /// The token proxy of an identity binding, over TLS.
    TokenProxy(TlsAcceptor),
    /// Identity endpoints and control, which are plain HTTP in the real world too.
    Plain,
}

/// Serves one listener for ever; dropping the future and its runtime ends every connection.
pub(crate) async fn serve(listener: TcpListener, side: Side, world: Arc<World>) {
    loop {
        // A failed accept concerns one client, or is out of descriptors and worth another try after a moment.
        let Ok((stream, _)) = listener.accept().await else {
            sleep(std::time::Duration::from_millis(10)).await;
            continue;
        };
        let _ = stream.set_nodelay(true);
        let (side, world) = (side.clone(), Arc::clone(&world));
        tokio::spawn(async move {
            match &side {
                Side::Tls(acceptor) | Side::TokenProxy(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        connection(stream, &side, &world).await;
                    }
                }
                Side::Plain => connection(stream, &side, &world).await,
            }
        });
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, side: &Side, world: &World) {
    let service = service_fn(|request| async move {
        let request = read(request).await.map_err(|_| Cut)?;
        answer(world, side, &request).await
    });
    // Errors here are clients that went away and connections that a fault has cut.
    let _ = hyper::server::conn::http1::Builder::new()
        // Head and body leave in one write.
        .writev(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// The connection is closed instead of answered.
#[derive(Debug)]
struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the connection was cut")
    }
}

impl std::error::Error for Cut {}

async fn read(
    request: hyper::Request<Incoming>,
) -> Result<Request, Box<dyn std::error::Error + Send + Sync>> {
    let (head, body) = request.into_parts();
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    Ok(Request {
        method: head.method.as_str().to_owned(),
        host,
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body: Limited::new(body, MAX_BODY).collect().await?.to_bytes(),
    })
}

async fn answer(world: &World, side: &Side, request: &Request) -> Result<Response<Payload>, Cut> {
    if matches!(side, Side::Plain) && api::control::owns(&request.path) {
        return Ok(respond(api::control::answer(world, request), Payload::whole));
    }
    let endpoint = endpoint(side, &request.path);
    let vault = request.vault().to_ascii_lowercase();
    let authenticated = endpoint == Endpoint::Vault && world.authenticated(request);
    let hit = world.faults.take(&Target {
        endpoint,
        method: &request.method,
        vault: &vault,
        secret: api::vault::name_in(&request.path),
        path: &request.path,
        authenticated,
    });
    if !hit.delay.is_zero() {
        sleep(hit.delay).await;
    }
    let response = misbehave(world, endpoint, hit.action, || match endpoint {
        Endpoint::Vault => refused(world, &vault, authenticated)
            .unwrap_or_else(|| api::vault::answer(world, request, authenticated)),
        Endpoint::Token => api::entra::answer(world, request, matches!(side, Side::TokenProxy(_))),
        Endpoint::Imds => api::imds::answer(world, request),
        Endpoint::Other => ApiError::no_such_resource().into(),
    });
    world.log.add(RequestRecord {
        endpoint,
        vault,
        method: request.method.clone(),
        path: request.path.clone(),
        query: request.query.clone(),
        status: response.as_ref().map_or(0, |response| response.status().as_u16()),
        authenticated,
    });
    response
}

fn endpoint(side: &Side, path: &str) -> Endpoint {
    match side {
        Side::Tls(_) if api::vault::owns(path) => Endpoint::Vault,
        Side::Tls(_) if api::entra::owns(path) => Endpoint::Token,
        Side::TokenProxy(_) if path.strip_prefix(PREFIX).is_some_and(api::entra::owns) => Endpoint::Token,
        Side::Plain if api::imds::owns(path) => Endpoint::Imds,
        _ => Endpoint::Other,
    }
}

/// The answer to a request that is beyond the vault's limit. Without a token there is no transaction.
fn refused(world: &World, vault: &str, authenticated: bool) -> Option<Answer> {
    let left = authenticated.then(|| world.gate.pass(vault).err())??;
    let mut answer = Answer::from(ApiError::for_status(429));
    if world.gate.throttle().is_some_and(|throttle| throttle.retry_after) {
        // In whole seconds, and not before the window has ended.
        answer.headers.push(("retry-after", left.as_nanos().div_ceil(1_000_000_000).to_string()));
    }
    Some(answer)
}

/// Gives the proper answer, or what a fault makes of it.
fn misbehave(
    world: &World,
    endpoint: Endpoint,
    action: Option<Action>,
    proper: impl FnOnce() -> Answer,
) -> Result<Response<Payload>, Cut> {
    Ok(match action {
        None | Some(Action::Latency { .. }) => respond(proper(), Payload::whole),
        Some(Action::Cut) => return Err(Cut),
        Some(Action::CutBody) => respond(proper(), |body| Payload::cut(&body)),
        Some(Action::Truncate) => respond(proper(), |body| Payload::whole(body.slice(..body.len() / 2))),
        Some(Action::SlowBody { millis, pieces }) => {
            respond(proper(), |body| Payload::pieces(body, pieces, millis))
        }
        Some(Action::Enlarge { bytes }) => {
            let mut answer = proper();
            answer.body = enlarge(world, &answer.body, bytes);
            respond(answer, Payload::whole)
        }
        Some(Action::NextLink { url }) => {
            let mut answer = proper();
            answer.body = with_next_link(&answer.body, url);
            respond(answer, Payload::whole)
        }
        Some(Action::WrongShape) => {
            let body = serde_json::json!([{"unexpected": {"shape": true}}]);
            respond(api::json_answer(200, &body), Payload::whole)
        }
        Some(Action::Status { status, retry_after, body, content_type }) => {
            let mut answer = default_answer(world, endpoint, status);
            if let Some(body) = body {
                answer.body = Bytes::from(body);
            }
            if let Some(content_type) = content_type {
                answer.content_type = content_type;
            }
            answer.headers.extend(retry_after.map(|value| ("retry-after", value)));
            respond(answer, Payload::whole)
        }
    })
}

fn enlarge(world: &World, body: &Bytes, bytes: usize) -> Bytes {
    let Ok(mut answer) = serde_json::from_slice::<serde_json::Value>(body) else { return body.clone() };
    let repeat = |text: &str| {
        let mut long = text.repeat(bytes / text.len().max(1) + 1);
        long.truncate((0..=bytes.min(long.len())).rev().find(|&end| long.is_char_boundary(end)).unwrap_or(0));
        long
    };
    if let Some(value) = answer["value"].as_str().map(repeat) {
        answer["value"] = value.into();
    }
    if let Some(token) = answer["access_token"].as_str() {
        let long = repeat(token);
        world.also_accept(&long, token);
        answer["access_token"] = long.into();
    }
    Bytes::from(answer.to_string())
}

/// Leaves alone what is not a list.
fn with_next_link(body: &Bytes, url: String) -> Bytes {
    match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(mut answer) if answer["value"].is_array() => {
            answer["nextLink"] = url.into();
            Bytes::from(answer.to_string())
        }
        _ => body.clone(),
    }
}

fn default_answer(world: &World, endpoint: Endpoint, status: u16) -> Answer {
    if status < 400 {
        return empty_answer(status);
    }
    match endpoint {
        Endpoint::Token => api::entra::answer_for_status(status),
        Endpoint::Imds => api::imds::answer_for_status(status),
        Endpoint::Vault | Endpoint::Other => {
            let mut answer = Answer::from(ApiError::for_status(status));
            if status == 401 {
                answer.headers.push(("www-authenticate", world.challenge()));
            }
            answer
        }
    }
}

fn respond(answer: Answer, payload: impl FnOnce(Bytes) -> Payload) -> Response<Payload> {
    let mut response = Response::builder()
        .status(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header(CACHE_CONTROL, "no-cache")
        .header("x-ms-request-id", guid());
    if !answer.body.is_empty() {
        response = response.header(CONTENT_TYPE, answer.content_type);
    }
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(payload(answer.body)).unwrap_or_else(|_| {
        // Only a fault can ask for a header value that is not one.
        let mut response = Response::new(Payload::whole(Bytes::new()));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}
