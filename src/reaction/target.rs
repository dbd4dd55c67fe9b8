//! Finds the process that a sidecar signals.

use crate::{config::Target, files};
use nix::unistd::getpid;
use std::{
    collections::HashMap,
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// Why there is nobody to signal.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Nobody has that name.
    #[error("no process is called '{name}'{}", lonely(*.alone))]
    NoSuchProcess {
        /// The name.
        name: String,
        /// Whether only the agent's own container can be seen.
        alone: bool,
    },
    /// The pid file cannot be read.
    #[error("cannot read the pid file {}: {}", path.display(), source)]
    PidFile {
        /// Which file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// The pid file holds something else.
    #[error("the pid file {} does not hold a process id", .0.display())]
    NotAPid(PathBuf),
    /// The process that wrote the pid file has ended.
    #[error("no process has the id that the pid file {} holds", .0.display())]
    StalePidFile(PathBuf),
    /// `/proc` cannot be read.
    #[error("cannot read /proc: {0}")]
    NoProc(io::Error),
}

fn lonely(alone: bool) -> &'static str {
    if alone {
        "; only this container's processes are visible: set `shareProcessNamespace: true` in the pod"
    } else {
        ""
    }
}

/// The ids of the processes that `target` means now: one for a pid file; for a name all that have it and
/// whose parent has not (the master of a server, not its workers).
pub fn find(target: &Target) -> Result<Vec<i32>, TargetError> {
    match target {
        Target::PidFile(path) => from_pid_file(path).map(|pid| vec![pid]),
        Target::Process(name) => by_name(name),
    }
}

fn from_pid_file(path: &Path) -> Result<i32, TargetError> {
    let text =
        files::read_regular(path, 64).map_err(|source| TargetError::PidFile { path: path.into(), source })?;
    match String::from_utf8_lossy(&text).trim().parse() {
        // 0, 1 as ourselves and negative numbers would mean groups or the agent to kill(2).
        Ok(pid) if pid > 0 && pid != getpid().as_raw() => Ok(pid),
        _ => Err(TargetError::NotAPid(path.into())),
    }
}

fn by_name(name: &str) -> Result<Vec<i32>, TargetError> {
    let own = getpid().as_raw();
    let mut parents = HashMap::new();
    let mut seen = 0_usize;
    for entry in fs::read_dir("/proc").map_err(TargetError::NoProc)?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|text| text.parse::<i32>().ok()) else {
            continue;
        };
        seen += 1;
        if pid != own && is_called(pid, name) {
            parents.insert(pid, parent(pid));
        }
    }
    let mut roots: Vec<i32> = parents
        .iter()
        .filter(|(_, parent)| parent.is_none_or(|parent| !parents.contains_key(&parent)))
        .map(|(pid, _)| *pid)
        .collect();
    roots.sort_unstable();
    if roots.is_empty() {
        // A container of its own has the agent as PID 1; with a shared namespace that is the pause process.
        return Err(TargetError::NoSuchProcess { name: name.into(), alone: own == 1 || seen <= 1 });
    }
    Ok(roots)
}

/// Whether the process is called `name`: by its command name (which the kernel cuts at 15 bytes), or by the
/// base name of its first argument or of its executable.
pub fn is_called(pid: i32, name: &str) -> bool {
    let proc = PathBuf::from(format!("/proc/{pid}"));
    let base = |path: &OsStr| Path::new(path).file_name().is_some_and(|base| base == name);
    let comm = || fs::read(proc.join("comm")).is_ok_and(|comm| comm.trim_ascii_end() == name.as_bytes());
    let first = || {
        let line = fs::read(proc.join("cmdline")).unwrap_or_default();
        let first = line.split(|byte| *byte == 0).next().unwrap_or_default();
        // Servers rewrite their title as `nginx: master process …`.
        let title = first.split(|byte| *byte == b':').next().unwrap_or_default();
        base(OsStr::from_bytes(first)) || title == name.as_bytes()
    };
    let executable = || fs::read_link(proc.join("exe")).is_ok_and(|path| base(path.as_os_str()));
    comm() || first() || executable()
}

/// The parent's id: the second field after the command name, which may itself hold spaces and brackets.
fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_file_must_hold_the_id_of_another_process() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        assert!(matches!(from_pid_file(&path), Err(TargetError::PidFile { .. })));
        for (text, expected) in [("123\n", Some(123)), ("0", None), ("-5", None), ("x", None), ("", None)] {
            fs::write(&path, text).unwrap();
            assert_eq!(from_pid_file(&path).ok(), expected, "{text:?}");
        }
        fs::write(&path, getpid().to_string()).unwrap();
        assert!(matches!(from_pid_file(&path), Err(TargetError::NotAPid(_))));
    }

    #[test]
    fn a_name_that_nobody_has_is_an_error_that_says_it() {
        let error = by_name("no-such-process-anywhere").unwrap_err();
        assert!(error.to_string().contains("no process is called 'no-such-process-anywhere'"), "{error}");
    }
}
