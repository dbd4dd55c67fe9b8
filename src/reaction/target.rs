//! Finds the process that a sidecar signals.

use crate::{
    config::{Pattern, Target},
    files,
};
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
    /// Nobody has such a command line.
    #[error("no process has '{pattern}' in its command line{}", lonely(*.alone))]
    NoSuchCommandLine {
        /// The regular expression.
        pattern: String,
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

/// The ids of the processes that `target` means now: one for a pid file; for a name or a command line all
/// that have it and whose parent has not (the master of a server, not its workers).
pub fn find(target: &Target) -> Result<Vec<i32>, TargetError> {
    match target {
        Target::PidFile(path) => from_pid_file(path).map(|pid| vec![pid]),
        Target::Process(name) => {
            let nobody = |alone| TargetError::NoSuchProcess { name: name.clone(), alone };
            masters(|pid| is_called(pid, name), nobody)
        }
        Target::CommandLine(pattern) => {
            let nobody = |alone| TargetError::NoSuchCommandLine { pattern: pattern.to_string(), alone };
            masters(|pid| has_command_line(pid, pattern), nobody)
        }
    }
}

/// Whether `target` still means this process. What a pid file says is taken as it is.
pub fn is_meant(pid: i32, target: &Target) -> bool {
    match target {
        Target::PidFile(_) => true,
        Target::Process(name) => is_called(pid, name),
        Target::CommandLine(pattern) => has_command_line(pid, pattern),
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

/// The processes that are meant and whose parent is not. `nobody` is told whether only the agent's own
/// container can be seen.
fn masters(
    is_meant: impl Fn(i32) -> bool,
    nobody: impl FnOnce(bool) -> TargetError,
) -> Result<Vec<i32>, TargetError> {
    let own = getpid().as_raw();
    let mut parents = HashMap::new();
    let mut seen = 0_usize;
    for entry in fs::read_dir("/proc").map_err(TargetError::NoProc)?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|text| text.parse::<i32>().ok()) else {
            continue;
        };
        seen += 1;
        if pid != own && is_meant(pid) {
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
        return Err(nobody(own == 1 || seen <= 1));
    }
    Ok(roots)
}

/// Whether the process is called `name`: by its command name (which the kernel cuts at 15 bytes), or by the
/// base name of its first argument or of its executable.
fn is_called(pid: i32, name: &str) -> bool {
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

/// Whether the pattern is in the command line, with spaces between the arguments. A kernel thread has none.
fn has_command_line(pid: i32, pattern: &Pattern) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = line.strip_suffix(b"\0").unwrap_or(&line);
    let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    !line.is_empty() && pattern.is_in(&words.join(" "))
}

/// The parent's id: the second field after the command name, which may itself hold spaces and brackets.
fn parent(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        process::Command,
        thread,
        time::{Duration, Instant},
    };

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
        let error = find(&Target::Process("no-such-process-anywhere".into())).unwrap_err();
        assert!(error.to_string().contains("no process is called 'no-such-process-anywhere'"), "{error}");
    }

    #[test]
    fn a_process_is_found_by_its_arguments() {
        let mut child = Command::new("sleep").args(["600", "600"]).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let pattern = |text: &str| Pattern::parse(text).unwrap();
        // Spawned, it may still be a copy of this process.
        let deadline = Instant::now() + Duration::from_secs(10);
        while !has_command_line(pid, &pattern("^sleep")) && Instant::now() < deadline {
            thread::yield_now();
        }
        let found =
            ["^sleep 600 600$", "0 6", "sleep [6]00"].map(|text| has_command_line(pid, &pattern(text)));
        let others = has_command_line(pid, &pattern("^600"));
        let is_listed = find(&Target::CommandLine(pattern("^sleep 600 600$"))).unwrap().contains(&pid);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((found, others, is_listed), ([true; 3], false, true));
        let error = find(&Target::CommandLine(pattern("no such line anywhere$"))).unwrap_err();
        assert!(error.to_string().starts_with("no process has 'no such line anywhere$' in its"), "{error}");
    }
}
