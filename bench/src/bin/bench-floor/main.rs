//! The floors: programs that do the bare minimum of the agent's work, built as the agent is.
//!
//! They check nothing, log nothing and end at the first error. What the agent costs beyond them is the price
//! of everything else that it does.

mod restart;
mod watch;
mod wrap;

use std::{
    ffi::{OsStr, OsString},
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

const USAGE: &str = "\
usage: bench-floor watch DIR PID          send SIGHUP to PID whenever ..data of DIR is switched
       bench-floor render DIR PID OUT     and first replace the env file OUT
       bench-floor restart DIR CMD...     run CMD, and start it again whenever ..data is switched
       bench-floor wrap CMD...            run CMD, forward signals to it, reap orphans, end with its code
";

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let arguments: Vec<&OsStr> = arguments.iter().map(OsString::as_os_str).collect();
    let done = match arguments.as_slice() {
        [command, dir, pid] if *command == "watch" => watch::watch(Path::new(dir), pid, None),
        [command, dir, pid, out] if *command == "render" => {
            watch::watch(Path::new(dir), pid, Some(Path::new(out)))
        }
        [command, dir, program @ ..] if *command == "restart" && !program.is_empty() => {
            restart::restart(Path::new(dir), program)
        }
        [command, program @ ..] if *command == "wrap" && !program.is_empty() => wrap::wrap(program),
        _ => Err(io::Error::new(io::ErrorKind::InvalidInput, USAGE)),
    };
    done.unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "bench-floor: {error}");
        ExitCode::FAILURE
    })
}
