//! Measures the agent against floors and peers, all interleaved in one run, and prints Markdown tables.
//!
//! ```text
//!  arguments ─▶ bench (programs, effort) ─▶ section/* ─▶ report
//!                    scene = volume + FIFO + receiver + measured process
//!                    rotation: switches volumes, says what each delivery was worth
//! ```
//!
//! Nothing is asserted about time: on a machine that is shared, only ratios within one run mean something.

mod agent;
mod arguments;
mod bench;
mod delivery;
mod goals;
mod peers;
mod process;
mod rotation;
mod scene;
mod section;
mod statistics;
mod vault;
mod volume;

use akv_bench::{report, usage};
use arguments::Command;
use std::{
    io::{self, Write as _},
    process::ExitCode,
};

fn main() -> ExitCode {
    let done = match arguments::parse(lexopt::Parser::from_env()) {
        Ok(Command::Help) => io::stdout().write_all(arguments::HELP.as_bytes()).map_err(anyhow::Error::from),
        Ok(Command::Run(options)) => bench::run(&options),
        Err(error) => Err(error.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "akv-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
