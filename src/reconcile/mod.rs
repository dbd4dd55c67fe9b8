//! The only loop: wake-up → settle → snapshot → plan → outputs → reactions → status.
//!
//! It is synchronous and single-threaded, waits in one poll(2) on everything that can happen, and never
//! blocks anywhere else, so that a signal is forwarded at once whatever a network does. Each turn does what
//! is due and then waits; events only note that something is due.

mod mount;
mod owed;
mod pass;

use crate::{
    background::Background,
    config::{Config, Reaction, Target},
    failure::{ExitCode, Failure},
    reaction,
    serve::{self, Shared},
    settle::Settle,
    signals::Signals,
    snapshot::Snapshot,
    source::observe::Sources,
    status::Board,
    supervise::{Supervisor, child::StartError, state::Event},
    wake::WakeReceiver,
};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
};
use owed::Owed;
use pass::{Missed, Progress};
use std::{
    net::TcpListener,
    os::fd::AsFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

/// How far the loop goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// Until the first complete set is out.
    FirstSet,
    /// Until something ends the agent.
    Forever,
}

/// How the loop ended.
#[derive(Debug)]
pub enum End {
    /// The goal was the first set, and here it is.
    Set(Snapshot),
    /// The agent ends with this code.
    Code(ExitCode),
    /// The child could not be started.
    NotStarted(StartError),
}

/// For whom the set is, besides the outputs.
#[derive(Debug)]
pub enum Subject {
    /// Nobody.
    Nobody,
    /// Another process of the pod.
    Target(Option<Target>),
    /// The agent's own child.
    Child(Supervisor),
}

/// Everything that the loop works with.
#[derive(Debug)]
pub struct Parts<'a> {
    /// The configuration.
    pub config: &'a Config,
    /// What a change leads to where no rule is configured.
    pub default_reaction: Reaction,
    /// Where values are read.
    pub sources: Sources,
    /// The signals that were taken over.
    pub signals: Signals,
    /// Woken by other threads.
    pub wake: WakeReceiver,
    /// Runs the vault source and the server.
    pub background: Background,
    /// Where the operator's view will be served.
    pub listener: Option<TcpListener>,
    /// The operator's view.
    pub board: Board,
    /// For whom all this is.
    pub subject: Subject,
}

/// The loop and its state.
#[derive(Debug)]
pub struct Reconciler<'a> {
    parts: Parts<'a>,
    goal: Goal,
    settle: Settle,
    progress: Progress,
    owed: Owed,
    refresh: Arc<AtomicBool>,
    /// When the first set must be out.
    give_up: Instant,
    /// When the mount is read again although nothing was noticed.
    poll: Option<Instant>,
    end: Option<End>,
}

impl<'a> Reconciler<'a> {
    /// Ready to [`Reconciler::run`].
    pub fn new(parts: Parts<'a>, goal: Goal) -> Self {
        Self {
            goal,
            settle: Settle::new(parts.config.settle),
            progress: Progress::new(parts.config),
            owed: Owed::default(),
            refresh: Arc::default(),
            give_up: Instant::now() + parts.config.timeout,
            poll: None,
            end: None,
            parts,
        }
    }

    /// Runs until the goal is reached or something ends it.
    pub fn run(mut self) -> Result<End, Failure> {
        self.settle.wake(Instant::now());
        loop {
            self.act(Instant::now())?;
            if let Some(end) = self.end.take() {
                return Ok(end);
            }
            self.wait();
            if let Some(end) = self.end.take() {
                return Ok(end);
            }
        }
    }

    /// Does what is due.
    fn act(&mut self, now: Instant) -> Result<(), Failure> {
        let (poll, mount) = (&mut self.poll, &mut self.progress.mount.due);
        if [poll, mount].into_iter().filter_map(|due| due.take_if(|at| *at <= now)).count() > 0 {
            self.settle.wake(now);
        }
        if is_due(self.settle.due(), now) || is_due(self.progress.retry, now) {
            self.pass(now)?;
        }
        if self.end.is_none() && self.progress.applied.is_none() && now >= self.give_up {
            return Err(self.progress.gave_up(self.parts.config.timeout));
        }
        if let Subject::Child(supervisor) = &mut self.parts.subject
            && is_due(supervisor.due(), now)
        {
            let handled = supervisor.tick(now);
            self.after_supervision(handled);
        }
        if is_due(self.owed.due(), now) {
            self.react(now);
        }
        Ok(())
    }

    /// Waits until something happens or is due, and notes what it was.
    fn wait(&mut self) {
        let deadline = [
            self.settle.due(),
            self.progress.retry,
            self.owed.due(),
            self.poll,
            self.progress.mount.due,
            self.progress.applied.is_none().then_some(self.give_up),
            match &self.parts.subject {
                Subject::Child(supervisor) => supervisor.due(),
                _ => None,
            },
        ];
        let timeout = deadline
            .into_iter()
            .flatten()
            .min()
            .map(|at| TimeSpec::from_duration(at.saturating_duration_since(Instant::now())));

        let mut fds = vec![
            PollFd::new(self.parts.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.parts.wake.as_fd(), PollFlags::POLLIN),
        ];
        // While a pass is due anyway, what else changes is left in the kernel's queue: one look at the end of
        // a burst is as good as a thousand.
        let watch = self.parts.sources.watch_fd().filter(|_| self.settle.is_listening());
        fds.extend(watch.map(|fd| PollFd::new(fd, PollFlags::POLLIN)));
        let listener = self.parts.listener.as_ref();
        fds.extend(listener.map(|listener| PollFd::new(listener.as_fd(), PollFlags::POLLIN)));
        match ppoll(&mut fds, timeout, None) {
            Ok(0) | Err(Errno::EINTR) => return,
            Ok(_) => (),
            Err(errno) => {
                // Only a bug or a kernel without memory gets here; do not spin on it.
                tracing::error!(%errno, "poll failed");
                std::thread::sleep(std::time::Duration::from_millis(100));
                return;
            }
        }
        let asked = listener.is_some() && fds.last().is_some_and(|fd| fd.any() == Some(true));
        drop(fds);

        let now = Instant::now();
        while let Some(signal) = self.parts.signals.next() {
            self.signal(signal, now);
        }
        if self.settle.is_listening() && self.parts.sources.take_events() {
            self.settle.wake(now);
        }
        if self.parts.wake.take() {
            if self.refresh.swap(false, Ordering::AcqRel) {
                self.refresh();
            }
            self.settle.wake(now);
        }
        if asked {
            self.serve();
        }
    }

    fn signal(&mut self, signal: i32, now: Instant) {
        if signal == libc::SIGHUP {
            self.refresh();
            self.settle.wake(now);
        }
        match &mut self.parts.subject {
            Subject::Child(supervisor) if signal == libc::SIGCHLD => {
                let reaped = supervisor.reap(now);
                self.after_supervision(reaped);
            }
            // All signals are the child's, SIGHUP too: without us it would get it.
            Subject::Child(_) => self.supervise(Event::Signal(signal), now),
            _ if signal == libc::SIGHUP => (),
            _ => {
                // What is owed is not put off any longer: after the next start nobody would know of it.
                if self.owed.due().is_some() {
                    self.react(now);
                }
                // Before its first set an agent has done nothing yet that would make its end a success.
                let done = self.progress.applied.is_some();
                let code = if done { ExitCode::OK } else { ExitCode::signalled(signal) };
                self.end = Some(End::Code(code));
            }
        }
    }

    fn refresh(&mut self) {
        tracing::info!("a refresh was asked for");
        self.parts.sources.refresh();
    }

    fn supervise(&mut self, event: Event, now: Instant) {
        if let Subject::Child(supervisor) = &mut self.parts.subject {
            let handled = supervisor.handle(event, now);
            self.after_supervision(handled);
        }
    }

    fn after_supervision(&mut self, handled: Result<(), StartError>) {
        let Subject::Child(supervisor) = &self.parts.subject else { return };
        if self.end.is_none() {
            self.end = match handled {
                Err(error) => Some(End::NotStarted(error)),
                Ok(()) => supervisor.over().map(End::Code),
            };
        }
        self.parts.board.lock().child =
            supervisor.pid().map(|pid| crate::status::ChildStatus { pid, restarts: supervisor.restarts() });
    }

    /// Reads everything, and brings the outputs and the reactions up to date.
    fn pass(&mut self, now: Instant) -> Result<(), Failure> {
        // Taken before the read: what comes later wakes again.
        self.parts.sources.take_events();
        let missed = self.progress.pass(&mut self.parts, now)?;
        self.poll = self.parts.sources.poll_interval().map(|interval| now + interval);
        self.settle.passed(now, missed == Missed::Nothing(true));
        self.show_problems();
        let Missed::Nothing(_) = missed else { return Ok(()) };

        if self.progress.first {
            if self.goal == Goal::FirstSet {
                self.end = self.progress.applied.take().map(End::Set);
                return Ok(());
            }
            self.supervise(Event::Ready, now);
        }
        let reactions = std::mem::take(&mut self.progress.reactions);
        self.owed.add(reactions, now, self.parts.config.splay);
        Ok(())
    }

    /// Carries out what is owed. What fails stays owed; the outputs are not touched for it.
    fn react(&mut self, now: Instant) {
        let mut failed = Vec::new();
        for reaction in self.owed.take() {
            let done: Result<(), Box<dyn std::error::Error>> = match (&reaction, &self.parts.subject) {
                (Reaction::Restart(stop), Subject::Child(_)) => {
                    self.supervise(Event::Restart { signal: stop.signal, grace: stop.grace }, now);
                    Ok(())
                }
                (Reaction::Signal { signal, .. }, Subject::Child(supervisor)) => {
                    supervisor.notify(*signal).map_err(Into::into)
                }
                (Reaction::Signal { signal, .. }, Subject::Target(Some(target))) => {
                    reaction::signal::send(target, *signal).map_err(Into::into).map(|told| {
                        tracing::info!(signal, pids = ?told.pids, "the app was signalled");
                        if let Some(refused) = told.refused {
                            tracing::warn!("not all of them: {}", crate::failure::chain(&refused));
                        }
                    })
                }
                // The configuration was checked for the use, so these pairs do not come up.
                (Reaction::None | Reaction::Http { .. } | Reaction::Command(_) | Reaction::Exit(_), _)
                | (Reaction::Restart(_), Subject::Nobody | Subject::Target(_))
                | (Reaction::Signal { .. }, Subject::Nobody | Subject::Target(None)) => Ok(()),
            };
            let mut status = self.parts.board.lock();
            match done {
                Ok(()) => status.reactions += 1,
                Err(error) => {
                    status.failed_reactions += 1;
                    let problem = format!(
                        "the app was not told of a change: {}",
                        crate::failure::chain(error.as_ref())
                    );
                    tracing::warn!("{problem}");
                    failed.push((reaction, problem));
                }
            }
        }
        self.owed.failed(failed, now);
        self.show_problems();
    }

    /// Shows what is wrong at present with any stage.
    fn show_problems(&self) {
        let owed = self.owed.problem().map(ToOwned::to_owned);
        let problems = self.progress.problems().cloned().chain(owed).collect();
        self.parts.board.lock().problems = problems;
    }

    fn serve(&mut self) {
        let Some(listener) = self.parts.listener.take() else { return };
        let shared = Shared {
            board: self.parts.board.clone(),
            vault: self.parts.sources.vault_view(),
            refresh: Arc::clone(&self.refresh),
            waker: self.parts.wake.waker(),
        };
        if let Err(error) = serve::start(listener, shared, &mut self.parts.background) {
            tracing::error!(%error, "status cannot be served");
        }
    }
}

fn is_due(at: Option<Instant>, now: Instant) -> bool {
    at.is_some_and(|at| at <= now)
}
