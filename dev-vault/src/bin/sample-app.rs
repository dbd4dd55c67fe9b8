//! An application that has secrets, made to be watched: it prints what it was given, and prints it again
//! when it is told to read its env file anew.
//!
//! ```text
//! sample-app NAME... [--env-file FILE]
//!
//! ready pid=7 SECRET='one'        after the start
//! reloaded pid=7 SECRET='two'     after SIGHUP
//! stopping pid=7                  after SIGTERM or SIGINT; it then ends with 0
//! ```
//!
//! Every event is one line. Values come from the environment, or from FILE where one is given; a variable
//! that is in neither is `NAME=unset`. Only ever give it values that are no secrets.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::{env, fs};

use lexopt::{Arg, Parser, ValueExt as _};
use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

const USAGE: &str = "usage: sample-app NAME... [--env-file FILE]";

#[derive(Debug, Default, PartialEq)]
struct Options {
    names: Vec<String>,
    env_file: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = match parse(Parser::from_env()) {
        Ok(options) => options,
        Err(error) => return fail(64, &format!("{error}; {USAGE}")),
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error.to_string()),
    }
}

fn fail(code: u8, message: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "sample-app: {message}");
    ExitCode::from(code)
}

fn parse(mut parser: Parser) -> Result<Options, lexopt::Error> {
    let mut options = Options::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("env-file") => options.env_file = Some(parser.value()?.into()),
            Arg::Value(name) => options.names.push(name.string()?),
            other => return Err(other.unexpected()),
        }
    }
    Ok(options)
}

fn run(options: &Options) -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Caught before anybody can know that we are ready, because a signal that nobody handles ends us.
        let mut reload = signal(SignalKind::hangup())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;

        say("ready", &values(options)?)?;
        loop {
            tokio::select! {
                _ = reload.recv() => say("reloaded", &values(options)?)?,
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
            }
        }
        say("stopping", "")
    })
}

fn say(event: &str, values: &str) -> io::Result<()> {
    // Standard output is line-buffered also where it is a pipe: the line is out when this returns.
    writeln!(io::stdout(), "{event} pid={}{values}", process::id())
}

/// What the variables are now, each with a space before it.
fn values(options: &Options) -> io::Result<String> {
    let file = options.env_file.as_deref().map(read).transpose()?;
    let mut line = String::new();
    for name in &options.names {
        let value = match &file {
            Some(file) => file.get(name).cloned(),
            None => env::var_os(name).map(|value| value.to_string_lossy().into_owned()),
        };
        let _ = match value {
            Some(value) => write!(line, " {name}='{}'", value.escape_debug()),
            None => write!(line, " {name}=unset"),
        };
    }
    Ok(line)
}

fn read(file: &Path) -> io::Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(file);
    text.and_then(|text| {
        exports(&text)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "not lines of export NAME='VALUE'"))
    })
    .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.display())))
}

/// The variables that `export NAME='VALUE'` sets, where VALUE is one shell word: quoted stretches, which may
/// go over lines, and backslashes between them. Comments and empty lines may stand between the exports.
fn exports(text: &str) -> Option<BTreeMap<String, String>> {
    let mut variables = BTreeMap::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if rest.starts_with('#') {
            rest = rest.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
            continue;
        }
        let (name, after) = rest.strip_prefix("export ")?.split_once('=')?;
        let (value, after) = word(after)?;
        variables.insert(name.to_owned(), value);
        rest = after.trim_start();
    }
    Some(variables)
}

/// One shell word and what follows it; nothing if a quote is left open.
fn word(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\'' => loop {
                match characters.next()?.1 {
                    '\'' => break,
                    quoted => value.push(quoted),
                }
            },
            '\\' => value.push(characters.next()?.1),
            character if character.is_whitespace() => return Some((value, &text[at..])),
            // Anything else that means something to a shell is not what we claim to read.
            '"' | '$' | '`' | ';' | '&' | '|' | '<' | '>' | '(' | ')' => return None,
            plain => value.push(plain),
        }
    }
    Some((value, ""))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_names_and_a_file() {
        let options = parse(Parser::from_args(["A", "--env-file", "/f", "B"])).unwrap();
        assert_eq!(options, Options { names: vec!["A".into(), "B".into()], env_file: Some("/f".into()) });
        for wrong in [&["--env-file"][..], &["--file", "x"]] {
            assert!(parse(Parser::from_args(wrong)).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn exports_are_read_as_a_shell_reads_them() {
        let text = "# made by a test\nexport A='one two'\n\nexport B='it'\\''s'\nexport C=''\nexport D='x\ny'\nexport E=plain\n";
        let expected = [("A", "one two"), ("B", "it's"), ("C", ""), ("D", "x\ny"), ("E", "plain")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(exports(text).unwrap(), BTreeMap::from(expected));
    }

    #[test]
    fn anything_else_is_refused() {
        for text in
            ["A='x'", "export A", "export A='open", "export A=\"x\"", "export A=$(id)", "export A='x' B\n"]
        {
            assert_eq!(exports(text), None, "{text}");
        }
    }
}
