//! What is started: a program, its arguments, and the environment that it gets.

use super::spawn::StartError;
use crate::secret::SecretValue;
use nix::unistd::{AccessFlags, access};
use std::{
    ffi::{CString, OsStr, OsString},
    io,
    os::unix::ffi::OsStrExt,
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

impl Program {
    /// As execve(2) takes them, the name first.
    pub(super) fn argument_strings(&self) -> io::Result<Vec<CString>> {
        let all = std::iter::once(&self.name).chain(&self.arguments);
        Ok(all.map(|argument| CString::new(argument.as_bytes())).collect::<Result<_, _>>()?)
    }

    /// The file to execute, looked up as execvp(3) does, in the `PATH` that the child will have.
    pub(super) fn find(&self, environment: &Environment) -> Result<PathBuf, StartError> {
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

/// The environment of a child: the agent's own without what is not for the child, and the set on top.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// What is passed on.
    pub inherited: Vec<(OsString, OsString)>,
    /// The set; these win.
    pub secrets: Vec<(OsString, SecretValue)>,
}

impl Environment {
    fn get(&self, name: &str) -> Option<&OsStr> {
        let secret = self.secrets.iter().find(|(key, _)| key == name);
        let inherited = || self.inherited.iter().find(|(key, _)| key == name);
        secret
            .map(|(_, value)| OsStr::from_bytes(value.expose()))
            .or_else(|| Some(inherited()?.1.as_os_str()))
    }

    /// As execve(2) takes it, wiped when dropped, without the variables that are `withheld`.
    ///
    /// No value holds a NUL byte: a snapshot refuses those, and the kernel lets none into our own.
    pub(super) fn strings(&self, withheld: &[&str]) -> Zeroizing<Vec<CString>> {
        let replaced = |name: &OsStr| self.secrets.iter().any(|(key, _)| key == name);
        let inherited = self.inherited.iter().filter(|(name, _)| !replaced(name));
        let inherited = inherited.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let secrets = self.secrets.iter().map(|(name, value)| (name.as_bytes(), value.expose()));
        let passed = inherited
            .chain(secrets)
            .filter(|(name, _)| !withheld.iter().any(|withheld| withheld.as_bytes() == *name));
        Zeroizing::new(passed.filter_map(|(name, value)| variable(name, value)).collect())
    }
}

/// `NAME=value`.
pub(super) fn variable(name: &[u8], value: &[u8]) -> Option<CString> {
    // With room for the NUL, so that the buffer never moves and leaves no copy behind.
    let mut variable = Vec::with_capacity(name.len() + value.len() + 2);
    for part in [name, b"=", value] {
        variable.extend_from_slice(part);
    }
    CString::new(variable).ok()
}
