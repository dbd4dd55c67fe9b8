//! The command line, read into what it asks for.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use dev_vault::Throttle;
use lexopt::{Arg, Error, Parser, ValueExt as _};

#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help,
    Serve(Serve),
    Set { url: String, name: String, value: String },
    Get { url: String, name: String },
    Mount { dir: PathBuf, files: Vec<(String, String)> },
}

/// What was said about `serve`; the library has the defaults.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Serve {
    pub(crate) seed: Option<PathBuf>,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) plain: Option<SocketAddr>,
    pub(crate) sans: Vec<String>,
    pub(crate) challenge_resource: Option<String>,
    pub(crate) token_lifetime: Option<Duration>,
    pub(crate) throttle: Option<Throttle>,
}

pub(crate) fn parse(mut parser: Parser) -> Result<Command, Error> {
    let command = match parser.next()? {
        None => return Err("a command is missing".into()),
        Some(Arg::Long("help") | Arg::Short('h')) => return Ok(Command::Help),
        Some(Arg::Value(command)) => command.string()?,
        Some(option) => return Err(option.unexpected()),
    };
    match command.as_str() {
        "help" => Ok(Command::Help),
        "serve" => serve(&mut parser),
        "set" => Ok(match exactly(&mut parser, "set takes URL NAME VALUE")? {
            Some([url, name, value]) => Command::Set { url, name, value },
            None => Command::Help,
        }),
        "get" => Ok(match exactly(&mut parser, "get takes URL NAME")? {
            Some([url, name]) => Command::Get { url, name },
            None => Command::Help,
        }),
        "mount" => match operands(&mut parser)? {
            None => Ok(Command::Help),
            Some(words) => mount(&words),
        },
        other => Err(format!("there is no command {other}").into()),
    }
}

fn serve(parser: &mut Parser) -> Result<Command, Error> {
    let mut serve = Serve::default();
    let mut retry_after = false;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(Command::Help),
            Arg::Long("seed") => serve.seed = Some(parser.value()?.into()),
            Arg::Long("dir") => serve.dir = Some(parser.value()?.into()),
            Arg::Long("listen") => serve.listen = Some(parser.value()?.parse()?),
            Arg::Long("plain") => serve.plain = Some(parser.value()?.parse()?),
            Arg::Long("san") => serve.sans.push(parser.value()?.string()?),
            Arg::Long("challenge-resource") => serve.challenge_resource = Some(parser.value()?.string()?),
            Arg::Long("token-lifetime") => serve.token_lifetime = Some(parser.value()?.parse_with(duration)?),
            Arg::Long("throttle") => {
                let limit = parser.optional_value().map(|value| value.parse_with(throttle)).transpose()?;
                serve.throttle = Some(limit.unwrap_or_default());
            }
            Arg::Long("retry-after") => retry_after = true,
            other => return Err(other.unexpected()),
        }
    }
    match &mut serve.throttle {
        Some(throttle) => throttle.retry_after = retry_after,
        None if retry_after => return Err("--retry-after says how --throttle refuses".into()),
        None => {}
    }
    Ok(Command::Serve(serve))
}

fn mount(words: &[String]) -> Result<Command, Error> {
    let (dir, files) = words.split_first().ok_or("mount takes DIR NAME=VALUE...")?;
    let files = files
        .iter()
        .map(|file| {
            let (name, value) = file.split_once('=').ok_or_else(|| format!("{file} is not NAME=VALUE"))?;
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect::<Result<_, String>>()?;
    Ok(Command::Mount { dir: dir.into(), files })
}

/// What remains, none of it options; nothing if help is asked for. A value that starts with a dash follows `--`.
fn operands(parser: &mut Parser) -> Result<Option<Vec<String>>, Error> {
    let mut operands = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("help") | Arg::Short('h') => return Ok(None),
            Arg::Value(value) => operands.push(value.string()?),
            option => return Err(option.unexpected()),
        }
    }
    Ok(Some(operands))
}

fn exactly<const N: usize>(parser: &mut Parser, usage: &'static str) -> Result<Option<[String; N]>, Error> {
    let operands = operands(parser)?;
    operands.map(|words| words.try_into().map_err(|_| usage.into())).transpose()
}

/// A number of transactions and the window they are for.
fn throttle(text: &str) -> Result<Throttle, String> {
    let limit = text.split_once('/').and_then(|(transactions, window)| {
        let limit = Throttle {
            transactions: transactions.parse().ok()?,
            window: duration(window).ok()?,
            retry_after: false,
        };
        (!limit.window.is_zero()).then_some(limit)
    });
    limit.ok_or_else(|| format!("{text} is not a limit such as 4000/10s"))
}

fn duration(text: &str) -> Result<Duration, String> {
    let units = [("s", 1), ("m", 60), ("h", 60 * 60)];
    units
        .iter()
        .find_map(|(unit, seconds)| {
            let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
            count.checked_mul(*seconds)
        })
        .map(Duration::from_secs)
        .ok_or_else(|| format!("{text} is not a time such as 90s, 10m or 1h"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn read(arguments: &[&str]) -> Result<Command, String> {
        parse(Parser::from_args(arguments)).map_err(|error| error.to_string())
    }

    #[test]
    fn commands_are_read() {
        let serve = read(&["serve", "--san", "a.test", "--san=b.test", "--token-lifetime", "10m"]);
        let expected = Serve {
            sans: vec!["a.test".to_owned(), "b.test".to_owned()],
            token_lifetime: Some(Duration::from_secs(600)),
            ..Serve::default()
        };
        assert_eq!(serve.unwrap(), Command::Serve(expected));
        assert_eq!(
            read(&["set", "https://localhost:1", "a", "--", "-x=1"]).unwrap(),
            Command::Set { url: "https://localhost:1".into(), name: "a".into(), value: "-x=1".into() }
        );
        assert_eq!(
            read(&["mount", "/m", "A=1=2", "B="]).unwrap(),
            Command::Mount {
                dir: "/m".into(),
                files: vec![("A".into(), "1=2".into()), ("B".into(), String::new())]
            }
        );
        let limit = |arguments| match read(arguments) {
            Ok(Command::Serve(serve)) => serve.throttle,
            other => panic!("{other:?}"),
        };
        assert_eq!(limit(&["serve", "--throttle"]), Some(Throttle::default()));
        let expected = Throttle { transactions: 7, window: Duration::from_secs(120), retry_after: true };
        assert_eq!(limit(&["serve", "--retry-after", "--throttle=7/2m"]), Some(expected));
        for help in [&["--help"][..], &["help"], &["get", "-h"], &["serve", "--help"]] {
            assert_eq!(read(help).unwrap(), Command::Help);
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (arguments, part) in [
            (&[][..], "command"),
            (&["sreve"], "sreve"),
            (&["serve", "--sna", "x"], "--sna"),
            (&["serve", "--listen", "8443"], "8443"),
            (&["serve", "--token-lifetime", "10 min"], "10 min"),
            (&["serve", "--throttle=4000"], "4000/10s"),
            (&["serve", "--throttle=4000/0s"], "4000/0s"),
            (&["serve", "--retry-after"], "--throttle"),
            (&["set", "URL", "a"], "URL NAME VALUE"),
            (&["mount"], "DIR"),
            (&["mount", "/m", "A"], "NAME=VALUE"),
        ] {
            let error = read(arguments).unwrap_err();
            assert!(error.contains(part), "{arguments:?}: {error}");
        }
    }
}
