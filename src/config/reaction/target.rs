//! `target`: whom a sidecar signals.

use super::super::{
    setting::{Setting, Written},
    value,
};
use regex_lite::Regex;
use std::{borrow::Cow, fmt, path::PathBuf};

/// Whom a sidecar signals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// The name of the process (`/proc/PID/comm`, or the base name of its executable or first argument).
    Process(String),
    /// A file that holds the process id.
    PidFile(PathBuf),
    /// What is found in the command line, whose arguments are separated by spaces.
    CommandLine(Pattern),
}

impl fmt::Display for Target {
    /// The short form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process(name) => write!(f, "process:{name}"),
            Self::PidFile(path) => write!(f, "pidfile:{}", path.display()),
            Self::CommandLine(pattern) => write!(f, "cmdline:{pattern}"),
        }
    }
}

/// A regular expression over a command line. Two are equal if they are written alike.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles the expression. One that finds nothing at all in every text would mean every process, the
    /// agent's neighbours included.
    pub fn parse(text: &str) -> Result<Self, Cow<'static, str>> {
        let regex = Regex::new(text)
            .map_err(|error| format!("not a regular expression: {error}; correct it, or escape by `\\`"))?;
        if regex.is_match("") {
            return Err("would match every process; write what the command line must have in it".into());
        }
        Ok(Self(regex))
    }

    /// Whether it is found anywhere in `command_line`.
    pub fn is_in(&self, command_line: &str) -> bool {
        self.0.is_match(command_line)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str())
    }
}

type Parsed = Result<Target, Cow<'static, str>>;
type Parser = fn(&str) -> Parsed;

/// The keys, which are also what a short form starts with, and how their values are read.
const KINDS: [(&str, Parser); 3] = [("process", process), ("pidFile", pid_file), ("cmdline", command_line)];

/// `{process: NAME}`, `{pidFile: PATH}`, `{cmdline: REGEX}`, or the same as `process:NAME` and so on.
pub(in crate::config) fn target(setting: &Setting<'_>) -> Option<Target> {
    if let Written::Text(_) = setting.written {
        return setting.parse(short);
    }
    let mut fields = setting.fields(&KINDS.map(|(key, _)| key), &[])?;
    let mut targets: Vec<_> =
        KINDS.iter().filter_map(|(key, parse)| Some(fields.take(key)?.parse(*parse))).collect();
    if targets.len() > 1 || (targets.is_empty() && fields.is_used_up()) {
        setting.problem("a target needs exactly one of process, pidFile and cmdline");
        return None;
    }
    targets.pop()?
}

fn short(text: &str) -> Parsed {
    const EXPECTED: &str = "not a target; use process:NAME, pidfile:PATH or cmdline:REGEX";
    let (kind, argument) = text.split_once(':').ok_or(EXPECTED)?;
    let (_, parse) = KINDS.iter().find(|(key, _)| key.eq_ignore_ascii_case(kind.trim())).ok_or(EXPECTED)?;
    parse(argument.trim())
}

fn process(text: &str) -> Parsed {
    if text.is_empty() || text.contains(|c: char| c == '/' || c.is_control()) {
        return Err("not the name of a process; write it without a path, such as nginx".into());
    }
    Ok(Target::Process(text.to_owned()))
}

fn pid_file(text: &str) -> Parsed {
    Ok(Target::PidFile(value::file_path(text)?))
}

fn command_line(text: &str) -> Parsed {
    Pattern::parse(text).map(Target::CommandLine)
}
