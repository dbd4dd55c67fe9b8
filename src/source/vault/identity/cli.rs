//! The Azure CLI, run in a way that goes together with `exec`.
//!
//! There the main thread reaps every process that ends, so nobody can rely on waiting for one: the status of
//! `az` would be lost. So a shell runs it and writes its status behind its output, and the end of the output
//! is the end of the run. The shell is told apart by a descriptor and not by its number, so that nobody ever
//! waits for, or signals, a process that has got the same number since.

use super::LocalError;
use crate::{failure::Class, signals, source::vault::transport::tidy, sys};
use async_trait::async_trait;
use azure_identity::Executor;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use std::{
    ffi::OsStr,
    io::{self, Write as _},
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Command, ExitStatus, Output, Stdio},
    time::Duration,
};
use tokio::{net::unix::pipe, task::spawn_blocking, time::timeout};

/// `az` needs some seconds to start, and one or two for a token that it must ask for.
const LIMIT: Duration = Duration::from_secs(30);

/// A token has a few kilobytes, and so has an error message.
const LONGEST: usize = 1 << 20;

/// Waits until the agent has got hold of it, runs its arguments, and writes their status last.
const SCRIPT: &str = r#"read -r go || exit; "$@" </dev/null; printf '\n%s' "$?""#;

/// Runs the commands that the SDK asks for.
#[derive(Debug)]
pub(super) struct AzureCli {
    limit: Duration,
}

impl Default for AzureCli {
    fn default() -> Self {
        Self { limit: LIMIT }
    }
}

#[async_trait]
impl Executor for AzureCli {
    async fn run(&self, program: &OsStr, arguments: &[&OsStr]) -> io::Result<Output> {
        let mut run = Run::start(program, arguments)?;
        let (stdout, stderr) = (run.take_output(), run.take_errors());
        let output = async { futures::try_join!(read(stdout?), read(stderr?)) };
        let output = timeout(self.limit, output).await;
        run.end(output.is_ok()).await;
        match output {
            Ok(output) => judge(output?),
            Err(_) => Err(io::Error::other(LocalError {
                class: Class::Unavailable,
                transient: true,
                message: format!("az gave no token within {} s", self.limit.as_secs()),
            })),
        }
    }
}

/// A shell in a process group of its own.
struct Run {
    group: i32,
    shell: Option<OwnedFd>,
    pipes: [Option<OwnedFd>; 2],
}

impl Run {
    fn start(program: &OsStr, arguments: &[&OsStr]) -> io::Result<Self> {
        let child = Command::new("/bin/sh")
            .args(["-c", SCRIPT, "sh"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn();
        signals::hold();
        let mut child = child.map_err(|error| {
            io::Error::other(LocalError::lasting(format!(
                "az cannot be run, as /bin/sh does not start ({error}); choose an identity that needs no program"
            )))
        })?;
        let group = i32::try_from(child.id()).map_err(io::Error::other)?;
        let run = Self {
            group,
            // It waits for its standard input, so it cannot have ended yet.
            shell: Some(sys::pidfd_open(group)?),
            pipes: [child.stdout.take().map(Into::into), child.stderr.take().map(Into::into)],
        };
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(b"\n")?;
        }
        Ok(run)
    }

    fn take_output(&mut self) -> io::Result<OwnedFd> {
        self.pipes[0].take().ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }

    fn take_errors(&mut self) -> io::Result<OwnedFd> {
        self.pipes[1].take().ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }

    /// Sees it off. In `exec` somebody else may have done so.
    async fn end(mut self, has_ended: bool) {
        if !has_ended {
            self.kill();
        }
        if let Some(shell) = self.shell.take() {
            let _ = spawn_blocking(move || waitid(Id::PIDFd(shell.as_fd()), WaitPidFlag::WEXITED)).await;
        }
    }

    /// While the shell is there, its number cannot mean another group.
    fn kill(&self) {
        let _ = sys::kill(-self.group, libc::SIGKILL);
    }
}

impl Drop for Run {
    /// Nobody waits for the answer any more, for instance because the agent ends.
    fn drop(&mut self) {
        if self.shell.is_some() {
            self.kill();
        }
    }
}

async fn read(pipe: OwnedFd) -> io::Result<Vec<u8>> {
    let pipe = pipe::Receiver::from_owned_fd(pipe)?;
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        pipe.readable().await?;
        match pipe.try_read(&mut buffer) {
            Ok(0) => return Ok(all),
            Ok(_) if all.len() > LONGEST => {
                return Err(io::Error::other(LocalError::lasting("az writes without end")));
            }
            Ok(count) => all.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// Takes the status off the output. What `az` complains about is kept, since it knows best.
fn judge((mut stdout, stderr): (Vec<u8>, Vec<u8>)) -> io::Result<Output> {
    let split = stdout.iter().rposition(|byte| *byte == b'\n').unwrap_or_default();
    let status = stdout.split_off(split);
    let status: Option<i32> = std::str::from_utf8(&status).ok().and_then(|text| text.trim().parse().ok());
    let complaint = tidy(&String::from_utf8_lossy(&stderr));
    let message = match status {
        Some(0) => return Ok(Output { status: ExitStatus::from_raw(0), stdout, stderr }),
        Some(127) => "az is not in PATH; install the Azure CLI, or choose another identity".to_owned(),
        Some(_) if complaint.is_empty() => "az gives no token; run az login".to_owned(),
        Some(_) => format!("az gives no token ({complaint}); run az login"),
        None => "az was killed".to_owned(),
    };
    let class = if status == Some(127) { Class::Config } else { Class::Permission };
    Err(io::Error::other(LocalError { class, transient: status.is_none(), message }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, time::Instant};

    fn run(limit: Duration, script: &str) -> io::Result<Output> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (program, arguments) = (OsStr::new("/bin/sh"), [OsStr::new("-c"), OsStr::new(script)]);
        runtime.block_on(AzureCli { limit }.run(program, &arguments))
    }

    fn error(limit: Duration, script: &str) -> LocalError {
        let error = run(limit, script).expect_err("an error");
        error.downcast::<LocalError>().expect("ours")
    }

    #[test]
    fn the_status_does_not_get_into_the_output() {
        let output = run(LIMIT, "printf '{}\\n'; echo words >&2").expect("output");
        assert_eq!((output.stdout, output.stderr), (b"{}\n".to_vec(), b"words\n".to_vec()));
        let failed = error(LIMIT, "echo 7; echo 'no account' >&2; exit 1");
        assert_eq!((failed.class, failed.transient), (Class::Permission, false));
        assert_eq!(failed.message, "az gives no token (no account); run az login");
    }

    #[test]
    fn one_that_takes_too_long_is_ended_with_all_that_it_started() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("pids");
        let script = format!("sleep 1000 & echo $! $$ >{}; wait", file.display());
        let start = Instant::now();
        let late = error(Duration::from_secs(1), &script);
        assert!(late.transient && late.message.contains("no token within 1 s"), "{late}");
        let pids = fs::read_to_string(file).expect("it had started");
        for pid in pids.split_whitespace() {
            let is_gone = || match fs::read_to_string(format!("/proc/{pid}/stat")) {
                // Nobody may be there to reap it.
                Ok(fields) => fields.rsplit(") ").next().is_some_and(|rest| rest.starts_with(['Z', 'X'])),
                Err(_) => true,
            };
            while !is_gone() {
                assert!(start.elapsed() < Duration::from_secs(20), "{pid} is still there");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}
