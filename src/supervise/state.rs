//! Every state of the supervised child, and what each event does in it. Pure: no process, no clock.

mod ending;
mod running;
mod stopping;

use super::obstacle::Obstacle;
use crate::{
    config::{Exec, Recipients, Stop},
    failure::ExitCode,
    program::ended::Ended,
};
use ending::Ending;
use std::time::{Duration, Instant};
use stopping::{Stopping, Straggling};

/// What the child is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// There has been no set yet to start a child with.
    Waiting,
    /// A set was bad, and its child is gone. The last good set is being brought back.
    Reverting,
    /// It runs.
    Running(Trial),
    /// It was sent SIGTERM by somebody who wants all of this to end, so no other child will follow it.
    Ending {
        /// What has been done to end it.
        by: Means,
        /// When its process group is killed, if that is left to the agent.
        deadline: Option<Instant>,
    },
    /// It was told to stop, because of a change or because its set was bad.
    Stopping {
        /// What has been done to stop it.
        by: Means,
        /// When its process group is killed, for the first time or once more.
        deadline: Instant,
        /// What happens when all of the group are gone.
        then: Then,
    },
    /// It has ended, and others of its process group have not. They must be gone before the next child starts.
    Straggling {
        /// What has been done to stop them.
        by: Means,
        /// When the next thing is done.
        deadline: Instant,
        /// What follows.
        next: Next,
        /// How the child ended.
        leader: Ended,
    },
    /// There is no child; this one is about to be started.
    Delayed(Next),
    /// The agent ends with this code.
    Over(ExitCode),
}

/// Whether the set that the child has must prove itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trial {
    /// It is good, or there is nothing to go back to.
    None,
    /// It is on probation.
    Until {
        /// When that ends.
        at: Instant,
        /// How a child is stopped that fails.
        stop: Stop,
    },
}

/// How a child is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Means {
    /// By its stop signal, which gives it time.
    Asked,
    /// By SIGKILL.
    Killed,
}

/// What follows a stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// A new child with the newest set.
    Start(Next),
    /// The agent ends with this code, as a change asks for, or as the child does, as SIGINT or SIGQUIT asks for.
    /// What SIGTERM asks for is [`State::Ending`].
    End(Option<ExitCode>),
}

/// The child that is started next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Next {
    /// Not before.
    pub at: Instant,
    /// Whether its set must prove itself, and how it is stopped if it does not.
    pub trial: Option<Stop>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// There is a set to start with: the first one, the last good one, or one that may be better than the last.
    Ready,
    /// The set changed, and the reaction is a restart.
    Restart(Stop),
    /// The set changed, and the running child was told of it.
    Told,
    /// The set changed, and the reaction is to end with this code.
    Finish(ExitCode),
    /// The agent got a signal that is not its own business.
    Signal(i32),
    /// The child ended.
    Ended {
        /// How.
        how: Ended,
        /// Whether nobody of its process group is left.
        group_empty: bool,
        /// How long to wait before it is started anew, if it is.
        delay: Duration,
    },
    /// The child could not be started.
    NotStarted {
        /// Why.
        why: Obstacle,
        /// How long to wait before the next try, if there is one.
        delay: Duration,
    },
    /// The last other process of the group is gone.
    GroupEmpty,
    /// The time of probation is over: whether the set proved itself.
    Proven(bool),
    /// The deadline of a stop or of a delay has passed.
    Deadline,
}

/// What to do about it, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Start a child with the newest set.
    Spawn,
    /// Signal the child alone.
    SignalChild(i32),
    /// Signal the child's whole process group.
    SignalGroup(i32),
    /// The signal is for nobody.
    Drop(i32),
    /// The set that the child has is good.
    Accept,
    /// It is not: there has to be a better one, and then comes [`Event::Ready`].
    Reject,
}

/// SIGKILL cannot be refused, but a process in the middle of a system call may take its time.
const KILL_TIME: Duration = Duration::from_secs(1);

/// Signals that ask the agent itself to end, sent by the kubelet, a terminal or a person.
fn asks_to_end(signal: i32) -> bool {
    matches!(signal, libc::SIGTERM | libc::SIGINT | libc::SIGQUIT)
}

impl State {
    /// The next state, and what to do to get there.
    #[must_use]
    pub fn on(self, event: Event, policy: &Exec, now: Instant) -> (Self, Vec<Action>) {
        match self {
            Self::Waiting | Self::Reverting => self.waiting(event),
            Self::Running(trial) => trial.running(event, policy, now),
            Self::Ending { by, deadline } => Ending { by, deadline }.on(event, policy, now),
            Self::Stopping { by, deadline, then } => Stopping { by, deadline, then }.on(event, policy, now),
            Self::Straggling { by, deadline, next, leader } => {
                Straggling { by, deadline, next, leader }.on(event, policy, now)
            }
            Self::Delayed(next) => next.delayed(event, policy, now),
            Self::Over(_) => (self, vec![]),
        }
    }

    /// No child, and no set to start one with.
    fn waiting(self, event: Event) -> (Self, Vec<Action>) {
        match event {
            Event::Ready => (Self::Running(Trial::None), vec![Action::Spawn]),
            Event::Finish(code) => (Self::Over(code), vec![]),
            Event::Signal(signal) => without_child(self, signal),
            Event::Restart(_)
            | Event::Told
            | Event::Ended { .. }
            | Event::NotStarted { .. }
            | Event::GroupEmpty
            | Event::Proven(_)
            | Event::Deadline => (self, vec![]),
        }
    }

    /// When [`Event::Deadline`] is to be delivered.
    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Stopping { deadline, .. } | Self::Straggling { deadline, .. } => Some(*deadline),
            Self::Ending { deadline, .. } => *deadline,
            Self::Delayed(next) => Some(next.at),
            Self::Waiting | Self::Reverting | Self::Running(_) | Self::Over(_) => None,
        }
    }

    /// When [`Event::Proven`] is to be delivered.
    pub fn trial(&self) -> Option<Instant> {
        match self {
            Self::Running(Trial::Until { at, .. }) => Some(*at),
            _ => None,
        }
    }

    /// Whether a child runs, be it on its way out.
    pub fn has_child(&self) -> bool {
        matches!(self, Self::Running(_) | Self::Ending { .. } | Self::Stopping { .. })
    }

    /// Whether the child has been sent SIGKILL and has not ended yet.
    pub fn has_killed(&self) -> bool {
        matches!(self, Self::Ending { by: Means::Killed, .. } | Self::Stopping { by: Means::Killed, .. })
    }

    /// Whether only stragglers of an old child's process group are awaited.
    pub fn awaits_stragglers(&self) -> bool {
        matches!(self, Self::Straggling { .. })
    }
}

/// Nothing is there that could handle a signal, so it does what it does to any process. One that ends no program
/// from outside is for nobody; so is SIGHUP once there was a child, since from then on it asks for a refresh.
fn without_child(state: State, signal: i32) -> (State, Vec<Action>) {
    if asks_to_end(signal) || (signal == libc::SIGHUP && state == State::Waiting) {
        (State::Over(ExitCode::signalled(signal)), vec![])
    } else {
        (state, vec![Action::Drop(signal)])
    }
}

fn forward(signal: i32, policy: &Exec) -> Action {
    match policy.signals {
        Recipients::Child => Action::SignalChild(signal),
        Recipients::Group => Action::SignalGroup(signal),
    }
}

impl Next {
    /// The state in which this child runs, from `now` on.
    fn start(self, policy: &Exec, now: Instant) -> (State, Vec<Action>) {
        let Some(stop) = self.trial else { return (State::Running(Trial::None), vec![Action::Spawn]) };
        let (trial, accepted) = Trial::begin(stop, policy, now);
        (State::Running(trial), [vec![Action::Spawn], accepted].concat())
    }

    /// No child: this one is to be started.
    fn delayed(self, event: Event, policy: &Exec, now: Instant) -> (State, Vec<Action>) {
        match event {
            Event::Deadline => self.start(policy, now),
            // Another set may be what was missing.
            Event::Restart(stop) => Self { at: now, trial: Some(stop) }.start(policy, now),
            Event::Finish(code) => (State::Over(code), vec![]),
            Event::Signal(signal) => without_child(State::Delayed(self), signal),
            // That it could start, and with which set, was known before.
            Event::Ready
            | Event::Told
            | Event::Ended { .. }
            | Event::NotStarted { .. }
            | Event::GroupEmpty
            | Event::Proven(_) => (State::Delayed(self), vec![]),
        }
    }
}

#[cfg(test)]
mod tests;
