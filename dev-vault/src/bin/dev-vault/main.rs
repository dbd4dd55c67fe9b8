//! The dev vault as a program: serves, and reads and writes what a shell cannot easily do itself.

mod cli;
mod serve;

use std::io::{self, Write as _};
use std::process::ExitCode;

use dev_vault::VaultClient;
use dev_vault::csi::{Mount, Written};

use self::cli::Command;

fn main() -> ExitCode {
    let command = match cli::parse(lexopt::Parser::from_env()) {
        Ok(command) => command,
        Err(error) => return fail(64, &format!("{error}; see dev-vault --help")),
    };
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &error.to_string()),
    }
}

fn run(command: Command) -> io::Result<()> {
    match command {
        Command::Help => io::stdout().write_all(include_bytes!("help.txt")),
        Command::Serve(options) => serve::serve(options),
        Command::Set { url, name, value } => say(&VaultClient::from_env()?.set(&url, &name, &value)?),
        Command::Get { url, name } => say(&VaultClient::from_env()?.get(&url, &name)?),
        Command::Mount { dir, files } => match Mount::create(dir)?.write(&files)? {
            Written::Switched => say("switched"),
            Written::Unchanged => say("unchanged"),
        },
    }
}

fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

fn fail(code: u8, message: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "dev-vault: {message}");
    ExitCode::from(code)
}
