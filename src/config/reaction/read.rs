//! Reads `onChange`.

use super::{
    super::{
        request::{self, Method},
        setting::{Setting, Written},
        signal, value,
    },
    Proof, Reaction, Rule, Stop, Verify,
    verify::verify,
};
use crate::failure::{Class, ExitCode};

const RESTART: Reaction = Reaction::Restart(Stop::DEFAULT);
/// What kubelets are told to look for unless somebody says otherwise.
const DEFAULT_EXIT: u8 = 42;

type Reader = fn(&Setting<'_>) -> Option<Reaction>;

/// The keys, and how their values are read.
const REACTIONS: [(&str, Reader); 6] = [
    ("signal", |setting| setting.parse(signal::reload).map(Reaction::signal)),
    ("restart", restart),
    ("http", |setting| request::http(setting, Method::Post).map(to_http)),
    ("command", |setting| request::command(setting).map(Reaction::Command)),
    ("exit", exit),
    ("none", |setting| present(setting).map(|()| Reaction::None)),
];
const KEYS: [&str; 8] = ["when", "signal", "restart", "http", "command", "exit", "none", "verify"];
/// Those that mean something without a value.
const ALONE: [&str; 3] = ["restart", "exit", "none"];

/// One rule or a list of them.
pub(in crate::config) fn rules(setting: Setting<'_>) -> Vec<Rule> {
    setting.items().iter().filter_map(rule).collect()
}

fn rule(setting: &Setting<'_>) -> Option<Rule> {
    if let Written::Text(_) = setting.written {
        return Some(Rule { when: Vec::new(), reaction: setting.parse(short)? });
    }
    let mut fields = setting.fields(&KEYS, &[])?;
    let when = fields.take("when").map_or(Some(Vec::new()), patterns);
    let proof = fields.take("verify").map(|setting| (verify(&setting), setting));
    // Each one present counts, even where it is wrong, so that nothing is reported twice.
    let mut reactions: Vec<_> = REACTIONS
        .iter()
        .filter_map(|(key, read)| {
            let setting = if ALONE.contains(key) { fields.take_even_null(key) } else { fields.take(key) };
            Some((*key, read(&setting?)))
        })
        .collect();
    if reactions.len() > 1 || (reactions.is_empty() && fields.is_used_up()) {
        setting
            .problem("a rule needs exactly one reaction; use signal, restart, http, command, exit or none");
        return None;
    }
    let (key, reaction) = reactions.pop()?;
    let reaction = match proof {
        None => reaction,
        Some((proof, setting)) => verified(key, reaction, proof, &setting),
    };
    Some(Rule { when: when?, reaction: reaction? })
}

fn patterns(setting: Setting<'_>) -> Option<Vec<String>> {
    if setting.list().is_some_and(|items| items.is_empty()) {
        setting.problem("names no variable; write a pattern, or remove the key for every variable");
        return None;
    }
    let patterns: Vec<_> = setting.items().iter().map(|item| item.parse(value::glob)).collect();
    patterns.into_iter().collect()
}

/// The reaction with its proof, whose setting says where the two do not go together.
fn verified(
    key: &str,
    reaction: Option<Reaction>,
    proof: Option<Verify>,
    setting: &Setting<'_>,
) -> Option<Reaction> {
    let is_start_time = proof.as_ref().is_some_and(|proof| proof.by == Proof::StartTime);
    match key {
        "http" if is_start_time => setting
            .problem("startTime is about a process that was signalled; beside http use http, tcp or command"),
        "signal" | "http" => {}
        _ => setting.problem("only signal and http can be verified; remove it"),
    }
    match reaction? {
        Reaction::Signal { signal, .. } => Some(Reaction::Signal { signal, verify: Some(proof?) }),
        Reaction::Http { request, .. } => Some(Reaction::Http { request, verify: Some(proof?) }),
        _ => None,
    }
}

/// A key that is there to be there, with or without `true`.
fn present(setting: &Setting<'_>) -> Option<()> {
    if let Written::Null = setting.written { Some(()) } else { setting.flag() }
}

fn to_http(request: request::HttpRequest) -> Reaction {
    Reaction::Http { request, verify: None }
}

/// `restart: true`, or a mapping with what differs from the defaults.
fn restart(setting: &Setting<'_>) -> Option<Reaction> {
    if let Written::Map(_) = setting.written {
        stop(setting).map(Reaction::Restart)
    } else {
        present(setting).map(|()| RESTART)
    }
}

/// How a child is stopped, as far as it differs from the defaults.
pub(in crate::config) fn stop(setting: &Setting<'_>) -> Option<Stop> {
    let mut fields = setting.fields(&["signal", "grace"], &[])?;
    let signal =
        fields.take("signal").map_or(Some(Stop::DEFAULT.signal), |setting| setting.parse(signal::stop));
    let grace =
        fields.take("grace").map_or(Some(Stop::DEFAULT.grace), |setting| setting.parse(value::duration));
    Some(Stop { signal: signal?, grace: grace? })
}

/// `exit: 42`, or without a code.
fn exit(setting: &Setting<'_>) -> Option<Reaction> {
    match setting.written {
        Written::Null | Written::Text("true") => Some(Reaction::Exit(DEFAULT_EXIT)),
        _ => setting.parse(exit_code).map(Reaction::Exit),
    }
}

/// A code that can only mean that something changed.
fn exit_code(text: &str) -> Result<u8, &'static str> {
    const EXPECTED: &str = "not an exit code; use one from 1 to 124, such as 42";
    const OWN: [ExitCode; 9] = [
        Class::Usage.exit_code(),
        Class::Unavailable.exit_code(),
        Class::Bug.exit_code(),
        Class::CannotCreate.exit_code(),
        Class::Permission.exit_code(),
        Class::Config.exit_code(),
        ExitCode::AGENT_FAILED,
        ExitCode::NOT_EXECUTABLE,
        ExitCode::NOT_FOUND,
    ];
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(EXPECTED);
    }
    match text.parse().map_err(|_| EXPECTED)? {
        0 => {
            Err("0 says that all went well, so that nothing would be restarted; use another code, such as 42")
        }
        code if OWN.contains(&ExitCode(code)) => {
            Err("the agent ends with this code when it fails; use another, such as 42")
        }
        128.. => Err("from 128 on a code says which signal ended the process; use a smaller one, such as 42"),
        code => Ok(code),
    }
}

/// A whole rule in one text, for every variable.
fn short(text: &str) -> Result<Reaction, &'static str> {
    const EXPECTED: &str =
        "unknown reaction; use restart, signal:NAME, http:URL, command:WORDS, exit, exit:CODE or none";
    let (kind, argument) =
        text.split_once(':').map_or((text, None), |(kind, rest)| (kind, Some(rest.trim())));
    match (kind.trim(), argument) {
        ("none", None) => Ok(Reaction::None),
        ("restart", None) => Ok(RESTART),
        ("signal", Some(name)) => signal::reload(name).map(Reaction::signal),
        ("http" | "https", Some(rest)) if rest.starts_with("//") => {
            request::short_http(text, Method::Post).map(to_http)
        }
        ("http", Some(url)) => request::short_http(url, Method::Post).map(to_http),
        ("command", Some(words)) => request::short_command(words).map(Reaction::Command),
        ("exit", None) => Ok(Reaction::Exit(DEFAULT_EXIT)),
        ("exit", Some(code)) => exit_code(code).map(Reaction::Exit),
        _ => Err(EXPECTED),
    }
}
