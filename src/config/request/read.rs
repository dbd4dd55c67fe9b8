//! Reads requests, connections and commands.

use super::{
    super::{
        setting::{Fields, Setting, Written},
        value,
    },
    Check, Command, HttpRequest, Method,
    address::{self, Reach},
};
use std::time::Duration;

/// What is in the same pod answers at once, or hangs.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// Reloading a large server takes a while.
const DEFAULT_COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
const SUCCESS: (u16, u16) = (200, 299);

/// Every check that is written, by `http`, `tcp` or `command`. What is wrong with one has been reported.
pub(in crate::config) fn checks(fields: &mut Fields<'_>) -> Vec<Option<Check>> {
    let mut found = Vec::new();
    if let Some(setting) = fields.take("http") {
        found.push(http(&setting, Method::Get).map(Check::Http));
    }
    if let Some(setting) = fields.take("tcp") {
        found.push(tcp(&setting));
    }
    if let Some(setting) = fields.take("command") {
        found.push(command(&setting).map(Check::Command));
    }
    found
}

/// A URL, or a mapping with one. `method` is the default.
pub(in crate::config) fn http(setting: &Setting<'_>, method: Method) -> Option<HttpRequest> {
    if let Written::Text(_) = setting.written {
        return setting.parse(|text| short_http(text, method));
    }
    let mut fields = setting.fields(&["url", "method", "expect", "timeout", "allowRemote"], &[])?;
    let reach = reach(&mut fields);
    let url = fields.take("url");
    if url.is_none() {
        setting.problem("a request needs the key url, such as http://127.0.0.1:8080/reload");
    }
    let url = url.and_then(|setting| setting.parse(|text| address::url(text, reach)));
    let method = fields.take("method").map_or(Some(method), |setting| setting.parse(self::method));
    let expect = fields.take("expect").map_or(Some(SUCCESS), |setting| setting.parse(expect));
    let timeout = timeout(&mut fields, DEFAULT_TIMEOUT);
    let (host, port, path) = url?;
    Some(HttpRequest { method: method?, host, port, path, expect: expect?, timeout: timeout? })
}

/// The URL alone.
pub(in crate::config) fn short_http(text: &str, method: Method) -> Result<HttpRequest, &'static str> {
    let (host, port, path) = address::url(text, Reach::Pod)?;
    Ok(HttpRequest { method, host, port, path, expect: SUCCESS, timeout: DEFAULT_TIMEOUT })
}

/// `HOST:PORT`, or a mapping with it.
fn tcp(setting: &Setting<'_>) -> Option<Check> {
    let (address, timeout) = if let Written::Text(_) = setting.written {
        (setting.parse(|text| address::host_and_port(text, Reach::Pod)), Some(DEFAULT_TIMEOUT))
    } else {
        let mut fields = setting.fields(&["address", "timeout", "allowRemote"], &[])?;
        let reach = reach(&mut fields);
        let address = fields.take("address");
        if address.is_none() {
            setting.problem("a connection needs the key address, such as localhost:8080");
        }
        let address = address.and_then(|setting| setting.parse(|text| address::host_and_port(text, reach)));
        (address, timeout(&mut fields, DEFAULT_TIMEOUT))
    };
    let (host, port) = address?;
    Some(Check::Tcp { host, port, timeout: timeout? })
}

/// A list of the program and its arguments, or a mapping with one.
pub(in crate::config) fn command(setting: &Setting<'_>) -> Option<Command> {
    if !matches!(setting.written, Written::Map(_)) {
        return Some(Command { argv: arguments(setting)?, timeout: DEFAULT_COMMAND_TIMEOUT });
    }
    let mut fields = setting.fields(&["argv", "timeout"], &[])?;
    let argv = fields.take("argv");
    if argv.is_none() {
        setting.problem("a command needs the key argv, such as [nginx, -s, reload]");
    }
    let argv = argv.and_then(|setting| arguments(&setting));
    let timeout = timeout(&mut fields, DEFAULT_COMMAND_TIMEOUT);
    Some(Command { argv: argv?, timeout: timeout? })
}

/// Words, separated by white space. There is no shell, so what looks like a need for one is refused.
pub(in crate::config) fn short_command(text: &str) -> Result<Command, &'static str> {
    if text.contains(['\'', '"']) {
        return Err("quotes mean nothing here, where white space separates the words; write `command` as a \
                    list in the file");
    }
    let argv: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    if argv.is_empty() {
        return Err("which program? Write command:PROGRAM ARGUMENT...");
    }
    Ok(Command { argv, timeout: DEFAULT_COMMAND_TIMEOUT })
}

fn arguments(setting: &Setting<'_>) -> Option<Vec<String>> {
    let Some(items) = setting.list().filter(|items| !items.is_empty()) else {
        setting.problem("a list of the program and its arguments is expected, such as [nginx, -s, reload]");
        return None;
    };
    let arguments = items.iter().enumerate().map(|(index, item)| {
        item.parse(|text| match text {
            "" if index == 0 => Err("the program has no name"),
            text if text.contains('\0') => Err("no argument can have a NUL byte in it"),
            text => Ok(text.to_owned()),
        })
    });
    // Each one is looked at, so that all problems are reported.
    arguments.collect::<Vec<_>>().into_iter().collect()
}

/// Where this is wrong the address is not blamed as well.
fn reach(fields: &mut Fields<'_>) -> Reach {
    match fields.take("allowRemote").map_or(Some(false), |setting| setting.parse(value::flag)) {
        Some(false) => Reach::Pod,
        Some(true) | None => Reach::Anywhere,
    }
}

fn timeout(fields: &mut Fields<'_>, default: Duration) -> Option<Duration> {
    fields.take("timeout").map_or(Some(default), |setting| setting.parse(value::time_limit))
}

fn method(text: &str) -> Result<Method, &'static str> {
    match text.to_ascii_uppercase().as_str() {
        "GET" => Ok(Method::Get),
        "POST" => Ok(Method::Post),
        "PUT" => Ok(Method::Put),
        _ => Err("unknown method; use GET, POST or PUT"),
    }
}

/// One status, or the first and the last of several.
fn expect(text: &str) -> Result<(u16, u16), &'static str> {
    const EXPECTED: &str = "not a status from 200 to 599; write one such as 204, or a range such as 200-299";
    let status = |text: &str| {
        let is_number = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|status| is_number && (200..=599).contains(status)).ok_or(EXPECTED)
    };
    let (lowest, highest) = text.split_once('-').unwrap_or((text, text));
    let range = (status(lowest.trim())?, status(highest.trim())?);
    if range.0 <= range.1 { Ok(range) } else { Err(EXPECTED) }
}
