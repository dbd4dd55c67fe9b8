//! Finds the processes that a sidecar signals.

use super::{
    pid_file::{self, PidFileError},
    process::{self, StartTime, Stat, beginning},
    sight::Sight,
};
use crate::config::{Pattern, Target};
use crate::ordered::Ordered as _;
use nix::unistd::getpid;
use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// One process, and not another one that may get its id after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// When it was started.
    pub started: StartTime,
}

impl Process {
    /// Whether it is still there.
    pub fn is_running(self) -> bool {
        Stat::of(self.pid).is_some_and(|stat| stat.is_running() && stat.started == self.started)
    }
}

/// Why there is nobody to signal.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// There is no such process.
    #[error("no process {wanted}{}{}", but_own(*.own), sight.remedy())]
    NoSuchProcess {
        /// What it would be: `is called 'nginx'`.
        wanted: String,
        /// One that would be meant, had the agent not started it.
        own: Option<i32>,
        /// How far the agent sees.
        sight: Sight,
    },
    /// The pid file leads to nobody.
    #[error("{}: {error}", path.display())]
    PidFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: PidFileError,
    },
    /// `/proc` does not show processes.
    #[error("cannot look for processes in /proc: {0}")]
    NoProc(io::Error),
}

impl TargetError {
    /// Whether it is well if the app has not been started yet.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::NoSuchProcess { sight, .. } => *sight == Sight::Others,
            Self::PidFile { error, .. } => error.may_pass(),
            Self::NoProc(_) => false,
        }
    }

    /// All that were found have ended in the meantime.
    pub(super) fn gone(target: &Target, pid: i32) -> Self {
        let sight = Sight::Others;
        match target {
            Target::PidFile(path) => {
                Self::PidFile { path: path.clone(), error: PidFileError::Gone { pid, sight } }
            }
            _ => Self::NoSuchProcess { wanted: wanted(target), own: None, sight },
        }
    }
}

fn but_own(own: Option<i32>) -> String {
    own.map(|pid| format!(" but {pid}, which the agent itself has started")).unwrap_or_default()
}

fn wanted(target: &Target) -> String {
    match target {
        Target::Process(name) => format!("is called '{name}'"),
        Target::CommandLine(pattern) => format!("has '{pattern}' in its command line"),
        Target::PidFile(path) => format!("is meant by {}", path.display()),
    }
}

/// The processes that `target` means now, sorted by id; at least one.
///
/// A name or a command line may mean several. Of a family, whose members descend from one another, only the
/// oldest ancestor is meant: the master of a server, which knows what its workers have to be told. Those that
/// are not related are all meant. Never meant are the agent, what it has started itself, what has ended and
/// waits to be reaped, and the kernel's own.
pub fn look(target: &Target) -> Result<Vec<Process>, TargetError> {
    process::check_proc().map_err(TargetError::NoProc)?;
    match target {
        Target::PidFile(path) => match pid_file::read(path) {
            Ok(process) => Ok(vec![process]),
            Err(error) => Err(TargetError::PidFile { path: path.clone(), error }),
        },
        Target::Process(name) => heads(target, &|pid| is_called(pid, name)),
        Target::CommandLine(pattern) => heads(target, &|pid| has_command_line(pid, pattern)),
    }
}

fn heads(target: &Target, is_meant: &dyn Fn(i32) -> bool) -> Result<Vec<Process>, TargetError> {
    let agent = getpid().as_raw();
    let all = process::all().map_err(TargetError::NoProc)?;
    let meant = all.filter(|pid| *pid != agent && is_meant(*pid));
    let running = meant.filter_map(|pid| Some((pid, Stat::of(pid).filter(Stat::is_running)?)));
    let found = running.into_map();

    let lines = found.iter().map(|(pid, stat)| (*pid, stat.ancestors().collect())).into_map();
    let (heads, own) = choose(&lines, agent);
    if heads.is_empty() {
        return Err(TargetError::NoSuchProcess { wanted: wanted(target), own, sight: Sight::now() });
    }
    Ok(heads.into_iter().map(|pid| Process { pid, started: found[&pid].started }).collect())
}

/// Of processes and their ancestors: those that descend neither from the agent nor from one another, and one of
/// those that the agent has started.
fn choose(lines: &BTreeMap<i32, Vec<i32>>, agent: i32) -> (Vec<i32>, Option<i32>) {
    let (own, others): (Vec<_>, Vec<_>) = lines.iter().partition(|(_, line)| line.contains(&agent));
    let heads = others.into_iter().filter(|(_, line)| !line.iter().any(|pid| lines.contains_key(pid)));
    (heads.map(|(pid, _)| *pid).collect(), own.first().map(|(pid, _)| **pid))
}

/// Whether the process is called `name`: by its command name (which the kernel cuts at 15 bytes), or by the
/// base name of its first argument or of its executable.
fn is_called(pid: i32, name: &str) -> bool {
    let base = |path: &OsStr| Path::new(path).file_name().is_some_and(|base| base == name);
    let comm = || beginning(pid, "comm").is_ok_and(|comm| comm.trim_ascii_end() == name.as_bytes());
    let first = || {
        let line = beginning(pid, "cmdline").unwrap_or_default();
        let first = line.split(|byte| *byte == 0).next().unwrap_or_default();
        // Servers rewrite their title as `nginx: master process …`.
        let title = first.split(|byte| *byte == b':').next().unwrap_or_default();
        base(OsStr::from_bytes(first)) || title == name.as_bytes()
    };
    let executable = || fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|path| base(path.as_os_str()));
    comm() || first() || executable()
}

/// Whether the pattern is in the command line, with spaces between the arguments. A kernel thread has none.
fn has_command_line(pid: i32, pattern: &Pattern) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let line = line.strip_suffix(b"\0").unwrap_or(&line);
    let words: Vec<_> = line.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    !line.is_empty() && pattern.is_in(&words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        process::Command,
        thread,
        time::{Duration, Instant},
    };

    fn nobody(sight: Sight) -> TargetError {
        TargetError::NoSuchProcess { wanted: wanted(&Target::Process("app".into())), own: None, sight }
    }

    #[test]
    fn a_name_that_nobody_has_is_an_error_that_says_it() {
        let error = look(&Target::Process("no-such-process-anywhere".into())).unwrap_err();
        assert!(error.to_string().starts_with("no process is called 'no-such-process-anywhere'"), "{error}");
        let pattern = Pattern::parse("no such line anywhere$").unwrap();
        let error = look(&Target::CommandLine(pattern)).unwrap_err();
        let expected = "no process has 'no such line anywhere$' in its command line";
        assert!(error.to_string().starts_with(expected), "{error}");
    }

    #[test]
    fn of_a_family_the_oldest_is_meant_and_of_the_agents_own_nobody() {
        const AGENT: i32 = 5;
        for (lines, heads, own) in [
            (&[][..], &[][..], None),
            (&[(10, &[][..])], &[10], None),
            // As in a container of a pod, whose first process has no parent that could be seen.
            (&[(10, &[]), (11, &[10]), (12, &[10])], &[10], None),
            (&[(10, &[1]), (20, &[1])], &[10, 20], None),
            // By way of a shell that is called otherwise.
            (&[(10, &[1]), (30, &[29, 10, 1])], &[10], None),
            // Ids are no order: the younger one may have the smaller.
            (&[(10, &[30, 1]), (30, &[1])], &[30], None),
            (&[(10, &[AGENT, 1]), (20, &[1])], &[20], Some(10)),
            (&[(10, &[9, AGENT, 1])], &[], Some(10)),
            // The app has started the agent: it is one of its ancestors, and still the app.
            (&[(1, &[])], &[1], None),
        ] {
            let lines: BTreeMap<i32, Vec<i32>> =
                lines.iter().map(|(pid, line)| (*pid, line.to_vec())).collect();
            assert_eq!(choose(&lines, AGENT), (heads.to_vec(), own), "{lines:?}");
        }
    }

    #[test]
    fn an_app_that_is_missing_may_come_unless_it_could_not_be_seen() {
        for (sight, passes, words) in [
            (Sight::Others, true, "'app'"),
            (Sight::OwnContainer, false, "shareProcessNamespace"),
            (Sight::OwnUser, false, "hidepid"),
        ] {
            let error = nobody(sight);
            assert_eq!(error.may_pass(), passes, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
        assert!(!TargetError::NoProc(io::ErrorKind::NotFound.into()).may_pass());
        let gone = TargetError::gone(&Target::PidFile("/run/app.pid".into()), 7);
        assert_eq!(
            gone.to_string(),
            "/run/app.pid: the pid file holds the id 7, and no process has it any more"
        );
    }

    #[test]
    fn command_lines_are_searched_and_what_the_agent_has_started_is_never_meant() {
        let mut child = Command::new("sleep").args(["600", "600"]).spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let pattern = |text: &str| Pattern::parse(text).unwrap();
        // Spawned, it may still be a copy of this process.
        let deadline = Instant::now() + Duration::from_secs(20);
        while !has_command_line(pid, &pattern("^sleep")) && Instant::now() < deadline {
            thread::yield_now();
        }
        let found =
            ["^sleep 600 600$", "0 6", "sleep [6]00"].map(|text| has_command_line(pid, &pattern(text)));
        let others = has_command_line(pid, &pattern("^600"));
        let error = look(&Target::CommandLine(pattern("^sleep 600 600$"))).unwrap_err();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((found, others), ([true; 3], false));
        let expected = format!("in its command line but {pid}, which the agent itself has started");
        assert!(error.to_string().contains(&expected), "{error}");
    }

    #[test]
    fn a_process_is_not_taken_for_another_one_with_its_id() {
        let pid = nix::unistd::getppid().as_raw();
        let process = Process { pid, started: process::started_at(pid).unwrap() };
        assert!(process.is_running());
        let own = process::started_at(getpid().as_raw()).unwrap();
        if own != process.started {
            assert!(!Process { pid, started: own }.is_running());
        }
    }
}
