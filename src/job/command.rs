//! A command that runs.

use super::{JobError, Problem};
use crate::{
    config::Command,
    program::{
        Program,
        child::Child,
        ended::Ended,
        environment::Environment,
        spawn::{Launch, StartError, Streams},
    },
};
use std::time::{Duration, Instant};

/// A process that was started and has not been reaped. Dropping it kills its process group.
///
/// Where it has been reaped, that means what it has left behind: as long as there is any of that, the kernel
/// gives the number of the group to nobody else.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    /// The command, without its arguments.
    what: String,
    limit: Duration,
    deadline: Instant,
}

impl From<&Command> for Program {
    fn from(command: &Command) -> Self {
        let mut argv = command.argv.iter().map(Into::into);
        Self { name: argv.next().unwrap_or_default(), arguments: argv.collect() }
    }
}

impl Running {
    pub(super) fn start(
        command: &Command,
        environment: &Environment,
        now: Instant,
    ) -> Result<Self, StartError> {
        let launch = Launch {
            streams: Streams::Aside,
            // Should the agent be killed, nobody is left to keep the limit.
            parent_death_signal: Some(libc::SIGKILL),
            ..Launch::default()
        };
        let child = Program::from(command).spawn(environment, &launch)?;
        let limit = command.timeout;
        Ok(Self { child, what: command.to_string(), limit, deadline: now + limit })
    }

    pub(super) fn pid(&self) -> i32 {
        self.child.pid()
    }

    pub(super) fn deadline(&self) -> Instant {
        self.deadline
    }

    /// What came of it, now that it has been reaped.
    pub(super) fn ended(mut self, how: Ended) -> Result<(), JobError> {
        self.child = self.child.reaped();
        match how {
            Ended::Exited(0) => Ok(()),
            how => Err(self.failed(Problem::Ended(how))),
        }
    }

    /// That it has not ended in time.
    pub(super) fn too_late(&self) -> JobError {
        self.failed(Problem::StillRunning(self.limit))
    }

    fn failed(&self, problem: Problem) -> JobError {
        JobError::Failed { what: self.what.clone(), problem }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // At once and not by asking first: whoever has time to clean up does so before the limit. It fails
        // where nobody is left, or for a process that has changed its user, which is then out of reach.
        let _ = self.child.signal_group(libc::SIGKILL);
    }
}
