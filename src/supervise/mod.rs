//! The child of `exec`: started with the set in its environment, watched, signalled, stopped, replaced.
//!
//! [`state`] decides, purely; [`child`] does what it says; [`Supervisor`] carries the one to the other.

pub mod child;
pub mod state;

use crate::{
    failure::ExitCode,
    snapshot::{Entry, Snapshot},
};
use child::{Child, Environment, Program, StartError};
use state::{Action, Event, State};
use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    time::{Duration, Instant},
};

/// Azure credentials that are the agent's own and none of the child's business. The ids and the token file
/// of a workload identity stay: the app may well be a client of Azure itself.
const NOT_FOR_THE_CHILD: [&str; 4] = [
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_PASSWORD",
];

/// The agent's own environment without what is not for the child.
pub fn inherited(all: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(OsString, OsString)> {
    let withheld = |name: &OsStr| {
        name.as_bytes().starts_with(b"AKV_AGENT_") || NOT_FOR_THE_CHILD.iter().any(|secret| name == *secret)
    };
    all.into_iter().filter(|(name, _)| !withheld(name)).collect()
}

/// The environment that a child gets for `snapshot`.
pub fn environment(inherited: &[(OsString, OsString)], snapshot: &Snapshot) -> Environment {
    let secrets = snapshot.entries.iter().map(|entry| (entry.variable.as_str().into(), entry.value.clone()));
    Environment { inherited: inherited.to_vec(), secrets: secrets.collect() }
}

/// The kernel takes no longer string of arguments or environment: `MAX_ARG_STRLEN`, 32 pages with the NUL.
const LONGEST_VARIABLE: usize = 32 * 4096 - 1;

/// Whether a child could be started with `snapshot`; asked before the old one is stopped for it.
pub fn check(snapshot: &Snapshot) -> Result<(), String> {
    let length = |entry: &Entry| entry.variable.as_str().len() + 1 + entry.value.expose().len();
    match snapshot.entries.iter().find(|entry| length(entry) > LONGEST_VARIABLE) {
        None => Ok(()),
        Some(entry) => Err(format!(
            "{}: {} is longer than the 128 KiB that a variable can have; read it from a file",
            entry.variable, entry.provenance
        )),
    }
}

/// Supervises one child at a time.
#[derive(Debug)]
pub struct Supervisor {
    program: Program,
    inherited: Vec<(OsString, OsString)>,
    /// What the next child gets.
    environment: Environment,
    state: State,
    child: Option<Child>,
    /// Whether the child is to be the terminal's foreground group, as the agent was at its start.
    foreground: bool,
    starts: u64,
    /// When to look again for stragglers of the old child's group, and how long after the last look.
    look: Option<(Instant, Duration)>,
}

/// Between looks at an old process group: what lingers there mostly goes within milliseconds.
const FIRST_LOOK: Duration = Duration::from_millis(20);
const LONGEST_LOOK: Duration = Duration::from_secs(1);

impl Supervisor {
    /// Nothing is started before the first [`Event::Ready`].
    pub fn new(program: Program, inherited: Vec<(OsString, OsString)>) -> Self {
        Self {
            program,
            inherited,
            environment: Environment::default(),
            state: State::Waiting,
            child: None,
            foreground: child::owns_terminal(),
            starts: 0,
            look: None,
        }
    }

    /// The set that the next child gets. The running one keeps what it was started with.
    pub fn adopt(&mut self, snapshot: &Snapshot) {
        self.environment = environment(&self.inherited, snapshot);
    }

    /// Lets the state machine decide about `event`, and does what it decided.
    pub fn handle(&mut self, event: Event, now: Instant) -> Result<(), StartError> {
        let (next, actions) = self.state.on(event, now);
        self.state = next;
        for action in actions {
            match (action, self.child) {
                (Action::Spawn, _) => {
                    let child =
                        self.program.spawn(&self.environment, self.foreground).inspect_err(|error| {
                            self.state = State::Over(error.exit_code());
                        })?;
                    self.child = Some(child);
                    self.starts += 1;
                    tracing::info!(pid = child.pid(), "child started");
                }
                (Action::SignalChild(signal), Some(child)) => report(child.signal(signal), signal),
                (Action::SignalGroup(signal), Some(child)) => report(child.signal_group(signal), signal),
                (_, None) => (),
            }
        }
        Ok(())
    }

    /// Tells the child of a change by a signal. Without a running child there is nobody to tell: the next one
    /// starts with the newest set.
    pub fn notify(&self, signal: i32) -> std::io::Result<()> {
        match (self.state, self.child) {
            (State::Running | State::Ending, Some(child)) => child.signal(signal),
            _ => Ok(()),
        }
    }

    /// Reaps whatever has ended, and takes it from there.
    pub fn reap(&mut self, now: Instant) -> Result<(), StartError> {
        let Some(child) = self.child else {
            child::reap(None);
            return Ok(());
        };
        if let Some(how) = child::reap(Some(child)) {
            tracing::info!(pid = child.pid(), %how, "child ended");
            self.handle(Event::Ended { how, group_empty: child.is_group_empty() }, now)?;
            self.look = self.state.awaits_stragglers().then_some((now + FIRST_LOOK, FIRST_LOOK));
            return Ok(());
        }
        self.look_for_stragglers(now)
    }

    /// Does what has become due.
    pub fn tick(&mut self, now: Instant) -> Result<(), StartError> {
        if self.state.deadline().is_some_and(|at| at <= now) {
            self.handle(Event::Deadline, now)?;
        }
        self.look_for_stragglers(now)
    }

    /// When [`Supervisor::tick`] has something to do.
    pub fn due(&self) -> Option<Instant> {
        let look = self.look.map(|(at, _)| at);
        [self.state.deadline(), look].into_iter().flatten().min()
    }

    /// Nobody tells us of the end of a process that is not our child, so while such processes of the old
    /// group are awaited, it is looked for them at growing intervals.
    fn look_for_stragglers(&mut self, now: Instant) -> Result<(), StartError> {
        let (Some(child), true) = (self.child, self.state.awaits_stragglers()) else {
            self.look = None;
            return Ok(());
        };
        if child.is_group_empty() {
            self.look = None;
            return self.handle(Event::GroupEmpty, now);
        }
        if let Some((at, interval)) = self.look
            && at <= now
        {
            let interval = (interval * 2).min(LONGEST_LOOK);
            self.look = Some((now + interval, interval));
        }
        Ok(())
    }

    /// With which code the agent has to end now, if it has to.
    pub fn over(&self) -> Option<ExitCode> {
        match self.state {
            State::Over(code) => Some(code),
            _ => None,
        }
    }

    /// The child's process id, once there is one.
    pub fn pid(&self) -> Option<i32> {
        self.child.map(Child::pid)
    }

    /// How often a child was started anew.
    pub fn restarts(&self) -> u64 {
        self.starts.saturating_sub(1)
    }
}

fn report(result: std::io::Result<()>, signal: i32) {
    if let Err(error) = result {
        tracing::warn!(signal, %error, "the child could not be signalled");
    }
}
