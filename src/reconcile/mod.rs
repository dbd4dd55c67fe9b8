//! The only loop: wake-up → settle → snapshot → plan → outputs → reactions → status.
//!
//! It is synchronous and single-threaded, waits in one poll(2) on everything that can happen, and never
//! blocks anywhere else, so that a signal is forwarded at once whatever a network does. Each turn does what
//! is due and then waits; events only note that something is due.

mod child;
mod mount;
mod outputs;
mod owed;
mod pass;
mod react;
mod refresh;
mod rejected;
mod server;
mod trial;
mod verify;

use crate::{
    background::Background,
    config::{Config, Reaction, Target},
    failure::{ExitCode, Failure},
    heartbeat::Heartbeat,
    job::Jobs,
    log,
    program::environment::Inherited,
    reaction::preflight::Lookout,
    refresh::{Inbox, Refreshes},
    rest::Rest,
    settle::Settle,
    signals::{self, Signals},
    snapshot::Snapshot,
    source::observe::Sources,
    state::Keeper,
    status::Board,
    supervise::{Supervisor, state::Event},
    sys,
    wake::WakeReceiver,
};
use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, ppoll},
    sys::time::TimeSpec,
};
use owed::{Debt, Owed};
use pass::{Missed, Progress};
use react::Acting;
use std::{net::TcpListener, os::fd::AsFd, time::Instant};
use trial::Trial;

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
    /// The agent ends with this code, and why.
    Because(ExitCode, String),
}

/// For whom the set is, besides the outputs.
#[derive(Debug)]
pub enum Subject {
    /// Nobody.
    Nobody,
    /// Another process of the pod.
    Target(Option<Target>),
    /// The agent's own child.
    Child(Box<Supervisor>),
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
    /// Runs the vault source, the server and requests.
    pub background: Background,
    /// What was asked of other programs.
    pub jobs: Jobs,
    /// The agent's own environment, as far as it is passed on.
    pub inherited: Inherited,
    /// Where the operator's view will be served.
    pub listener: Option<TcpListener>,
    /// The operator's view.
    pub board: Board,
    /// For whom all this is.
    pub subject: Subject,
    /// What the app was given.
    pub state: Keeper,
}

/// The loop and its state.
#[derive(Debug)]
pub struct Reconciler<'a> {
    parts: Parts<'a>,
    goal: Goal,
    settle: Settle,
    progress: Progress,
    owed: Owed,
    /// The reaction that is being carried out.
    acting: Option<Acting>,
    trial: Trial,
    lookout: Lookout,
    /// What was wrong with the child when that was last shown.
    child_problems: Vec<String>,
    /// Whether the app may have been given something that has not been noted yet.
    is_unrecorded: bool,
    /// Whether something may be wrong, or owed, that the status does not show yet.
    is_unshown: bool,
    refreshes: Refreshes,
    inbox: Inbox,
    heartbeat: Heartbeat,
    /// When clients are looked for again, after it was impossible to serve one.
    serve_again: Option<Instant>,
    rest: Rest,
    /// When the first set must be out.
    give_up: Instant,
    /// When the mount is read again although nothing was noticed.
    poll: Option<Instant>,
    end: Option<End>,
}

impl<'a> Reconciler<'a> {
    /// Ready to [`Reconciler::run`].
    pub fn new(parts: Parts<'a>, goal: Goal) -> Self {
        let now = Instant::now();
        Self {
            goal,
            lookout: Lookout::new(parts.subject.target(), now),
            settle: Settle::new(parts.config.settle),
            progress: Progress::new(parts.config, parts.state.key()),
            owed: Owed::default(),
            acting: None,
            trial: Trial::default(),
            child_problems: Vec::new(),
            is_unrecorded: false,
            is_unshown: false,
            refreshes: Refreshes::default(),
            inbox: Inbox::new(parts.wake.waker()),
            heartbeat: Heartbeat::new(now),
            serve_again: None,
            rest: Rest::new(now),
            give_up: now + parts.config.timeout,
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
        let _log = log::hold();
        let (poll, mount) = (&mut self.poll, &mut self.progress.mount.due);
        if [poll, mount].into_iter().filter_map(|due| due.take_if(|at| *at <= now)).count() > 0 {
            self.settle.wake(now);
        }
        self.begin_refresh(now);
        self.serve_again.take_if(|at| *at <= now);
        if is_due(self.settle.due(), now) || is_due(self.progress.retry, now) {
            self.pass(now)?;
        }
        if self.end.is_none() && self.progress.applied.is_none() && now >= self.give_up {
            return Err(self.progress.gave_up(self.parts.config.timeout));
        }
        self.jobs(now);
        if let Subject::Child(supervisor) = &mut self.parts.subject
            && is_due(supervisor.due(), now)
        {
            supervisor.tick(now);
        }
        self.after_supervision(now)?;
        self.react(now);
        self.after_supervision(now)?;
        self.lookout.tick(now);
        self.accept_what_leads_to_nothing();
        self.show();
        self.record();
        self.show();
        self.answer_refreshes(now);
        Ok(())
    }

    /// What has come of jobs.
    fn jobs(&mut self, now: Instant) {
        if !is_due(self.parts.jobs.due(), now) {
            return;
        }
        self.parts.jobs.tick(now);
        for (job, result) in self.parts.jobs.finished() {
            if !self.trial.finished(job, &result) {
                self.job_finished(job, &result, now);
            }
        }
    }

    /// Waits until something happens or is due, and notes what it was.
    fn wait(&mut self) {
        let rests = self.rest.take(Instant::now());
        let deadline = [
            self.settle.due(),
            self.progress.retry,
            self.owed.due().filter(|_| self.acting.is_none()),
            self.acting.as_ref().and_then(Acting::due),
            self.trial.due(),
            self.lookout.due(),
            self.parts.jobs.due(),
            self.refreshes.due(),
            self.serve_again,
            self.rest.due(),
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

        let signals = self.parts.signals.as_fd();
        // While a pass is due anyway, what else changes is left in the kernel's queue: one look at the end of
        // a burst is as good as a thousand.
        let watch = self.parts.sources.watch_fd().filter(|_| self.settle.is_listening());
        let listener = self.parts.listener.as_ref().filter(|_| self.serve_again.is_none()).map(AsFd::as_fd);
        let all =
            [Some(signals), Some(self.parts.wake.as_fd()), Some(self.parts.jobs.as_fd()), watch, listener];
        let nothing = || PollFd::new(signals, PollFlags::empty());
        let mut fds = all.map(|fd| fd.map_or_else(nothing, |fd| PollFd::new(fd, PollFlags::POLLIN)));
        self.heartbeat.waits();
        if rests {
            // Before it, so that what others execute from now on is told of.
            self.parts.wake.rests();
            sys::unmap_program();
        }
        let polled = ppoll(&mut fds, timeout, None);
        let now = Instant::now();
        self.heartbeat.works(now);
        self.rest.wake(now);
        match polled {
            Ok(0) | Err(Errno::EINTR) => return,
            Ok(_) => (),
            Err(errno) => {
                // Only a bug or a kernel without memory gets here; do not spin on it.
                tracing::error!(%errno, "poll failed");
                std::thread::sleep(std::time::Duration::from_millis(100));
                return;
            }
        }
        let [is_signalled, is_woken, _, is_watched, is_asked] = fds.map(|fd| fd.any() == Some(true));
        // One that comes only now is left for the next turn: what is taken has to be acted on.
        let most = if is_signalled { signals::MOST_AT_ONCE } else { 0 };
        for _ in 0..most {
            let Some(signal) = self.parts.signals.next() else { break };
            self.signal(signal, now);
        }
        if is_watched && self.parts.sources.take_events() {
            self.settle.wake(now);
        }
        if is_woken && self.parts.wake.take() {
            self.take_requests(now);
            self.settle.wake(now);
        }
        if is_asked {
            self.serve(now);
        }
    }

    fn signal(&mut self, signal: i32, now: Instant) {
        if signal == libc::SIGHUP {
            self.parts.board.lock().refreshes += 1;
            self.read_anew(now);
        }
        match &mut self.parts.subject {
            _ if signal == libc::SIGCHLD => self.reap(now),
            // All signals are the child's, SIGHUP too: without us it would get it.
            Subject::Child(supervisor) => supervisor.handle(Event::Signal(signal), now),
            _ if signal == libc::SIGHUP => (),
            _ => {
                // What is owed is not put off any longer: after the next start nobody would know of it.
                self.last_chance(now);
                self.record();
                // Before its first set an agent has done nothing yet that would make its end a success.
                let done = self.progress.applied.is_some();
                let code = if done { ExitCode::OK } else { ExitCode::signalled(signal) };
                self.end = Some(End::Code(code));
            }
        }
    }

    /// Reads everything, and brings the outputs and the reactions up to date.
    fn pass(&mut self, now: Instant) -> Result<(), Failure> {
        // Taken before the read: what comes later wakes again.
        self.parts.sources.take_events();
        let missed = self.progress.pass(&mut self.parts, now)?;
        self.poll = self.parts.sources.poll_interval().map(|interval| now + interval);
        // What this pass took belongs to the burst: on a busy machine it can be longer than what counts as calm.
        self.settle.passed(Instant::now(), missed == Missed::Nothing(true));
        let is_out = missed != Missed::Set;
        self.refreshes.passed(self.parts.sources.refreshed(), is_out.then_some(&*self.progress.changed));
        self.is_unshown = true;
        let Missed::Nothing(_) = missed else { return Ok(()) };
        self.is_unrecorded = true;

        if self.progress.first {
            if self.goal == Goal::FirstSet {
                self.record();
                self.end = self.progress.applied.take().map(End::Set);
                return Ok(());
            }
            // The child, which is started now, may ask at once whether the agent is ready.
            self.show();
            self.start_child(now);
        }
        self.owe(now);
        Ok(())
    }

    /// Takes over what the last set that was put out asks for.
    fn owe(&mut self, now: Instant) {
        let reactions = std::mem::take(&mut self.progress.reactions);
        self.owed.add(reactions, now, self.parts.config.splay);
    }

    /// Notes what the app has been given: what is out, but for what it has still to be told. It comes after the
    /// reactions, which are not to wait for it.
    fn record(&mut self) {
        let Some(applied) = &self.progress.applied else { return };
        if std::mem::take(&mut self.is_unrecorded) {
            let owed = self.debts().flat_map(|debt| &debt.variables).cloned().collect();
            let before = self.parts.state.problem().is_some();
            self.parts.state.record(applied, &owed);
            self.is_unshown |= before || self.parts.state.problem().is_some();
        }
    }

    /// What is owed, what is being done about it included: what is tried again is not done yet.
    fn debts(&self) -> impl Iterator<Item = &Debt> {
        self.acting.iter().map(Acting::debt).chain(self.owed.iter())
    }

    /// Brings the status up to date: with the last set that was put out, and with what is wrong at present with
    /// any stage. It comes after the reactions, which are not to wait for it.
    fn show(&mut self) {
        if std::mem::take(&mut self.is_unshown) {
            let problems = self.progress.problems().chain(self.debts().filter_map(Debt::problem));
            let problems =
                problems.chain(&self.child_problems).chain(self.parts.state.problem()).cloned().collect();
            let mut status = self.parts.board.lock();
            status.problems = problems;
            status.owed = self.debts().map(Debt::show).collect();
        }
        // Whoever sees that a pass was made sees what it has led to.
        self.progress.show(&self.parts);
    }
}

fn is_due(at: Option<Instant>, now: Instant) -> bool {
    at.is_some_and(|at| at <= now)
}
