//! What is answered to which request.

use super::{Shared, connection::Connection, guard, page, refresh};
use crate::{status::Board, view::View};
use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
        REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    },
};
use std::time::{Duration, Instant, SystemTime};

/// What is said to a client.
pub(super) type Answer = Response<Full<Bytes>>;

/// A turn of the loop takes milliseconds. One that takes longer than this hangs in a file system, and then no
/// signal is forwarded and no change is followed.
const LONGEST_TURN: Duration = Duration::from_secs(10);

/// Answers a request.
pub(super) async fn respond(request: Request<Incoming>, shared: &Shared, connection: &Connection) -> Answer {
    let path = request.uri().path();
    let allowed = match path {
        "/" | "/livez" | "/readyz" | "/metrics" | "/v1/status" => [Method::GET, Method::HEAD].as_slice(),
        "/v1/refresh" => &[Method::POST],
        _ => return text(StatusCode::NOT_FOUND, "not found\n"),
    };
    // Probes and scrapers come under whatever name they know the pod by, and get nothing that is not theirs.
    let is_open = matches!(path, "/livez" | "/readyz" | "/metrics");
    if !is_open && let Err((status, message)) = guard::check_host(&request, connection.local) {
        return text(status, message);
    }
    if !allowed.contains(request.method()) {
        let allow = HeaderValue::from_static(if path == "/v1/refresh" { "POST" } else { "GET, HEAD" });
        return with(text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n"), ALLOW, allow);
    }
    match path {
        "/" => people(shared),
        "/livez" => live(shared.heartbeat.working_for(Instant::now())),
        "/readyz" => ready(&shared.board),
        "/metrics" => {
            typed(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", shared.status().metrics())
        }
        "/v1/status" => {
            let status = serde_json::to_string_pretty(&shared.status()).unwrap_or_default();
            typed(StatusCode::OK, "application/json", status)
        }
        _ => refresh::respond(&request, &shared.refresh, connection).await,
    }
}

fn live(working_for: Option<Duration>) -> Answer {
    match working_for {
        Some(turn) if turn > LONGEST_TURN => {
            let seconds = turn.as_secs();
            let message = format!(
                "the agent has been busy with one thing for {seconds} s; does a file system hang that it reads \
                 or writes?\n"
            );
            text(StatusCode::SERVICE_UNAVAILABLE, message)
        }
        _ => text(StatusCode::OK, "ok\n"),
    }
}

fn ready(board: &Board) -> Answer {
    let status = board.lock();
    if status.ready {
        text(StatusCode::OK, "ok\n")
    } else {
        let mut body = String::from("the first complete set is not there yet\n");
        status.problems.iter().for_each(|problem| {
            body.push_str(problem);
            body.push('\n');
        });
        text(StatusCode::SERVICE_UNAVAILABLE, body)
    }
}

fn people(shared: &Shared) -> Answer {
    let status = serde_json::to_value(shared.status()).unwrap_or_default();
    let Some(view) = View::of(&status, SystemTime::now()) else {
        return text(StatusCode::INTERNAL_SERVER_ERROR, "the status cannot be shown\n");
    };
    let answer = typed(StatusCode::OK, "text/html; charset=utf-8", page::Page(&view).to_string());
    let headers = [
        (CONTENT_SECURITY_POLICY, page::CONTENT_SECURITY_POLICY),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    headers
        .into_iter()
        .fold(answer, |answer, (name, value)| with(answer, name, HeaderValue::from_static(value)))
}

/// An answer for people and logs.
pub(super) fn text(status: StatusCode, body: impl Into<String>) -> Answer {
    typed(status, "text/plain; charset=utf-8", body.into())
}

/// An answer of a type.
pub(super) fn typed(status: StatusCode, kind: &'static str, body: String) -> Answer {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    with(response, CONTENT_TYPE, HeaderValue::from_static(kind))
}

/// The answer with one more header.
pub(super) fn with(mut answer: Answer, name: HeaderName, value: HeaderValue) -> Answer {
    answer.headers_mut().insert(name, value);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_waits_lives_and_one_that_works_for_too_long_does_not() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        for (working_for, expected) in
            [(None, 200), (seconds(0), 200), (seconds(10), 200), (seconds(11), 503)]
        {
            assert_eq!(live(working_for).status(), expected, "{working_for:?}");
        }
    }
}
