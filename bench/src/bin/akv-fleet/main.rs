//! A fleet of real agents on one vault that throttles like Key Vault: start, polls, a rotation, an outage.
//!
//! ```text
//!  arguments ─▶ experiment (phases, verdict) ─▶ report
//!                    │
//!                    ├─ vault: the look-alike as a process, its counters and its misbehaviour
//!                    └─ fleet: the agents as processes, their env files, what they use
//! ```
//!
//! What is judged are counts: agents that ended, wrong values, refused requests. Times are printed only.

mod arguments;
mod experiment;
mod fleet;
mod secrets;
mod vault;

use arguments::Command;
use std::{
    io::{self, Write as _},
    process::ExitCode,
};

fn main() -> ExitCode {
    let done = match arguments::parse(lexopt::Parser::from_env()) {
        Ok(Command::Help) => io::stdout().write_all(arguments::HELP.as_bytes()).map_err(anyhow::Error::from),
        Ok(Command::Run(options)) => experiment::run(&options),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "akv-fleet: {error:#}");
            ExitCode::FAILURE
        }
    }
}
