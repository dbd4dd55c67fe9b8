//! The `akv-agent` binary: arguments in, exit code out. Everything else is the library's.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(akv_agent::command::main(std::env::args_os().skip(1)).0)
}
