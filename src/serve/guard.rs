//! Keeps a web page in somebody's browser from asking an agent that runs on the same machine, or that is
//! forwarded to it.
//!
//! A page can make its browser send requests to any address. What comes back it may read only if it is of the
//! page's own host; so an attacker gives his host name our address (DNS rebinding), and the request names that
//! host. And what a plain form can send, a page may send to any host, if without reading the answer.

use hyper::{
    Request, StatusCode,
    header::{CONTENT_TYPE, HOST, ORIGIN},
    http::uri::Authority,
};
use std::net::IpAddr;

/// Why a request is not answered.
pub(super) type Refusal = (StatusCode, &'static str);

/// The types that a form can send.
const FORM_TYPES: [&str; 3] = ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"];

/// Refuses a request that names another host than this one. `local` is the address that it came in at.
pub(super) fn check_host<B>(request: &Request<B>, local: IpAddr) -> Result<(), Refusal> {
    let is_ours = authority(request).is_some_and(|authority| {
        // No client sends a user in a host; a parser that is tricked by one is somebody else's.
        !authority.as_str().contains('@') && is_ours(authority.host(), local)
    });
    if is_ours {
        return Ok(());
    }
    let message = "this agent answers under its own addresses and the name localhost only\n";
    Err((StatusCode::MISDIRECTED_REQUEST, message))
}

/// Refuses what a web page of another host can make a browser send.
pub(super) fn check_origin<B>(request: &Request<B>) -> Result<(), Refusal> {
    if request.headers().contains_key(ORIGIN) {
        return Err((StatusCode::FORBIDDEN, "a refresh cannot be asked for by a web page\n"));
    }
    let is_form = request.headers().get_all(CONTENT_TYPE).iter().any(|kind| {
        let kind = String::from_utf8_lossy(kind.as_bytes());
        let essence = kind.split(';').next().unwrap_or_default().trim();
        FORM_TYPES.iter().any(|form| essence.eq_ignore_ascii_case(form))
    });
    if is_form {
        let message = "a refresh cannot be asked for by a form; send no body and no content type\n";
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
    }
    Ok(())
}

/// The host that is asked: of a request for a whole URL its own, as in RFC 9112.
fn authority<B>(request: &Request<B>) -> Option<Authority> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.clone());
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => Authority::try_from(host.as_bytes()).ok(),
        _ => None,
    }
}

fn is_ours(host: &str, local: IpAddr) -> bool {
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
        Ok(address) => address.is_loopback() || address == local.to_canonical(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(uri: &str, headers: &[(&str, &str)]) -> Request<()> {
        let request = Request::builder().uri(uri);
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(()).unwrap()
    }

    fn status(checked: Result<(), Refusal>) -> u16 {
        checked.map_or_else(|(status, _)| status.as_u16(), |()| 200)
    }

    #[test]
    fn only_our_own_names_are_answered() {
        for (local, host, expected) in [
            ("127.0.0.1", "127.0.0.1:9808", 200),
            ("127.0.0.1", "127.0.0.1", 200),
            ("127.0.0.1", "127.1.2.3:1", 200),
            ("127.0.0.1", "localhost:9808", 200),
            ("127.0.0.1", "LOCALHOST", 200),
            ("::1", "[::1]:9808", 200),
            ("10.1.2.3", "10.1.2.3:9808", 200),
            ("::ffff:10.1.2.3", "10.1.2.3:9808", 200),
            ("fd00::1", "[fd00:0::1]:9808", 200),
            // Forwarded to the pod, under the forwarder's own name for it.
            ("10.1.2.3", "localhost:8080", 200),
            ("127.0.0.1", "10.1.2.3:9808", 421),
            ("10.1.2.3", "10.1.2.4:9808", 421),
            ("127.0.0.1", "evil.example:9808", 421),
            ("127.0.0.1", "localhost.evil.example", 421),
            ("127.0.0.1", "127.0.0.1.evil.example", 421),
            ("127.0.0.1", "evil.localhost", 421),
            ("127.0.0.1", "localhost:80@evil.example", 421),
            ("127.0.0.1", "evil.example@localhost", 421),
            ("127.0.0.1", "0.0.0.0", 421),
            ("127.0.0.1", "2130706433", 421),
            ("127.0.0.1", "", 421),
            ("127.0.0.1", "localhost evil.example", 421),
        ] {
            let got = check_host(&request("/v1/status", &[("host", host)]), local.parse().unwrap());
            assert_eq!(status(got), expected, "{host:?} at {local}");
        }
    }

    #[test]
    fn a_request_names_one_host() {
        let local = "127.0.0.1".parse().unwrap();
        let check = |uri, headers: &[_]| status(check_host(&request(uri, headers), local));
        assert_eq!(check("/", &[]), 421);
        assert_eq!(check("/", &[("host", "localhost"), ("host", "evil.example")]), 421);
        assert_eq!(check("http://evil.example/", &[("host", "localhost")]), 421);
        assert_eq!(check("http://localhost/", &[("host", "evil.example")]), 200);
    }

    #[test]
    fn what_a_page_or_a_form_sends_is_refused() {
        for (headers, expected) in [
            (&[][..], 200),
            (&[("content-type", "application/json")], 200),
            (&[("origin", "http://localhost:9808")], 403),
            (&[("origin", "null")], 403),
            (&[("content-type", "application/x-www-form-urlencoded")], 415),
            (&[("content-type", "Multipart/Form-Data; boundary=x")], 415),
            (&[("content-type", "text/plain;charset=utf-8")], 415),
            (&[("content-type", "application/json"), ("content-type", "text/plain")], 415),
        ] {
            assert_eq!(status(check_origin(&request("/v1/refresh", headers))), expected, "{headers:?}");
        }
    }
}
