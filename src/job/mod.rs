//! What is asked of other programs and takes time: requests, connections, commands.
//!
//! [`Jobs`] starts them and never waits. Requests and connections run on the background thread, within a limit
//! that is kept there; a command is a process, whose end the caller reaps and reports, and whose limit
//! [`Jobs::tick`] keeps. However a job ends, its result is taken by [`Jobs::finished`], once.
//!
//! A job can be given up at any time, by [`Jobs::cancel`] or by dropping [`Jobs`]. What it has done by then
//! stays done: a request may have been acted on. Nothing of it runs on, though: a connection is closed, and
//! the process group of a command is killed, as it is at the end of every command, so that nothing which the
//! command has left behind acts on a set that may no longer hold. A caller who starts commands must take over
//! SIGCHLD.

mod command;
mod error;
mod network;

#[cfg(test)]
mod tests;

pub use error::{JobError, Problem};

use crate::{
    background::Background,
    config::{Check, Command, EnvName, Host, HttpRequest},
    program::{Program, ended::Ended, environment::Environment, spawn::StartError},
    wake::{WakeReceiver, Waker},
};
use command::Running;
use futures::{
    FutureExt as _,
    future::{AbortHandle, Abortable},
};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    future::Future,
    mem,
    os::fd::{AsFd, BorrowedFd},
    panic::AssertUnwindSafe,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Tells a command which variables have changed: their names, separated by spaces.
pub const CHANGED: &str = "AKV_AGENT_CHANGED";

/// One job.
#[derive(Debug, Clone)]
pub enum Task {
    /// Done when the head of an answer with an expected status is here.
    Http(HttpRequest),
    /// Done when a connection is taken.
    Tcp {
        /// Whose port.
        host: Host,
        /// Which.
        port: u16,
        /// How long it may take.
        timeout: Duration,
    },
    /// Done when the program has ended with code 0.
    Command {
        /// Which program.
        command: Command,
        /// All that it gets to know.
        environment: Environment,
    },
}

impl Task {
    /// The job that makes `check`; only a command has use for the environment.
    pub fn check(check: &Check, environment: impl FnOnce() -> Environment) -> Self {
        match check {
            Check::Http(request) => Self::Http(request.clone()),
            Check::Tcp { host, port, timeout } => {
                Self::Tcp { host: host.clone(), port: *port, timeout: *timeout }
            }
            Check::Command(command) => Self::Command { command: command.clone(), environment: environment() },
        }
    }
}

/// Says what is done, but neither the query of a request nor the arguments of a program.
impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(request) => request.fmt(f),
            Self::Tcp { host, port, .. } => write!(f, "connect to {host}:{port}"),
            Self::Command { command, .. } => command.fmt(f),
        }
    }
}

/// The environment of a command: what is passed on to a child, and which variables have changed.
pub fn environment<'a>(
    inherited: &[(OsString, OsString)],
    changed: impl IntoIterator<Item = &'a EnvName>,
) -> Environment {
    let names: Vec<&str> = changed.into_iter().map(EnvName::as_str).collect();
    let mut inherited = inherited.to_vec();
    inherited.push((CHANGED.into(), names.join(" ").into()));
    Environment { inherited: inherited.into(), secrets: Vec::new() }
}

/// The file that is executed for a command, looked for as when it is, and not executed.
pub fn find(command: &Command, inherited: &[(OsString, OsString)]) -> Result<PathBuf, StartError> {
    Program::from(command).look_up(&environment(inherited, []))
}

/// Means one job, and no other one as long as the agent runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobId(u64);

/// How a job has ended.
pub type Finished = (JobId, Result<(), JobError>);

/// The jobs that have been started and whose results have not been taken. Its descriptor is readable while
/// there are results to take.
#[derive(Debug)]
pub struct Jobs {
    open: BTreeMap<JobId, Work>,
    results: Results,
    wake: WakeReceiver,
    started: u64,
    /// A moment that has passed: when results that wait here were due to be taken.
    since: Instant,
}

/// What runs for a job; dropping it stops that.
#[derive(Debug)]
enum Work {
    Exchange(#[expect(dead_code, reason = "kept to be dropped")] AbortOnDrop),
    Command(Running),
    /// Nothing any more; the result is among the others.
    Over,
}

#[derive(Debug)]
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Results that wait to be taken; those of exchanges come from the background thread.
#[derive(Debug, Clone)]
struct Results {
    list: Arc<Mutex<Vec<Finished>>>,
    waker: Waker,
}

impl Results {
    fn lock(&self) -> MutexGuard<'_, Vec<Finished>> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, id: JobId, result: Result<(), JobError>) {
        let mut list = self.lock();
        list.push((id, result));
        // With the lock held, so that whoever takes the results takes their wake-up as well.
        self.waker.wake();
    }
}

impl AsFd for Jobs {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

impl Jobs {
    /// None yet. `wake` is for jobs alone: that one has ended is no reason to do anything else.
    pub fn new(wake: WakeReceiver) -> Self {
        let results = Results { list: Arc::default(), waker: wake.waker() };
        Self { open: BTreeMap::new(), results, wake, started: 0, since: Instant::now() }
    }

    /// Starts a job. One that cannot even be started has failed; its result is to be taken like any other.
    pub fn start(&mut self, task: Task, now: Instant, background: &mut Background) -> JobId {
        self.started += 1;
        let id = JobId(self.started);
        let what = task.to_string();
        let work = match task {
            Task::Http(request) => {
                self.exchange(id, what, async move { network::request(&request).await }, background)
            }
            Task::Tcp { host, port, timeout } => {
                let connect = async move { network::connect(&host, port, timeout).await };
                self.exchange(id, what, connect, background)
            }
            Task::Command { command, environment } => match Running::start(&command, &environment, now) {
                Ok(running) => Work::Command(running),
                Err(error) => {
                    self.results.put(id, Err(error.into()));
                    Work::Over
                }
            },
        };
        self.open.insert(id, work);
        id
    }

    fn exchange(
        &self,
        id: JobId,
        what: String,
        exchange: impl Future<Output = Result<(), Problem>> + Send + 'static,
        background: &mut Background,
    ) -> Work {
        let (handle, registration) = AbortHandle::new_pair();
        let results = self.results.clone();
        let report = async move {
            // Without a result the caller would wait for ever.
            let bug = |_| Err(Problem::Broken("reading the answer failed (a bug)"));
            let result = AssertUnwindSafe(exchange).catch_unwind().await.unwrap_or_else(bug);
            results.put(id, result.map_err(|problem| JobError::Failed { what, problem }));
        };
        let task = async move {
            let _ = Abortable::new(report, registration).await;
        };
        match background.spawn(task) {
            Ok(()) => Work::Exchange(AbortOnDrop(handle)),
            Err(error) => {
                self.results.put(id, Err(JobError::NoThread(error)));
                Work::Over
            }
        }
    }

    /// Gives a job up. Its result will not be among the finished ones, even if it has ended already.
    pub fn cancel(&mut self, id: JobId) {
        self.open.remove(&id);
    }

    /// Whether the process that was reaped is a command's; if so, that has ended with it.
    pub fn reaped(&mut self, pid: i32, how: Ended) -> bool {
        let is_meant = |work: &Work| matches!(work, Work::Command(running) if running.pid() == pid);
        let Some((id, work)) = self.open.iter_mut().find(|(_, work)| is_meant(work)) else { return false };
        if let Work::Command(running) = mem::replace(work, Work::Over) {
            self.results.put(*id, running.ended(how));
        }
        true
    }

    /// When [`Jobs::tick`] or [`Jobs::finished`] has something to do.
    pub fn due(&self) -> Option<Instant> {
        if !self.results.lock().is_empty() {
            return Some(self.since);
        }
        let deadline = |work: &Work| match work {
            Work::Command(running) => Some(running.deadline()),
            Work::Exchange(_) | Work::Over => None,
        };
        self.open.values().filter_map(deadline).min()
    }

    /// Ends the commands whose time is over.
    pub fn tick(&mut self, now: Instant) {
        for (id, work) in &mut self.open {
            if let Work::Command(running) = work
                && running.deadline() <= now
            {
                self.results.put(*id, Err(running.too_late()));
                // Not waited for: a process that hangs in the kernel would hold up all that follows.
                *work = Work::Over;
            }
        }
    }

    /// Takes the results that are there.
    pub fn finished(&mut self) -> Vec<Finished> {
        let mut list = self.results.lock();
        self.wake.take();
        let mut results = mem::take(&mut *list);
        drop(list);
        results.retain(|(id, _)| self.open.remove(id).is_some());
        results
    }
}
