//! The child of `exec`: started with the set in its environment, watched, signalled, stopped, replaced.
//!
//! [`state`] decides, purely; [`crate::program`] does what it says; [`Supervisor`] carries the one to the other. What a
//! decision means for the set and its outputs is the loop's business: it is told that one was rejected.

pub mod budget;
pub mod obstacle;
pub mod sets;
pub mod state;
mod terminal;

use crate::{
    config::{EnvName, Exec},
    failure::ExitCode,
    fingerprint::Fingerprint,
    program::{
        Program,
        child::{Change, Child},
        ended::Ended,
        environment::{Environment, Inherited},
        sockets::Listening,
        spawn::Launch,
    },
    snapshot::Snapshot,
};
use budget::{CRASHES, Spent};
use obstacle::Obstacle;
use sets::Sets;
use state::{Action, Event, State};
use std::{
    collections::BTreeSet,
    os::fd::AsFd,
    time::{Duration, Instant, SystemTime},
};
use terminal::Terminal;

/// A child that was started.
#[derive(Debug, Clone, Copy)]
pub struct Running {
    /// Its process id.
    pub pid: i32,
    /// When it was started.
    pub since: SystemTime,
    /// The set that it was started with or told of.
    pub set: Option<Fingerprint>,
}

/// Supervises one child at a time.
#[derive(Debug)]
pub struct Supervisor {
    program: Program,
    policy: Exec,
    /// What every child is handed.
    sockets: Vec<Listening>,
    inherited: Inherited,
    /// What the next child gets.
    environment: Environment,
    sets: Sets,
    state: State,
    child: Option<Child>,
    since: Option<SystemTime>,
    /// Whether a child was started since somebody last asked.
    is_fresh: bool,
    terminal: Terminal,
    starts: u64,
    /// When to look again for stragglers of the old child's group, and how long after the last look.
    look: Option<(Instant, Duration)>,
    /// Restarts because of changes, and ends that nobody asked for.
    restarts: Spent,
    crashes: Spent,
    /// What the running child got, and when; it is what it has to prove.
    trial_began: Option<Instant>,
    /// Why that was rejected, if it was.
    rejected: Option<String>,
    /// Why there is no child, or will be none.
    problem: Option<String>,
}

/// Between looks at an old process group: what lingers there mostly goes within milliseconds.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LONGEST_LOOK: Duration = Duration::from_secs(1);

impl Supervisor {
    /// Nothing is started before the first [`Event::Ready`].
    pub fn new(program: Program, policy: Exec, sockets: Vec<Listening>, inherited: Inherited) -> Self {
        Self {
            program,
            policy,
            sockets,
            inherited,
            environment: Environment::default(),
            sets: Sets::default(),
            state: State::Waiting,
            child: None,
            since: None,
            is_fresh: false,
            terminal: Terminal::new(),
            starts: 0,
            look: None,
            restarts: Spent::default(),
            crashes: Spent::default(),
            trial_began: None,
            rejected: None,
            problem: None,
        }
    }

    /// The set that the next child gets. The running one keeps what it was started with.
    pub fn adopt(&mut self, snapshot: &Snapshot, set: Fingerprint) {
        self.sets.adopt(snapshot, set);
        self.environment = Environment::with(&self.inherited, snapshot);
    }

    /// Lets the state machine decide about `event`, and does what it decided.
    pub fn handle(&mut self, event: Event, now: Instant) {
        if let (Event::Restart(_), Some(budget)) = (event, &self.policy.budget) {
            self.restarts.spend(budget, now);
        }
        let (next, actions) = self.state.on(event, &self.policy, now);
        if next.trial().is_some() && next.trial() != self.state.trial() {
            self.trial_began = Some(now);
        }
        self.state = next;
        for action in actions {
            match (action, self.child) {
                (Action::Spawn, _) => {
                    // Whatever it is started for, it may be the first that gets this set; and that may be one
                    // with which it cannot even be started.
                    if !self.sets.start() && self.trial().is_none() {
                        self.handle(Event::Told, now);
                    }
                    if let Err(event) = self.spawn(now) {
                        return self.handle(event, now);
                    }
                }
                // A stop has hit all of the group, so all of it goes on.
                (Action::SignalChild(libc::SIGCONT) | Action::SignalGroup(libc::SIGCONT), Some(child)) => {
                    self.terminal.resume(child);
                    self.report(child.signal_group(libc::SIGCONT), libc::SIGCONT);
                }
                (Action::SignalChild(signal), Some(child)) => self.report(child.signal(signal), signal),
                (Action::SignalGroup(signal), Some(child)) => {
                    self.report(child.signal_group(signal), signal);
                }
                (Action::Drop(signal), _) => {
                    tracing::info!(signal, "no child is there that a signal could be forwarded to");
                }
                (Action::Accept, _) => self.sets.accept(),
                (Action::Reject, _) => self.reject(event, now),
                (_, None) => (),
            }
        }
    }

    fn spawn(&mut self, now: Instant) -> Result<(), Event> {
        let terminal = self.terminal.for_next();
        let launch = Launch {
            terminal: terminal.as_ref().map(AsFd::as_fd),
            parent_death_signal: self.policy.parent_death_signal,
            sockets: &self.sockets,
            ..Launch::default()
        };
        match self.program.spawn(&self.environment, &launch) {
            Ok(child) => {
                self.child = Some(child);
                self.since = Some(SystemTime::now());
                self.starts += 1;
                self.is_fresh = true;
                self.problem = None;
                tracing::info!(pid = child.pid(), "child started");
                Ok(())
            }
            Err(error) => {
                let why = match Obstacle::from(&error) {
                    // Without a child yet, who started the agent learns of it soonest by its end.
                    Obstacle::Busy if self.starts == 0 => Obstacle::Program(error.exit_code()),
                    why => why,
                };
                self.child = None;
                self.problem = Some(error.to_string());
                Err(Event::NotStarted { why, delay: self.crashed(now) })
            }
        }
    }

    /// How long to wait after an end that nobody asked for.
    fn crashed(&mut self, now: Instant) -> Duration {
        let next = self.crashes.next(&CRASHES, now);
        self.crashes.spend(&CRASHES, now);
        next.saturating_duration_since(now)
    }

    fn reject(&mut self, event: Event, now: Instant) {
        let after = self.trial_began.map_or(Duration::ZERO, |began| now - began);
        let after = format!("{:.1} s after it got the set", after.as_secs_f64());
        let why = match (event, self.problem.take()) {
            (Event::Ended { how, .. }, _) => format!("the child ended with {how}, {after}"),
            (_, Some(problem)) => problem,
            (_, None) => format!("the check did not pass, {after}"),
        };
        self.sets.reject();
        self.rejected = Some(why);
    }

    /// The end of the trial has come.
    pub fn prove(&mut self, proof: Result<(), String>, now: Instant) {
        let proven = proof.is_ok();
        self.problem = proof.err();
        self.handle(Event::Proven(proven), now);
    }

    /// Why the set that the child got was rejected, if it was since this was last asked. [`Event::Ready`] is due,
    /// with a set that is better.
    pub fn take_rejected(&mut self) -> Option<String> {
        self.rejected.take()
    }

    /// Which set is which.
    pub fn sets(&self) -> &Sets {
        &self.sets
    }

    /// When the set that the child has must have proved itself, if it is on probation.
    pub fn trial(&self) -> Option<Instant> {
        self.state.trial()
    }

    /// Whether there is a child that could be told of a change. Without one there is nobody to tell: the next
    /// one starts with the newest set.
    pub fn is_running(&self) -> bool {
        matches!(self.state, State::Running(_)) && self.child.is_some()
    }

    /// Signals the running child.
    pub fn notify(&self, signal: i32) -> std::io::Result<()> {
        match self.child {
            Some(child) if self.is_running() => child.signal(signal),
            _ => Ok(()),
        }
    }

    /// The running child knows of the newest set.
    pub fn told(&mut self, now: Instant) {
        if self.is_running() && !self.sets.tell() {
            self.handle(Event::Told, now);
        }
    }

    /// The running child needs nothing of the newest set.
    pub fn needs_nothing(&mut self) {
        if self.is_running() && self.trial().is_none() {
            self.sets.accept_beside();
        }
    }

    /// There is a first set, and so far no other.
    pub fn begin(&mut self, now: Instant) {
        self.sets.trust();
        self.handle(Event::Ready, now);
    }

    /// Whether the running child was started with the newest values of `variables`, and was told of no others.
    pub fn has_values(&self, variables: &BTreeSet<EnvName>) -> bool {
        self.is_running() && self.sets.has_values(variables)
    }

    /// Whether a child was started since this was last asked.
    pub fn take_fresh(&mut self) -> bool {
        std::mem::take(&mut self.is_fresh)
    }

    /// When the next restart because of a change may be.
    pub fn next_restart(&self, now: Instant) -> Instant {
        self.policy.budget.as_ref().map_or(now, |budget| self.restarts.next(budget, now))
    }

    /// Something has become of the process `pid`. Says whether it is the child.
    pub fn changed(&mut self, pid: i32, change: Change, now: Instant) -> bool {
        let Some(child) = self.child.filter(|child| child.pid() == pid) else { return false };
        match change {
            Change::Ended(how) => self.ended(child, how, now),
            Change::Stopped(signal) => self.terminal.stopped(child, signal),
            Change::Continued => (),
        }
        true
    }

    fn ended(&mut self, child: Child, how: Ended, now: Instant) {
        tracing::info!(pid = child.pid(), %how, "child ended");
        terminal::take_back(child);
        let group_empty = child.is_group_empty();
        // Where nobody is left of the group, its id may be somebody else's from now on.
        self.child = (!group_empty).then(|| child.reaped());
        let delay = match self.state {
            State::Running(_) => self.crashed(now),
            _ => Duration::ZERO,
        };
        self.problem = None;
        self.handle(Event::Ended { how, group_empty, delay }, now);
        match self.state {
            State::Delayed(_) => self.problem = Some(format!("the child ended with {how}")),
            _ => self.look = self.state.awaits_stragglers().then_some((now + FIRST_LOOK, FIRST_LOOK)),
        }
    }

    /// Does what has become due.
    pub fn tick(&mut self, now: Instant) {
        if self.state.deadline().is_some_and(|at| at <= now) {
            self.outlived_kill();
            self.handle(Event::Deadline, now);
        }
        self.look_for_stragglers(now);
    }

    fn report(&self, result: std::io::Result<()>, signal: i32) {
        // That a child outlives SIGKILL, which is sent over and over, is said once.
        if let (Err(error), None) = (result, &self.problem) {
            tracing::warn!(signal, %error, "the child could not be signalled");
        }
    }

    /// That a child is not gone although its time after SIGKILL is over as well.
    fn outlived_kill(&mut self) {
        if let (true, Some(child), None) = (self.state.has_killed(), self.child, &self.problem) {
            let problem = format!(
                "the child, process {child}, was killed and has not ended; it may have changed its user, or hang in \
                 a file system that does not answer"
            );
            tracing::warn!("{problem}");
            self.problem = Some(problem);
        }
    }

    /// When [`Supervisor::tick`] has something to do.
    pub fn due(&self) -> Option<Instant> {
        let look = self.look.map(|(at, _)| at);
        [self.state.deadline(), look].into_iter().flatten().min()
    }

    /// Nobody tells us of the end of a process that is not our child, so while such processes of the old
    /// group are awaited, it is looked for them: at growing intervals, and whenever some process has ended.
    pub fn look_for_stragglers(&mut self, now: Instant) {
        // With which set the next child is started is about to be decided.
        if self.rejected.is_some() {
            return;
        }
        let (Some(child), true) = (self.child, self.state.awaits_stragglers()) else {
            self.look = None;
            return;
        };
        if child.is_group_empty() {
            (self.look, self.child) = (None, None);
            self.handle(Event::GroupEmpty, now);
        } else if let Some((at, interval)) = self.look
            && at <= now
        {
            let interval = (interval * 2).min(LONGEST_LOOK);
            self.look = Some((now + interval, interval));
        }
    }

    /// With which code the agent has to end now, if it has to, and why if that is not the child's own doing.
    pub fn over(&self) -> Option<(ExitCode, Option<String>)> {
        match self.state {
            State::Over(code) => Some((code, self.problem.clone())),
            _ => None,
        }
    }

    /// Why there is no child at present, or why it is about to be replaced.
    pub fn problem(&self) -> Option<String> {
        match self.state {
            State::Delayed(_) => {
                self.problem.as_ref().map(|problem| format!("{problem}; it is started anew"))
            }
            State::Stopping { .. } | State::Straggling { .. } | State::Ending { .. } => self.problem.clone(),
            _ => None,
        }
    }

    /// The child that runs or is being stopped.
    pub fn running(&self) -> Option<Running> {
        let child = self.child.filter(|_| self.state.has_child())?;
        Some(Running { pid: child.pid(), since: self.since?, set: self.sets.given() })
    }

    /// How often a child was started anew.
    pub fn restarts(&self) -> u64 {
        self.starts.saturating_sub(1)
    }
}

#[cfg(test)]
mod tests;
