//! Starting a program, as the child of `exec`, as a command, or in the agent's place: what it is given, why it
//! cannot be started, and what becomes of its process.

pub mod child;
pub mod ended;
pub mod environment;
pub mod sockets;
pub mod spawn;

use environment::Environment;
use nix::unistd::{AccessFlags, access};
use spawn::StartError;
use std::{
    ffi::{CString, OsStr, OsString},
    io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// What to start: a program and its arguments.
#[derive(Debug, Clone)]
pub struct Program {
    /// As it was written on the command line; a bare name is looked up in `PATH`.
    pub name: OsString,
    /// Its arguments, without its name.
    pub arguments: Vec<OsString>,
}

impl Program {
    /// As execve(2) takes them, the name first.
    fn argument_strings(&self) -> io::Result<Vec<CString>> {
        let all = std::iter::once(&self.name).chain(&self.arguments);
        Ok(all.map(|argument| CString::new(argument.as_bytes())).collect::<Result<_, _>>()?)
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
                Err(errno) => denied = denied.or(Some((self.shown(candidate, environment), errno))),
            }
        }
        Err(match denied {
            Some((program, errno)) => StartError::NotExecutable { program, source: errno.into() },
            None => StartError::NotFound(self.name.clone()),
        })
    }

    /// A found file as it may be told: its directory is a part of `PATH`, which may have come from a vault.
    fn shown(&self, file: PathBuf, environment: &Environment) -> PathBuf {
        if environment.secret("PATH").is_some() { PathBuf::from(&self.name) } else { file }
    }
}
