//! Reads the process that a pid file means.

use super::{process::Stat, sight::Sight, target::Process};
use crate::files;
use nix::unistd::getpid;
use std::{
    io::{self, Read as _},
    path::Path,
    time::{Duration, SystemTime},
};

/// By how much a process may seem to have been started after its pid file was written. Between the two, the
/// time of day may have been set, and a file system may have clocks of its own; on the other side, before an
/// id is given to somebody else, a kernel gives out tens of thousands of others.
const MARGIN: Duration = Duration::from_secs(60);

/// Enough for the first line.
const LIMIT: u64 = 64;

/// Why a pid file leads to nobody.
#[derive(Debug, thiserror::Error)]
pub enum PidFileError {
    /// It cannot be read.
    #[error("cannot read the pid file: {source}{}", sight.remedy())]
    Unreadable {
        /// What the kernel said.
        source: io::Error,
        /// How far the agent sees.
        sight: Sight,
    },
    /// It holds something else.
    #[error("the pid file does not hold a process id in its first line")]
    NotAPid,
    /// It holds an id that is the agent's.
    #[error("the pid file holds the id of the agent itself{}", sight.remedy())]
    Agent {
        /// How far the agent sees.
        sight: Sight,
    },
    /// It holds the id of a process that the agent has started.
    #[error("the pid file holds the id of process {0}, which the agent itself has started")]
    OfAgent(i32),
    /// It holds an id that nobody has.
    #[error("the pid file holds the id {pid}, and no process has it any more{}", sight.remedy())]
    Gone {
        /// The id.
        pid: i32,
        /// How far the agent sees.
        sight: Sight,
    },
    /// It holds an id that somebody else has by now.
    #[error("the pid file is older than process {0}, whose id it holds: its own process has ended")]
    Reused(i32),
}

impl PidFileError {
    /// Whether an app that is started may put it right by itself.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Unreadable { source, sight } => {
                source.kind() == io::ErrorKind::NotFound && *sight == Sight::Others
            }
            Self::Gone { sight, .. } => *sight == Sight::Others,
            Self::Reused(_) => true,
            Self::NotAPid | Self::Agent { .. } | Self::OfAgent(_) => false,
        }
    }
}

/// The process whose id is in the file now, if that is still the one that was meant when it was written.
pub(super) fn read(path: &Path) -> Result<Process, PidFileError> {
    let (pid, written) = content(path)
        .map_err(|source| PidFileError::Unreadable { source, sight: Sight::now() })?
        .ok_or(PidFileError::NotAPid)?;
    let agent = getpid().as_raw();
    if pid == agent {
        return Err(PidFileError::Agent { sight: Sight::now() });
    }
    let Some(stat) = Stat::of(pid).filter(Stat::is_running) else {
        return Err(PidFileError::Gone { pid, sight: Sight::now() });
    };
    if stat.is_of_agent() {
        return Err(PidFileError::OfAgent(pid));
    }
    if is_reused(written, stat.started.time_of_day()) {
        return Err(PidFileError::Reused(pid));
    }
    Ok(Process { pid, started: stat.started })
}

/// The id in the first line, after which servers may have more to say, and when the file was last written.
/// What kill(2) would take for a group is no id.
fn content(path: &Path) -> io::Result<Option<(i32, Option<SystemTime>)>> {
    let file = files::open_regular(path)?;
    let written = file.metadata()?.modified().ok();
    let mut bytes = Vec::new();
    file.take(LIMIT).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let first = text.trim_start().lines().next().unwrap_or_default().trim_end();
    Ok(first.parse().ok().filter(|pid| *pid > 0).map(|pid| (pid, written)))
}

/// A file cannot mean a process that was started only after it was written.
fn is_reused(written: Option<SystemTime>, started: Option<SystemTime>) -> bool {
    let latest = written.and_then(|written| written.checked_add(MARGIN));
    latest.zip(started).is_some_and(|(latest, started)| started > latest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs::{self, File},
        path::PathBuf,
        process::{Child, Command},
    };
    use tempfile::TempDir;

    fn file(text: &str) -> (TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        fs::write(&path, text).unwrap();
        (directory, path)
    }

    /// A process that this test has not started itself, which would be its own.
    fn parent() -> i32 {
        nix::unistd::getppid().as_raw()
    }

    #[test]
    fn the_first_line_holds_the_id() {
        for (text, expected) in [
            ("123\n", Some(123)),
            ("  123  ", Some(123)),
            ("\n123", Some(123)),
            ("123\r\n", Some(123)),
            // As PostgreSQL writes it.
            ("123\n/var/lib/data\n1700000000\n5432\n", Some(123)),
            ("2147483648", None),
            ("0", None),
            ("-5", None),
            ("x", None),
            ("12 34", None),
            ("", None),
            ("\0\0\0", None),
        ] {
            let (_directory, path) = file(text);
            assert_eq!(content(&path).unwrap().map(|(pid, _)| pid), expected, "{text:?}");
            if expected.is_none() {
                assert!(matches!(read(&path), Err(PidFileError::NotAPid)), "{text:?}");
            }
        }
    }

    #[test]
    fn the_id_must_be_that_of_another_process_that_runs() {
        let (_directory, path) = file(&parent().to_string());
        assert_eq!(read(&path).unwrap().pid, parent());
        fs::write(&path, getpid().to_string()).unwrap();
        assert!(matches!(read(&path), Err(PidFileError::Agent { .. })));
        fs::remove_file(&path).unwrap();
        assert!(matches!(read(&path), Err(PidFileError::Unreadable { .. })));
    }

    #[test]
    fn a_process_of_ones_own_is_never_meant_and_one_that_has_ended_is_gone() {
        let mut child: Child = Command::new("sleep").arg("600").spawn().unwrap();
        let (_directory, path) = file(&child.id().to_string());
        let alive = read(&path);
        child.kill().unwrap();
        // Dead, and not reaped as long as nobody waits for it.
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        let dead = loop {
            match read(&path) {
                Err(PidFileError::OfAgent(_)) if std::time::Instant::now() < deadline => {
                    std::thread::yield_now();
                }
                dead => break dead,
            }
        };
        child.wait().unwrap();
        assert!(matches!(alive, Err(PidFileError::OfAgent(_))), "{alive:?}");
        assert!(matches!(dead, Err(PidFileError::Gone { .. })), "{dead:?}");
        assert!(matches!(read(&path), Err(PidFileError::Gone { .. })));
    }

    #[test]
    fn a_file_that_is_older_than_the_process_means_another_one() {
        let (_directory, path) = file(&parent().to_string());
        let started = Stat::of(parent()).unwrap().started.time_of_day().unwrap();
        let set = |time| File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        set(started - MARGIN * 2);
        assert!(matches!(read(&path), Err(PidFileError::Reused(_))));
        set(started);
        assert_eq!(read(&path).unwrap().pid, parent());
    }

    #[test]
    fn clocks_may_differ_by_the_margin() {
        let written = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let second = Duration::from_secs(1);
        for (started, expected) in [
            (written - Duration::from_secs(500_000), false),
            (written, false),
            (written + MARGIN, false),
            (written + MARGIN + second, true),
        ] {
            assert_eq!(is_reused(Some(written), Some(started)), expected, "{started:?}");
        }
        assert!(!is_reused(None, Some(written)) && !is_reused(Some(written), None));
    }

    #[test]
    fn what_an_app_puts_right_by_starting_passes() {
        let missing = |sight| PidFileError::Unreadable { source: io::ErrorKind::NotFound.into(), sight };
        let forbidden = io::ErrorKind::PermissionDenied.into();
        for (error, passes) in [
            (missing(Sight::Others), true),
            (missing(Sight::OwnContainer), false),
            (PidFileError::Unreadable { source: forbidden, sight: Sight::Others }, false),
            (PidFileError::Gone { pid: 7, sight: Sight::Others }, true),
            (PidFileError::Gone { pid: 7, sight: Sight::OwnContainer }, false),
            (PidFileError::Gone { pid: 7, sight: Sight::OwnUser }, false),
            (PidFileError::Reused(7), true),
            (PidFileError::NotAPid, false),
            (PidFileError::Agent { sight: Sight::Others }, false),
            (PidFileError::OfAgent(7), false),
        ] {
            assert_eq!(error.may_pass(), passes, "{error}");
        }
    }
}
