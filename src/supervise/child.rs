//! Starts and signals the child, and reaps every process that ends.

use super::{ended::Ended, state::Obstacle};
use crate::{failure::ExitCode, secret::SecretValue, signals, sys};
use nix::{
    errno::Errno,
    spawn::{PosixSpawnAttr, PosixSpawnFileActions, PosixSpawnFlags, posix_spawn},
    sys::signal::{SigSet, Signal},
    unistd::{AccessFlags, Pid, access, execve, getpgrp, tcgetpgrp, tcsetpgrp},
};
use std::{
    ffi::{CString, OsStr, OsString},
    fmt, io,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

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

    /// What that means for a supervisor.
    pub fn obstacle(&self) -> Obstacle {
        match self {
            Self::NotExecutable { source, .. } => match source.raw_os_error() {
                Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE | libc::ETXTBSY) => {
                    Obstacle::Busy
                }
                Some(libc::E2BIG) => Obstacle::TooBig,
                _ => Obstacle::Program(self.exit_code()),
            },
            Self::NotFound(_) => Obstacle::Program(self.exit_code()),
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

    /// As execve(2) takes it, wiped when dropped.
    ///
    /// No value holds a NUL byte: a snapshot refuses those, and the kernel lets none into our own.
    fn variables(&self) -> Zeroizing<Vec<CString>> {
        let replaced = |name: &OsStr| self.secrets.iter().any(|(key, _)| key == name);
        let inherited = self.inherited.iter().filter(|(name, _)| !replaced(name));
        let inherited = inherited.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let secrets = self.secrets.iter().map(|(name, value)| (name.as_bytes(), value.expose()));
        let variable = |(name, value): (&[u8], &[u8])| {
            // With room for the NUL, so that the buffer never moves and leaves no copy behind.
            let mut variable = Vec::with_capacity(name.len() + value.len() + 2);
            for part in [name, b"=", value] {
                variable.extend_from_slice(part);
            }
            CString::new(variable).ok()
        };
        Zeroizing::new(inherited.chain(secrets).filter_map(variable).collect())
    }
}

impl Program {
    /// A running child in a process group of its own, with default signal dispositions and mask.
    ///
    /// With `foreground`, that becomes the foreground group of the terminal on standard input.
    pub fn spawn(&self, environment: &Environment, foreground: bool) -> Result<Child, StartError> {
        let path = self.find(environment)?;
        let pid =
            self.posix_spawn(&path, environment).map_err(|errno| start_error(&self.name, &path, errno))?;
        if foreground {
            // As a shell does it. A child that was faster and has read already was stopped for that.
            let _ = tcsetpgrp(io::stdin(), pid);
            let _ = sys::kill(-pid.as_raw(), libc::SIGCONT);
        }
        Ok(Child(pid.as_raw()))
    }

    /// `posix_spawn(3)` shares our memory until the exec, so starting is quick whatever our size; it reports
    /// why an exec failed, and it sets mask, dispositions and group before the program can notice.
    fn posix_spawn(&self, path: &Path, environment: &Environment) -> nix::Result<Pid> {
        let mut attributes = PosixSpawnAttr::init()?;
        attributes.set_pgroup(Pid::from_raw(0))?;
        attributes.set_sigmask(&SigSet::empty())?;
        // The standard library ignores it for us; nothing else is changed that a child would inherit.
        attributes.set_sigdefault(&Signal::SIGPIPE.into())?;
        attributes.set_flags(
            PosixSpawnFlags::POSIX_SPAWN_SETPGROUP
                | PosixSpawnFlags::POSIX_SPAWN_SETSIGMASK
                | PosixSpawnFlags::POSIX_SPAWN_SETSIGDEF,
        )?;
        let files = PosixSpawnFileActions::init()?;
        let arguments = self.arguments()?;
        let pid = posix_spawn(path, &files, &attributes, &arguments, &environment.variables());
        signals::hold();
        pid
    }

    /// Replaces the agent by the program. Returns only if that failed.
    pub fn replace_self(&self, environment: &Environment) -> StartError {
        let path = match self.find(environment) {
            Ok(path) => path,
            Err(error) => return error,
        };
        let replace = || -> nix::Result<()> {
            let file = CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)?;
            let arguments = self.arguments()?;
            let variables = environment.variables();
            SigSet::empty().thread_set_mask()?;
            sys::reset_disposition(Signal::SIGPIPE);
            execve(&file, &arguments, &variables).map(|_| ())
        };
        let errno = replace().err().unwrap_or(Errno::EINVAL);
        start_error(&self.name, &path, errno)
    }

    fn arguments(&self) -> nix::Result<Vec<CString>> {
        let all = std::iter::once(&self.name).chain(&self.arguments);
        all.map(|argument| CString::new(argument.clone().into_vec()).map_err(|_| Errno::EINVAL)).collect()
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

fn start_error(name: &OsStr, path: &Path, errno: Errno) -> StartError {
    match errno {
        Errno::ENOENT | Errno::ENOTDIR if !path.exists() => StartError::NotFound(name.into()),
        errno => StartError::NotExecutable { program: path.into(), source: errno.into() },
    }
}

/// Whether standard input is a terminal of which we are the foreground, so that the child must become it.
pub fn owns_terminal() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|foreground| foreground == getpgrp())
}

/// A child that was started. Its id means it until it is reaped, and its process group for as long as that
/// has a member; after that it must not be used.
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

/// Reaps one process that has ended, ours or adopted: its id, and how it ended. `None`: there is no other.
pub fn reap() -> Option<(i32, Ended)> {
    let (pid, status) = sys::reap_one()?;
    Some((pid, Ended::from_wait_status(status)))
}
