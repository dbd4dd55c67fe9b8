//! Values as they are written, each parsed once. Errors say what is expected and never what was there.

use super::{EnvName, LogFormat};
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
pub(super) fn time_limit(text: &str) -> Result<Duration, &'static str> {
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

/// The name of an env file's format.
pub(super) fn env_file_format(text: &str) -> Result<String, &'static str> {
    match text {
        "shell" | "kubelet" => Ok(text.to_owned()),
        "docker" | "json" | "yaml" | "properties" => {
            Err("this format is not supported by this version; use shell or kubelet")
        }
        _ => Err("unknown format; use shell or kubelet"),
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

/// A tenant or client id. Mostly a UUID; a tenant may be a domain name. It becomes part of a URL.
pub(super) fn entra_id(text: &str) -> Result<String, &'static str> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    if text.is_empty() || text.len() > 253 || !text.bytes().all(allowed) {
        return Err("not an id; write the UUID that Microsoft Entra shows");
    }
    Ok(text.to_owned())
}
