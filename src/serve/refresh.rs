//! `POST /v1/refresh`: waits for what comes of it, and tells.

use super::{
    connection::Connection,
    guard,
    route::{Answer, text, typed, with},
};
use crate::{
    config::value::time_limit,
    refresh::{Inbox, Verdict},
};
use hyper::{
    Request, StatusCode,
    header::{HeaderValue, RETRY_AFTER},
};
use std::time::Duration;
use tokio::time::timeout;

/// How long to wait where nothing is said: most proxies and clients give up after a minute.
const USUAL: Duration = Duration::from_secs(30);

/// A connection is held for as long.
const LONGEST: Duration = Duration::from_secs(300);

/// The loop keeps the time. If it does not turn, somebody has to say so.
const GRACE: Duration = Duration::from_secs(2);

pub(super) async fn respond<B>(request: &Request<B>, inbox: &Inbox, connection: &Connection) -> Answer {
    if let Err((status, message)) = guard::check_origin(request) {
        return text(status, message);
    }
    let within = match parse(request.uri().query().unwrap_or_default()) {
        Ok(within) => within,
        Err(message) => return text(StatusCode::BAD_REQUEST, format!("{message}\n")),
    };
    let Some(within) = within else {
        inbox.nudge();
        return text(StatusCode::ACCEPTED, "the sources are read again\n");
    };
    let Ok(place) = inbox.ask(within) else {
        let answer = text(StatusCode::TOO_MANY_REQUESTS, "too many wait for a refresh already\n");
        return with(answer, RETRY_AFTER, HeaderValue::from_static("1"));
    };
    let at_most = within + GRACE;
    let Ok(Some(answer)) = connection.wait(at_most, timeout(at_most, place.answer())).await else {
        return text(StatusCode::SERVICE_UNAVAILABLE, "the agent does not get to it; see /livez\n");
    };
    let status = match answer.verdict {
        Verdict::Done => StatusCode::OK,
        Verdict::Late => StatusCode::ACCEPTED,
        Verdict::Incomplete => StatusCode::SERVICE_UNAVAILABLE,
    };
    typed(status, "application/json", serde_json::to_string(&answer.report).unwrap_or_default() + "\n")
}

/// How long to wait, if at all: `timeout=DURATION` and `wait=true|false`.
fn parse(query: &str) -> Result<Option<Duration>, String> {
    let (mut within, mut waits) = (USUAL, true);
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some(("timeout", value)) => {
                within = time_limit(value).map_err(|expected| format!("timeout: {expected}"))?;
                if within > LONGEST {
                    return Err("timeout: longer than 5m; wait for less, or ask again".into());
                }
            }
            Some(("wait", "true")) => waits = true,
            Some(("wait", "false")) => waits = false,
            Some(("wait", _)) => return Err("wait: neither true nor false".into()),
            _ => return Err("unknown parameter; there are timeout=DURATION and wait=true|false".into()),
        }
    }
    Ok(waits.then_some(within))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_say_how_long_to_wait() {
        let seconds = |seconds| Ok(Some(Duration::from_secs(seconds)));
        for (query, expected) in [
            ("", seconds(30)),
            ("wait=true", seconds(30)),
            ("timeout=90s", seconds(90)),
            ("timeout=5m", seconds(300)),
            ("timeout=1s&wait=true", seconds(1)),
            ("wait=false", Ok(None)),
            ("wait=false&timeout=1s", Ok(None)),
        ] {
            assert_eq!(parse(query), expected, "{query}");
        }
    }

    #[test]
    fn wrong_parameters_are_named() {
        for (query, part) in [
            ("timeout=5m1s", "timeout: longer"),
            ("timeout=0s", "timeout: no time"),
            ("timeout=30", "timeout: not a duration"),
            ("timeout", "unknown"),
            ("wait=no", "wait: "),
            ("tiemout=1s", "unknown"),
        ] {
            let message = parse(query).unwrap_err();
            assert!(message.contains(part), "{query}: {message}");
        }
    }
}
