//! Where a request goes to: URLs, and hosts with a port.

use super::Host;
use url::{Position, Url};

/// How far a request may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Not out of this pod: what is sent is neither encrypted nor meant for others.
    Pod,
    /// Wherever somebody said that it may.
    Anywhere,
}

/// Host, port, and path with query.
type Resource = (Host, u16, String);

/// `http://HOST[:PORT][/PATH][?QUERY]`.
pub(super) fn url(text: &str, reach: Reach) -> Result<Resource, &'static str> {
    const EXPECTED: &str = "not a URL; write http://HOST[:PORT][/PATH], such as http://127.0.0.1:8080/reload";
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("http") => {}
        Some("https") => {
            return Err("https is not spoken here; write the http:// address that the app has in its pod");
        }
        _ => return Err(EXPECTED),
    }
    // The standard lets a parser drop some of these silently.
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err(EXPECTED);
    }
    let url = Url::parse(text).map_err(|_| EXPECTED)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a user or a password has no place in a URL here; remove them");
    }
    if url.fragment().is_some() {
        return Err("a fragment is never sent; remove `#` and what follows it");
    }
    let host = host(url.host().ok_or(EXPECTED)?.to_owned(), reach)?;
    let port = url.port_or_known_default().filter(|port| *port > 0).ok_or(EXPECTED)?;
    Ok((host, port, url[Position::BeforePath..].to_owned()))
}

/// `HOST:PORT`.
pub(super) fn host_and_port(text: &str, reach: Reach) -> Result<(Host, u16), &'static str> {
    const EXPECTED: &str = "not an address; write HOST:PORT, such as localhost:8080";
    let (name, port) = text.rsplit_once(':').ok_or(EXPECTED)?;
    let port = Some(port).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    let port = port.and_then(|port| port.parse().ok()).filter(|port| *port > 0).ok_or(EXPECTED)?;
    Ok((host(url::Host::parse(name).map_err(|_| EXPECTED)?, reach)?, port))
}

fn host(host: url::Host, reach: Reach) -> Result<Host, &'static str> {
    let (host, is_here) = match host {
        url::Host::Domain(name) if name == "localhost" => (Host::Loopback, true),
        url::Host::Domain(name) => (Host::Name(name), false),
        url::Host::Ipv4(address) => (Host::Address(address.into()), address.is_loopback()),
        url::Host::Ipv6(address) => (Host::Address(address.into()), address.is_loopback()),
    };
    if is_here || reach == Reach::Anywhere {
        Ok(host)
    } else {
        Err("leaves this pod, in clear text; use localhost, 127.0.0.0/8 or [::1], or write a mapping with \
             `allowRemote: true`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(host: &Host, port: u16) -> String {
        format!("{host:?} {port}")
    }

    #[test]
    fn urls_of_this_pod() {
        for (text, host_and_port, path) in [
            ("http://localhost", "Loopback 80", "/"),
            ("HTTP://LocalHost:8080", "Loopback 8080", "/"),
            ("http://127.0.0.1:8080/-/reload", "Address(127.0.0.1) 8080", "/-/reload"),
            ("http://127.9.9.9/a%20b?c=d&e", "Address(127.9.9.9) 80", "/a%20b?c=d&e"),
            ("http://127.1/\u{e4}", "Address(127.0.0.1) 80", "/%C3%A4"),
            ("http://[::1]:1/a/../b", "Address(::1) 1", "/b"),
            ("http://localhost?q", "Loopback 80", "/?q"),
        ] {
            let (host, port, found) = url(text, Reach::Pod).expect(text);
            assert_eq!((shown(&host, port).as_str(), found.as_str()), (host_and_port, path), "{text}");
        }
    }

    #[test]
    fn other_machines_only_where_that_is_allowed() {
        for (name, shown_host) in [
            ("app.example", "Name(\"app.example\")"),
            ("localhost.example", "Name(\"localhost.example\")"),
            ("a.localhost", "Name(\"a.localhost\")"),
            ("10.0.0.1", "Address(10.0.0.1)"),
            ("0.0.0.0", "Address(0.0.0.0)"),
            ("128.0.0.1", "Address(128.0.0.1)"),
            ("[::]", "Address(::)"),
            ("[::ffff:127.0.0.1]", "Address(::ffff:127.0.0.1)"),
            ("[fe80::1]", "Address(fe80::1)"),
        ] {
            let (web, tcp) = (format!("http://{name}:81/"), format!("{name}:81"));
            let refused = [url(&web, Reach::Pod).err(), host_and_port(&tcp, Reach::Pod).err()];
            for refusal in refused {
                assert!(refusal.is_some_and(|text| text.starts_with("leaves this pod")), "{name}");
            }
            let (host, port, _) = url(&web, Reach::Anywhere).expect(name);
            assert_eq!(shown(&host, port), format!("{shown_host} 81"));
            let (host, port) = host_and_port(&tcp, Reach::Anywhere).expect(name);
            assert_eq!(shown(&host, port), format!("{shown_host} 81"));
        }
    }

    #[test]
    fn what_is_no_url_of_ours() {
        for (text, start) in [
            ("https://localhost/", "https is not"),
            ("HTTPS://app.example", "https is not"),
            ("http://user@localhost/", "a user"),
            ("http://user:word@localhost/", "a user"),
            ("http://:word@localhost/", "a user"),
            ("http://localhost/#top", "a fragment"),
            ("", "not a URL"),
            ("localhost:8080", "not a URL"),
            ("/reload", "not a URL"),
            ("http:localhost", "not a URL"),
            ("http://", "not a URL"),
            ("http://:80/", "not a URL"),
            ("http://localhost:0/", "not a URL"),
            ("http://localhost:65536/", "not a URL"),
            ("http://localhost/a b", "not a URL"),
            ("http://local\nhost/", "not a URL"),
            ("http://localhost\\a", "not a URL"),
            ("http://a_b c/", "not a URL"),
            ("ftp://localhost/", "not a URL"),
            ("unix:///run/app.sock", "not a URL"),
        ] {
            for reach in [Reach::Pod, Reach::Anywhere] {
                assert!(url(text, reach).is_err_and(|error| error.starts_with(start)), "{text:?}");
            }
        }
    }

    #[test]
    fn hosts_with_a_port() {
        for (text, expected) in [
            ("localhost:80", Some("Loopback 80")),
            ("127.0.0.1:65535", Some("Address(127.0.0.1) 65535")),
            ("[::1]:5432", Some("Address(::1) 5432")),
            ("::1:5432", None),
            ("localhost", None),
            ("localhost:", None),
            ("localhost:0", None),
            ("localhost:+80", None),
            ("localhost:65536", None),
            (":80", None),
            ("local host:80", None),
            ("http://localhost:80", None),
            ("", None),
        ] {
            let found = host_and_port(text, Reach::Pod).ok().map(|(host, port)| shown(&host, port));
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
