//! Starts and signals the child, and reaps every process that ends.

use super::state::Ended;
use crate::{failure::ExitCode, secret::SecretValue, sys};
use nix::{
    errno::Errno,
    unistd::{AccessFlags, access, getpgrp, tcgetpgrp},
};
use std::{
    ffi::{OsStr, OsString},
    fmt, io,
    os::unix::{ffi::OsStrExt, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
};

/// What to start: a program and its arguments.
#[derive(Debug, Clone)]
pub struct Program {
    /// As it was written on the command line; a bare name is looked up in `PATH`.
    pub name: OsString,
    /// Its arguments, without its name.
    pub arguments: Vec<OsString>,
}

/// The environment of a child: the agent's own without what is not for the child, and the set on top.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// What is passed on.
    pub inherited: Vec<(OsString, OsString)>,
    /// The set; these win.
    pub secrets: Vec<(OsString, SecretValue)>,
}

/// Why a program was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no such program.
    #[error("{}: no such program{}", Path::new(.0).display(), hint(.0))]
    NotFound(OsString),
    /// It is there but cannot be executed.
    #[error("{} cannot be executed: {}", program.display(), source)]
    NotExecutable {
        /// Which file.
        program: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

fn hint(name: &OsStr) -> &'static str {
    if name.as_bytes().contains(&b'/') { "" } else { " in PATH" }
}

impl StartError {
    /// The code with which `exec` ends.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::NotFound(_) => ExitCode::NOT_FOUND,
            Self::NotExecutable { .. } => ExitCode::NOT_EXECUTABLE,
        }
    }
}

impl Environment {
    fn get(&self, name: &str) -> Option<&OsStr> {
        let secret = self.secrets.iter().find(|(key, _)| key == name);
        let inherited = || self.inherited.iter().find(|(key, _)| key == name);
        secret
            .map(|(_, value)| OsStr::from_bytes(value.expose()))
            .or_else(|| Some(inherited()?.1.as_os_str()))
    }

    fn apply(&self, command: &mut Command) {
        command.env_clear().envs(self.inherited.iter().map(|(key, value)| (key, value)));
        command.envs(self.secrets.iter().map(|(key, value)| (key, OsStr::from_bytes(value.expose()))));
    }
}

impl Program {
    /// A running child in a process group of its own, with default signal dispositions and mask.
    ///
    /// With `foreground`, it becomes the foreground group of the terminal on standard input.
    pub fn spawn(&self, environment: &Environment, foreground: bool) -> Result<Child, StartError> {
        let path = self.find(environment)?;
        let mut command = self.command(&path, environment);
        command.process_group(0);
        if foreground {
            sys::take_terminal(&mut command);
        }
        // The handle is dropped: whoever reaps all children must be the only one who waits.
        let child = command.spawn().map_err(|source| start_error(&self.name, &path, source))?;
        #[expect(clippy::cast_possible_wrap, reason = "process ids are positive ints")]
        Ok(Child(child.id() as i32))
    }

    /// Replaces the agent by the program. Returns only if that failed.
    pub fn replace_self(&self, environment: &Environment) -> StartError {
        match self.find(environment) {
            Err(error) => error,
            Ok(path) => {
                let source = self.command(&path, environment).exec();
                start_error(&self.name, &path, source)
            }
        }
    }

    fn command(&self, path: &Path, environment: &Environment) -> Command {
        let mut command = Command::new(path);
        command.arg0(&self.name).args(&self.arguments);
        environment.apply(&mut command);
        command
    }

    /// The file to execute, looked up as execvp(3) does, in the `PATH` that the child will have.
    fn find(&self, environment: &Environment) -> Result<PathBuf, StartError> {
        if self.name.as_bytes().contains(&b'/') {
            return Ok(PathBuf::from(&self.name));
        }
        let path = environment.get("PATH").unwrap_or(OsStr::new("/usr/local/bin:/usr/bin:/bin"));
        let mut denied = None;
        for directory in path.as_bytes().split(|byte| *byte == b':') {
            let directory = if directory.is_empty() { b"." } else { directory };
            let candidate = Path::new(OsStr::from_bytes(directory)).join(&self.name);
            if !candidate.is_file() {
                continue;
            }
            match access(&candidate, AccessFlags::X_OK) {
                Ok(()) => return Ok(candidate),
                Err(errno) => denied = denied.or(Some((candidate, errno))),
            }
        }
        Err(match denied {
            Some((program, errno)) => StartError::NotExecutable { program, source: errno.into() },
            None => StartError::NotFound(self.name.clone()),
        })
    }
}

fn start_error(name: &OsStr, path: &Path, source: io::Error) -> StartError {
    match source.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOENT | Errno::ENOTDIR) if !path.exists() => StartError::NotFound(name.into()),
        _ => StartError::NotExecutable { program: path.into(), source },
    }
}

/// Whether standard input is a terminal of which we are the foreground, so that the child must become it.
pub fn owns_terminal() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|foreground| foreground == getpgrp())
}

/// A child that was started and not yet reaped: its id cannot mean another process until it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Child(i32);

impl fmt::Display for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Child {
    /// The process id.
    pub fn pid(self) -> i32 {
        self.0
    }

    /// Signals the child alone. That it is gone already is no error: its end is about to be reaped.
    pub fn signal(self, signal: i32) -> io::Result<()> {
        ignore_gone(sys::kill(self.0, signal))
    }

    /// Signals the child's whole process group.
    pub fn signal_group(self, signal: i32) -> io::Result<()> {
        ignore_gone(sys::kill(-self.0, signal))
    }

    /// Whether nobody of its process group is left. A process that has ended counts until it is reaped.
    pub fn is_group_empty(self) -> bool {
        sys::kill(-self.0, 0).is_err_and(|error| error.raw_os_error() == Some(libc::ESRCH))
    }
}

fn ignore_gone(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        other => other,
    }
}

/// Reaps every process that has ended, ours or adopted, and says how `child` ended if it was among them.
pub fn reap(child: Option<Child>) -> Option<Ended> {
    let mut ended = None;
    while let Some((pid, status)) = sys::reap_one() {
        if child == Some(Child(pid)) {
            ended = Some(Ended::from_wait_status(status));
        }
    }
    ended
}
