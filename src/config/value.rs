//! Values as they are written, each parsed once. Errors say what is expected and never what was there.

use super::{Endpoint, EnvName, LogFormat, Socket};
use std::{fmt, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

/// Variables with this prefix configure the agent itself.
pub(super) const OWN_PREFIX: &str = "AKV_AGENT_";

/// Long enough for any setting, and small enough that adding it to a point in time cannot overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

impl EnvName {
    /// Checks the grammar; names of the agent's own settings are refused.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut bytes = text.bytes();
        let starts = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if !starts || !bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err("not a variable name; use letters, digits and `_`, and no digit first");
        }
        if text.starts_with(OWN_PREFIX) {
            return Err("variables that start with AKV_AGENT_ are the agent's own; use another name");
        }
        Ok(Self(Arc::from(text)))
    }

    /// The variable of the version that is `place` versions older.
    #[must_use]
    pub fn previous(&self, place: u8) -> Self {
        Self(Arc::from(format!("{self}_{place}")))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EnvName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `250ms`, `5s`, `1h30m`: units from long to short, each at most once.
pub(super) fn duration(text: &str) -> Result<Duration, &'static str> {
    const EXPECTED: &str = "not a duration; write a number and a unit, such as 250ms, 5s, 2m, 1h or 1h30m";
    const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let mut millis = 0_u64;
    let mut units = UNITS.iter();
    let mut rest = text;
    loop {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let letters = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let (_, factor) = units.find(|(known, _)| *known == unit).ok_or(EXPECTED)?;
        let number: u64 = number.parse().map_err(|_| EXPECTED)?;
        let part = number.checked_mul(*factor).ok_or(TOO_LONG)?;
        millis = millis.checked_add(part).ok_or(TOO_LONG)?;
        if after.is_empty() {
            break;
        }
        rest = after;
    }
    let duration = Duration::from_millis(millis);
    if duration > LONGEST { Err(TOO_LONG) } else { Ok(duration) }
}

const TOO_LONG: &str = "longer than a year; write a shorter duration";

/// A duration of at least a second: more often would be an attack on the vault.
pub(super) fn interval(text: &str) -> Result<Duration, &'static str> {
    at_least(text, Duration::from_secs(1), "shorter than 1s; write 1s or more")
}

/// A duration that leaves time for anything at all.
pub(crate) fn time_limit(text: &str) -> Result<Duration, &'static str> {
    at_least(text, Duration::from_millis(1), "no time at all; write more than 0s")
}

fn at_least(text: &str, minimum: Duration, otherwise: &'static str) -> Result<Duration, &'static str> {
    match duration(text)? {
        duration if duration < minimum => Err(otherwise),
        duration => Ok(duration),
    }
}

/// `off`, also as the boolean that YAML 1.1 tools on the way here make of it.
pub(super) fn is_off(text: &str) -> bool {
    text.eq_ignore_ascii_case("off") || text == "false"
}

/// Permission bits in octal. Only the owner may get the right to write.
pub(super) fn mode(text: &str) -> Result<u32, &'static str> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let is_octal = matches!(digits.len(), 3 | 4) && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    match u32::from_str_radix(digits, 8) {
        Ok(mode) if is_octal && mode > 0o777 => Err("special bits are not allowed; write at most \"0755\""),
        Ok(mode) if is_octal && mode & 0o022 != 0 => {
            Err("group and others must not be able to write; write a mode such as \"0440\"")
        }
        Ok(mode) if is_octal => Ok(mode),
        _ => Err("not an octal file mode; write three or four octal digits in quotes, such as \"0440\""),
    }
}

/// A path that means the same whatever the working directory is.
pub(super) fn path(text: &str) -> Result<PathBuf, &'static str> {
    if text.contains(char::is_control) {
        return Err("control characters in a path; write an absolute path");
    }
    if !text.starts_with('/') {
        return Err("not an absolute path; start it with `/`");
    }
    Ok(PathBuf::from(text))
}

/// A path of something that is not a directory.
pub(super) fn file_path(text: &str) -> Result<PathBuf, &'static str> {
    let path = path(text)?;
    if text.ends_with(['/']) || text.ends_with("/.") || path.file_name().is_none() {
        return Err("a directory; name a file");
    }
    Ok(path)
}

/// An address to listen at.
pub(super) fn socket(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "not an address; write IP:PORT such as 127.0.0.1:9808, or off")
}

/// A socket that the child is handed: `[NAME=]IP:PORT` or `[NAME=]/path`, the latter also as `unix:/path`.
pub(crate) fn handed_socket(text: &str) -> Result<Socket, &'static str> {
    const EXPECTED: &str = "not a place to listen at; write IP:PORT such as 0.0.0.0:8080, or unix:/path, with NAME= before it if \
         the program tells its sockets apart by name";
    // An address has no `=`; a path may have one, but then not before its first `/`.
    let (name, place) = match text.split_once('=') {
        Some((name, place)) if !name.contains('/') => (name, place),
        // What sd_listen_fds_with_names(3) says of a socket that has none.
        _ => ("unknown", text),
    };
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if name.is_empty() || name.len() > 255 || !name.bytes().all(is_word) {
        return Err("not a name of a socket; use letters, digits, `.`, `_` and `-`");
    }
    let endpoint = match place.strip_prefix("unix:").or_else(|| place.starts_with('/').then_some(place)) {
        Some(path) => {
            let path = file_path(path)?;
            if path.as_os_str().len() > LONGEST_SOCKET_PATH {
                return Err("longer than the 107 bytes that the path of a socket can have");
            }
            Endpoint::Unix(path)
        }
        None => match place.parse::<SocketAddr>() {
            // The child could be told of a port that the kernel chose, but nobody else.
            Ok(address) if address.port() == 0 => return Err("port 0; write the port that clients use"),
            Ok(address) => Endpoint::Tcp(address),
            Err(_) => return Err(EXPECTED),
        },
    };
    Ok(Socket { name: name.to_owned(), endpoint })
}

/// `sun_path` of unix(7), without the NUL at its end.
const LONGEST_SOCKET_PATH: usize = 107;

/// A log level.
pub(super) fn level(text: &str) -> Result<tracing::Level, &'static str> {
    Ok(match text.to_ascii_lowercase().as_str() {
        "error" => tracing::Level::ERROR,
        "warn" => tracing::Level::WARN,
        "info" => tracing::Level::INFO,
        "debug" => tracing::Level::DEBUG,
        "trace" => tracing::Level::TRACE,
        _ => return Err("unknown level; use error, warn, info, debug or trace"),
    })
}

/// A log format.
pub(super) fn log_format(text: &str) -> Result<LogFormat, &'static str> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("unknown format; use text or json"),
    }
}

/// A glob over variable names.
pub(super) fn glob(text: &str) -> Result<String, &'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'*' | b'?');
    if text.is_empty() || !text.bytes().all(allowed) {
        return Err("not a pattern of variable names; use letters, digits, `_`, `*` and `?`");
    }
    Ok(text.to_owned())
}

/// How often.
pub(super) fn count(text: &str) -> Result<u32, &'static str> {
    const EXPECTED: &str = "not a whole number; write one such as 10";
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_err(|_| EXPECTED)
    } else {
        Err(EXPECTED)
    }
}

/// How many previous versions of a secret are wanted.
pub(super) fn history(text: &str) -> Result<u8, &'static str> {
    text.parse()
        .ok()
        .filter(|count| (1..=20).contains(count))
        .ok_or("not a number of previous versions; use 1 to 20")
}

/// What the names of secrets start with.
pub(super) fn name_prefix(text: &str) -> Result<String, &'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if text.is_empty() || text.len() > 127 || !text.bytes().all(allowed) {
        return Err("no secret's name starts like that; use letters, digits and hyphens, without `*`");
    }
    Ok(text.to_owned())
}

/// A tenant or client id. Mostly a UUID; a tenant may be a domain name. It becomes part of a URL.
pub(crate) fn entra_id(text: &str) -> Result<String, &'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    if text.is_empty() || text.len() > 253 || !text.bytes().all(allowed) {
        return Err("not an id; write the UUID that Microsoft Entra shows");
    }
    Ok(text.to_owned())
}

/// The Azure resource id of an identity.
pub(super) fn resource_id(text: &str) -> Result<String, &'static str> {
    let allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'(' | b')');
    if !text.to_ascii_lowercase().starts_with("/subscriptions/") || !text.bytes().all(allowed) {
        return Err("not a resource id; write /subscriptions/.../userAssignedIdentities/NAME");
    }
    Ok(text.to_owned())
}

/// Name or id of a subscription. It becomes part of a command line.
pub(super) fn subscription(text: &str) -> Result<String, &'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-' | b'_' | b'.');
    if text.is_empty() || text.starts_with('-') || !text.bytes().all(allowed) {
        return Err("not a subscription; write its id");
    }
    Ok(text.to_owned())
}

/// The base URL of a token proxy, which may have a path.
pub(crate) fn proxy_url(text: &str) -> Result<String, &'static str> {
    const EXPECTED: &str = "not the address of a token proxy; write https://HOST[:PORT][/PATH]";
    let url = url::Url::parse(text).map_err(|_| EXPECTED)?;
    let plain = url.username().is_empty() && url.password().is_none();
    if url.scheme() != "https" || !plain || url.query().is_some() || url.fragment().is_some() {
        return Err(EXPECTED);
    }
    Ok(text.to_owned())
}

/// The name of a server in TLS.
pub(crate) fn server_name(text: &str) -> Result<String, &'static str> {
    match rustls::pki_types::ServerName::try_from(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("not a host name"),
    }
}

/// A boolean.
pub(crate) fn flag(text: &str) -> Result<bool, &'static str> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Ok(true),
        "false" | "no" | "0" => Ok(false),
        _ => Err("neither true nor false"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_from_long_to_short() {
        for (text, millis) in [
            ("0s", 0),
            ("250ms", 250),
            ("5s", 5_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("1h30m", 5_400_000),
            ("1m1ms", 60_001),
            ("1h1m1s1ms", 3_661_001),
            ("90m", 5_400_000),
            ("8760h", 31_536_000_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in [
            "", "5", "s", "-5s", "+5s", "5 s", "5s ", "1.5s", "5S", "5d", "5us", "1m1h", "1s1s", "1m2",
            "1ms1s", "\u{665}s",
        ] {
            assert!(duration(text).is_err_and(|error| error.starts_with("not a duration")), "{text}");
        }
        for text in ["8761h", "18446744073709551615ms", "18446744073709551615h", "18446744073709551615ms1ms"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn modes_are_octal_and_only_the_owner_writes() {
        for (text, bits) in [("0440", 0o440), ("440", 0o440), ("0o644", 0o644), ("0755", 0o755), ("000", 0)] {
            assert_eq!(mode(text), Ok(bits), "{text}");
        }
        for (text, start) in [
            ("288", "not an octal"),
            ("", "not an octal"),
            ("44", "not an octal"),
            ("00440", "not an octal"),
            ("+440", "not an octal"),
            ("0x1a0", "not an octal"),
            ("rw-r--r--", "not an octal"),
            ("4755", "special bits"),
            ("1000", "special bits"),
            ("0460", "group and others"),
            ("0442", "group and others"),
            ("0777", "group and others"),
        ] {
            assert!(mode(text).is_err_and(|error| error.starts_with(start)), "{text}");
        }
    }

    #[test]
    fn variable_names_are_those_of_a_shell() {
        for text in ["A", "_", "a1_B", "_1", "AKV_AGENT"] {
            assert_eq!(EnvName::parse(text).map(|name| name.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "1A", "A-B", "A.B", "A B", "A=B", "\u{e4}", "AKV_AGENT_", "AKV_AGENT_VAULT"] {
            assert!(EnvName::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_is_named_by_an_absolute_path() {
        assert_eq!(file_path("/run/app.env"), Ok(PathBuf::from("/run/app.env")));
        for text in ["", "app.env", "./app.env", "~/app.env", "/", "/run/", "/run/..", "/run/.", "/run/a\n"] {
            assert!(file_path(text).is_err(), "{text}");
        }
        assert_eq!(path("/"), Ok(PathBuf::from("/")));
    }

    #[test]
    fn a_socket_is_named_by_an_address_or_a_path() {
        for (text, name, shown) in [
            ("0.0.0.0:8080", "unknown", "0.0.0.0:8080"),
            ("[::]:8080", "unknown", "[::]:8080"),
            ("http=[::1]:8080", "http", "[::1]:8080"),
            ("/run/app.sock", "unknown", "unix:/run/app.sock"),
            ("unix:/run/app.sock", "unknown", "unix:/run/app.sock"),
            ("admin.v2=/run/a=b", "admin.v2", "unix:/run/a=b"),
            ("/run/a=b", "unknown", "unix:/run/a=b"),
        ] {
            let socket = handed_socket(text).map(|socket| (socket.name, socket.endpoint.to_string()));
            assert_eq!(socket, Ok((name.to_owned(), shown.to_owned())), "{text}");
        }
        for (text, part) in [
            ("", "IP:PORT"),
            ("8080", "IP:PORT"),
            (":8080", "IP:PORT"),
            ("localhost:8080", "IP:PORT"),
            ("app.sock", "IP:PORT"),
            ("127.0.0.1:0", "port 0"),
            ("=127.0.0.1:80", "name"),
            ("a:b=127.0.0.1:80", "name"),
            ("unix:app.sock", "absolute"),
            ("unix:/run/", "name a file"),
            (&format!("/{}", "a".repeat(107)), "107"),
        ] {
            assert!(handed_socket(text).is_err_and(|error| error.contains(part)), "{text}");
        }
        assert!(handed_socket(&format!("/{}", "a".repeat(106))).is_ok());
    }
}
