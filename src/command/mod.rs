//! The commands. Each one is a checklist that puts the stages together; none has logic of its own.

mod agent;
mod ask;
mod check;
mod install;

use crate::{
    cli::{self, Command},
    failure::{Class, ExitCode, Failure},
    log,
};
use std::{ffi::OsString, fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt, panic};

/// How a command ends: with a code, and the line that says why if something went wrong.
type Ended = Result<ExitCode, (ExitCode, String)>;

/// Parses the arguments, runs the command, reports what went wrong, and gives the exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<_> = arguments.into_iter().collect();
    let is_exec = arguments.first().is_some_and(|command| command == "exec");
    // Only where, not what: the message of a panic may quote what was being parsed.
    panic::set_hook(Box::new(|info| {
        let location = info.location().map(ToString::to_string).unwrap_or_default();
        log::line(&format!("akv-agent: a bug: panic at {location}\n"));
    }));
    let ended = match cli::parse(arguments) {
        Ok(command) => panic::catch_unwind(|| run(command)).unwrap_or_else(|_| {
            let code = if is_exec { ExitCode::AGENT_FAILED } else { Class::Bug.exit_code() };
            Err((code, "ended by a bug; please report it".into()))
        }),
        // All other codes belong to the program.
        Err(failure) if is_exec => Err((ExitCode::AGENT_FAILED, failure.message)),
        Err(failure) => sysexits(Err(failure)),
    };
    match ended {
        Ok(code) => code,
        Err((code, message)) => {
            report(&message);
            code
        }
    }
}

fn run(command: Command) -> Ended {
    match command {
        Command::Init(options) => sysexits(agent::init(&options)),
        Command::Sidecar(options) => sysexits(agent::sidecar(&options)),
        Command::Exec { options, watch, listen, program } => agent::exec(&options, watch, listen, program),
        Command::Check(options) => sysexits(check::run(&options)),
        Command::Status { options, json } => sysexits(ask::status(&options, json)),
        Command::Probe { options, which } => ask::probe(&options, which),
        Command::Install(directory) => sysexits(install::run(&directory)),
        Command::Print(text) => sysexits(print(text).map(|()| ExitCode::OK)),
    }
}

fn sysexits(result: Result<ExitCode, Failure>) -> Ended {
    result.map_err(|failure| (failure.class.exit_code(), failure.message))
}

/// Writes to standard output. That a reader has gone away early (`| head`) is no failure.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::new(Class::CannotCreate, format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says why the agent ends: in the termination message file, where a kubelet has provided one, which `kubectl
/// describe pod` shows, and on standard error. The file comes first, since it has no reader to be waited for.
fn report(message: &str) {
    let lines = message.lines().fold(String::new(), |lines, line| lines + "akv-agent: " + line + "\n");
    let file = OpenOptions::new()
        .write(true)
        .truncate(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC)
        .open("/dev/termination-log");
    if let Ok(mut file) = file {
        // The kubelet reads at most 4096 bytes.
        let _ = file.write_all(&lines.as_bytes()[..lines.len().min(4096)]);
    }
    log::last_words(&lines);
}
