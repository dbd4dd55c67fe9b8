//! The command line.

use lexopt::{Arg, Parser, ValueExt as _};
use std::{path::PathBuf, time::Duration};

/// Shown by `--help`.
pub(crate) const HELP: &str = "\
usage: akv-fleet --agent FILE --dev-vault FILE [OPTION]...

Runs a fleet of agents on one vault that throttles like Key Vault, through its start, polls, a rotation of every
secret and an outage; prints counts and figures as Markdown, and ends with 1 if an agent ended, a value was wrong
or the limit was not held. bench-payload must lie beside akv-fleet. Needs root for the memory of a process that
forbids core dumps.

  --agent FILE      the agent's binary
  --dev-vault FILE  the look-alike vault
  --dir DIR         where env files and logs go; a tmpfs               [/dev/shm]
  --agents N        how many                                           [1000]
  --each N          secrets of one agent                               [10]
  --secrets N       secrets of the vault                               [50]
  --poll SECONDS    the agents' poll interval                          [30]
  --throttle LIMIT  transactions and window                            [4000/10s]
  --retry-after     refusals say when the next window begins
  --down SECONDS    how long the outage lasts; 0 leaves it out         [30]
  --late            the vault is down, as long, when the agents start; all at once they find it back
";

/// What was asked for.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    Run(Options),
}

/// The fleet and its vault.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) agent: PathBuf,
    pub(crate) dev_vault: PathBuf,
    pub(crate) dir: PathBuf,
    pub(crate) agents: usize,
    pub(crate) each: usize,
    pub(crate) secrets: usize,
    pub(crate) poll: Duration,
    pub(crate) throttle: String,
    pub(crate) retry_after: bool,
    pub(crate) down: Duration,
    pub(crate) late: bool,
}

/// Reads the command line.
pub(crate) fn parse(mut parser: Parser) -> Result<Command, lexopt::Error> {
    let (mut agent, mut dev_vault) = (None, None);
    let mut options = Options {
        agent: PathBuf::new(),
        dev_vault: PathBuf::new(),
        dir: PathBuf::from("/dev/shm"),
        agents: 1_000,
        each: 10,
        secrets: 50,
        poll: Duration::from_secs(30),
        throttle: "4000/10s".into(),
        retry_after: false,
        down: Duration::from_secs(30),
        late: false,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Long("agent") => agent = Some(parser.value()?.into()),
            Arg::Long("dev-vault") => dev_vault = Some(parser.value()?.into()),
            Arg::Long("dir") => options.dir = parser.value()?.into(),
            Arg::Long("agents") => options.agents = parser.value()?.parse()?,
            Arg::Long("each") => options.each = parser.value()?.parse()?,
            Arg::Long("secrets") => options.secrets = parser.value()?.parse()?,
            Arg::Long("poll") => options.poll = Duration::from_secs(parser.value()?.parse()?),
            Arg::Long("throttle") => options.throttle = parser.value()?.string()?,
            Arg::Long("retry-after") => options.retry_after = true,
            Arg::Long("down") => options.down = Duration::from_secs(parser.value()?.parse()?),
            Arg::Long("late") => options.late = true,
            other => return Err(other.unexpected()),
        }
    }
    options.agent = agent.ok_or("--agent is missing; see akv-fleet --help")?;
    options.dev_vault = dev_vault.ok_or("--dev-vault is missing; see akv-fleet --help")?;
    if options.agents == 0 || options.each == 0 || options.each > options.secrets {
        return Err("there must be an agent, and no more secrets for each than the vault has".into());
    }
    Ok(Command::Run(options))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_impossible_fleets_refused() {
        let read = |line: &str| {
            let line = format!("--agent a --dev-vault v {line}");
            parse(Parser::from_args(line.split_whitespace()))
        };
        let Ok(Command::Run(options)) = read("--agents 7 --poll 5 --retry-after") else { panic!() };
        assert_eq!((options.agents, options.poll.as_secs(), options.retry_after), (7, 5, true));
        for wrong in ["--agents 0", "--each 51", "--agent", "--pol 5", "5"] {
            read(wrong).unwrap_err();
        }
        parse(Parser::from_args(["--agent", "a"])).unwrap_err();
    }
}
