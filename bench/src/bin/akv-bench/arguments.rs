//! The command line.

use crate::section::Section;
use lexopt::{Arg, Parser, ValueExt as _};
use std::path::PathBuf;

/// Shown by `--help`.
pub(crate) const HELP: &str = "\
usage: akv-bench [--quick] --agent FILE [--beside FILE] [--dev-vault FILE] [--dir DIR] [SECTION...]

Measures the agent against floors and peers and prints Markdown tables. bench-floor and bench-payload must lie
beside akv-bench. Needs root for PID namespaces and for the memory of a process that forbids core dumps.

  --quick           fewer rounds: the same tables in a fifth of the time, with more noise
  --agent FILE      the agent's binary
  --beside FILE     another build of it, measured in turn with it by `switch`, `restart`, `wrap`, `forward`, `reap`
  --dev-vault FILE  the look-alike vault, for `idle` and `cold`
  --dir DIR         where volumes, outputs and logs go; a tmpfs            [/dev/shm]

  switch    switch of ..data to signal, with and without an env file
  restart   switch of ..data to the new process of a wrapped program
  race      a slow writer, and switches close to each other
  burst     1,000 switches back to back
  wrap      start of a wrapped program
  forward   a signal through the wrapper
  reap      orphans of a wrapped program
  idle      memory, threads and wake-ups of processes that wait
  cold      50 secrets from a vault with latency

Without a SECTION all of them, in this order.
";

/// What was asked for.
#[derive(Debug)]
pub(crate) enum Command {
    Help,
    Run(Options),
}

/// How to measure, and what.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) quick: bool,
    pub(crate) agent: PathBuf,
    pub(crate) beside: Option<PathBuf>,
    pub(crate) dev_vault: Option<PathBuf>,
    pub(crate) dir: PathBuf,
    pub(crate) sections: Vec<Section>,
}

/// Reads the command line.
pub(crate) fn parse(mut parser: Parser) -> Result<Command, lexopt::Error> {
    let (mut quick, mut dir) = (false, PathBuf::from("/dev/shm"));
    let (mut agent, mut beside, mut dev_vault) = (None, None, None);
    let mut sections = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Long("quick") => quick = true,
            Arg::Long("agent") => agent = Some(parser.value()?.into()),
            Arg::Long("beside") => beside = Some(parser.value()?.into()),
            Arg::Long("dev-vault") => dev_vault = Some(parser.value()?.into()),
            Arg::Long("dir") => dir = parser.value()?.into(),
            Arg::Value(name) => sections.push(name.parse_with(Section::parse)?),
            other => return Err(other.unexpected()),
        }
    }
    if sections.is_empty() {
        sections = Section::ALL.to_vec();
    }
    let agent = agent.ok_or("--agent is missing; see akv-bench --help")?;
    Ok(Command::Run(Options { quick, agent, beside, dev_vault, dir, sections }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_chosen_by_name_and_all_by_default() {
        let read = |line: &[&str]| parse(Parser::from_args(line));
        let Ok(Command::Run(options)) = read(&["--agent", "a", "cold", "wrap"]) else { panic!() };
        assert_eq!((options.sections, options.quick), (vec![Section::Cold, Section::Wrap], false));
        let Ok(Command::Run(options)) = read(&["--agent", "a", "--quick"]) else { panic!() };
        assert_eq!((options.sections, options.quick), (Section::ALL.to_vec(), true));
        for wrong in [&["wrap"][..], &["--agent", "a", "wrpa"], &["--agnet", "a"]] {
            read(wrong).unwrap_err();
        }
        assert!(Section::ALL.iter().all(|section| HELP.contains(&format!("\n  {} ", section.name()))));
    }
}
