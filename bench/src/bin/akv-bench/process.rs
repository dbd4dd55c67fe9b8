//! A process that is measured: started so that it cannot outlive the benchmark, with its output in a file.

use anyhow::{Context as _, bail};
use nix::unistd::{Pid, geteuid};
use std::{
    ffi::OsStr,
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long anything may take to get going.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running process; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts what `command` says, under a guard, with `dir` for its log.
    pub(crate) fn start(payload: &Path, dir: &Path, command: &Command) -> anyhow::Result<Self> {
        let mut guarded = Command::new(payload);
        guarded.arg("guard").arg(command.get_program()).args(command.get_args());
        // What the measured see of this environment is what their command says, and no more.
        guarded.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let name = Path::new(command.get_program()).file_name().unwrap_or(OsStr::new("process"));
        let log = dir.join(name).with_extension("log");
        let output = File::create(&log).with_context(|| log.display().to_string())?;
        let child = guarded
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| payload.display().to_string())?;
        Ok(Self { child, log })
    }

    /// Its id; the guard has none of its own.
    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap_or(i32::MAX))
    }

    /// Waits until `ready` gives something, and fails with the end of the log if the process ends before.
    pub(crate) fn wait_for<T>(
        &mut self,
        what: &str,
        mut ready: impl FnMut() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let start = Instant::now();
        loop {
            if let Some(found) = ready()? {
                return Ok(found);
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended ({status}) before {what}; {}", self.log());
            }
            if start.elapsed() > PATIENCE {
                bail!("no {what} within {} s; {}", PATIENCE.as_secs(), self.log());
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// The end of what it said.
    pub(crate) fn log(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(5).collect();
        format!("its log ends: {}", lines.into_iter().rev().collect::<Vec<_>>().join(" / "))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `command` as PID 1 of a PID namespace of its own, as in a container.
pub(crate) fn in_pid_namespace(command: &Command) -> Command {
    let mut outer = Command::new("unshare");
    outer.args(["--pid", "--fork", "--kill-child", "--mount-proc"]);
    if !geteuid().is_root() {
        outer.args(["--user", "--map-root-user"]);
    }
    outer.arg("--").arg(command.get_program()).args(command.get_args());
    outer.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer
}

/// The only child of `pid`, if it has one by now.
pub(crate) fn only_child(pid: Pid) -> Option<Pid> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children.trim().parse().ok().map(Pid::from_raw)
}
