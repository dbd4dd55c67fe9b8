//! Every state of the supervised child, and what each event does in it. Pure: no process, no clock.

mod stopping;

use super::obstacle::Obstacle;
use crate::{
    config::{Exec, Recipients, RestartPolicy, Stop},
    failure::ExitCode,
    program::ended::Ended,
};
use std::time::{Duration, Instant};
use stopping::Stopping;

/// What the child is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// There is no set to start a child with: before the first one, or while the last good one is brought
    /// back.
    Waiting,
    /// It runs.
    Running(Trial),
    /// It was sent SIGTERM by somebody who wants all of this to end, so no other child will follow it.
    Ending {
        /// When its process group is killed, if that is left to the agent.
        deadline: Option<Instant>,
    },
    /// It was told to stop; all of its process group must be gone before `then`.
    Stopping {
        /// What has been done to stop it.
        by: Means,
        /// When the next thing is done.
        deadline: Instant,
        /// What happens when all are gone.
        then: Then,
        /// How the child itself ended, once it has.
        leader: Option<Ended>,
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
    /// The agent ends, with this code or as the child did.
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

/// Signals that ask the agent itself to end, sent by the kubelet, a terminal or a person.
fn asks_to_end(signal: i32) -> bool {
    matches!(signal, libc::SIGTERM | libc::SIGINT | libc::SIGQUIT)
}

/// How a child is stopped where no rule says it.
fn usual_stop(policy: &Exec) -> Stop {
    policy.probation.as_ref().map_or(Stop::DEFAULT, |probation| probation.stop)
}

/// A stopped process group cannot handle its stop signal before it is continued.
fn ask(stop: Stop) -> Vec<Action> {
    vec![Action::SignalGroup(stop.signal), Action::SignalGroup(libc::SIGCONT)]
}

impl State {
    /// The next state, and what to do to get there.
    #[must_use]
    pub fn on(self, event: Event, policy: &Exec, now: Instant) -> (Self, Vec<Action>) {
        match self {
            Self::Waiting => self.waiting(event),
            Self::Running(trial) => trial.running(event, policy, now),
            Self::Ending { deadline } => ending(deadline, event, policy),
            Self::Stopping { by, deadline, then, leader } => {
                Stopping { by, deadline, then, leader }.on(event, policy, now)
            }
            Self::Delayed(next) => next.delayed(event, policy, now),
            Self::Over(_) => (self, vec![]),
        }
    }

    fn waiting(self, event: Event) -> (Self, Vec<Action>) {
        match event {
            Event::Ready => (Self::Running(Trial::None), vec![Action::Spawn]),
            Event::Finish(code) => (Self::Over(code), vec![]),
            Event::Signal(signal) => without_child(self, signal),
            _ => (self, vec![]),
        }
    }

    /// When [`Event::Deadline`] is to be delivered.
    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Stopping { deadline, .. } => Some(*deadline),
            Self::Ending { deadline } => *deadline,
            Self::Delayed(next) => Some(next.at),
            Self::Waiting | Self::Running(_) | Self::Over(_) => None,
        }
    }

    /// When [`Event::Proven`] is to be delivered.
    pub fn trial(&self) -> Option<Instant> {
        match self {
            Self::Running(Trial::Until { at, .. }) => Some(*at),
            _ => None,
        }
    }

    /// Whether only stragglers of an old child's process group are awaited.
    pub fn awaits_stragglers(&self) -> bool {
        matches!(self, Self::Stopping { leader: Some(_), .. })
    }
}

/// Nothing is there that could handle a signal, so it does what it does to any process; only one that no
/// program is ended by from outside is for nobody.
fn without_child(state: State, signal: i32) -> (State, Vec<Action>) {
    if asks_to_end(signal) || signal == libc::SIGHUP {
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
            _ => (State::Delayed(self), vec![]),
        }
    }
}

impl Trial {
    /// A set has come to a child: it is good at once, or on probation from `now` on.
    fn begin(stop: Stop, policy: &Exec, now: Instant) -> (Self, Vec<Action>) {
        match &policy.probation {
            None => (Self::None, vec![Action::Accept]),
            Some(probation) => (Self::Until { at: now + probation.time, stop }, vec![]),
        }
    }

    fn running(self, event: Event, policy: &Exec, now: Instant) -> (State, Vec<Action>) {
        match (self, event) {
            (_, Event::Signal(signal)) if signal == libc::SIGTERM => {
                let deadline = policy.grace.map(|grace| now + grace);
                (State::Ending { deadline }, vec![forward(signal, policy)])
            }
            (_, Event::Signal(signal)) => (State::Running(self), vec![forward(signal, policy)]),
            (_, Event::Restart(stop)) => {
                let then = Then::Start(Next { at: now, trial: Some(stop) });
                (stopping(stop, then, None, now), ask(stop))
            }
            (_, Event::Finish(code)) => {
                let stop = usual_stop(policy);
                (stopping(stop, Then::End(Some(code)), None, now), ask(stop))
            }
            (_, Event::Told) => {
                let (trial, accepted) = Self::begin(usual_stop(policy), policy, now);
                (State::Running(trial), accepted)
            }
            (Self::Until { .. }, Event::Proven(true)) => (State::Running(Self::None), vec![Action::Accept]),
            (Self::Until { stop, .. }, Event::Proven(false)) => {
                let then = Then::Start(Next { at: now, trial: None });
                (stopping(stop, then, None, now), [vec![Action::Reject], ask(stop)].concat())
            }
            (Self::Until { stop, .. }, Event::Ended { how, group_empty, .. }) if how.is_suspicious() => {
                if group_empty {
                    return (State::Waiting, vec![Action::Reject]);
                }
                let then = Then::Start(Next { at: now, trial: None });
                (stopping(stop, then, Some(how), now), [vec![Action::Reject], ask(stop)].concat())
            }
            (_, Event::Ended { how, group_empty, delay }) => ended(how, group_empty, delay, policy, now),
            (Self::Until { .. }, Event::NotStarted { why: Obstacle::TooBig, .. }) => {
                (State::Waiting, vec![Action::Reject])
            }
            (_, Event::NotStarted { why, delay }) => (self.not_started(why, now + delay), vec![]),
            (_, Event::Ready | Event::GroupEmpty | Event::Proven(_) | Event::Deadline) => {
                (State::Running(self), vec![])
            }
        }
    }

    fn not_started(self, why: Obstacle, at: Instant) -> State {
        let trial = match self {
            Self::None => None,
            Self::Until { stop, .. } => Some(stop),
        };
        match why {
            Obstacle::Busy => State::Delayed(Next { at, trial }),
            Obstacle::TooBig => State::Over(ExitCode::NOT_EXECUTABLE),
            Obstacle::Program(code) => State::Over(code),
        }
    }
}

/// The child has ended without having been told to. That ends the agent, and the kubelet restarts both; unless
/// the agent is to start it anew.
fn ended(
    how: Ended,
    group_empty: bool,
    delay: Duration,
    policy: &Exec,
    now: Instant,
) -> (State, Vec<Action>) {
    let again = match policy.restart_policy {
        RestartPolicy::Never => false,
        RestartPolicy::OnFailure => how.is_suspicious(),
        RestartPolicy::Always => true,
    };
    let next = Next { at: now + delay, trial: None };
    if !again {
        (State::Over(how.exit_code()), vec![])
    } else if group_empty {
        (State::Delayed(next), vec![])
    } else {
        (stopping(Stop::DEFAULT, Then::Start(next), Some(how), now), ask(Stop::DEFAULT))
    }
}

fn stopping(stop: Stop, then: Then, leader: Option<Ended>, now: Instant) -> State {
    State::Stopping { by: Means::Asked, deadline: now + stop.grace, then, leader }
}

/// The child is to end, and the agent with it.
fn ending(deadline: Option<Instant>, event: Event, policy: &Exec) -> (State, Vec<Action>) {
    let kill = vec![Action::SignalGroup(libc::SIGKILL)];
    match event {
        Event::Ended { how, .. } => (State::Over(how.exit_code()), vec![]),
        // Whoever asks twice has no more patience.
        Event::Signal(libc::SIGTERM) | Event::Deadline => (State::Ending { deadline: None }, kill),
        Event::Signal(signal) => (State::Ending { deadline }, vec![forward(signal, policy)]),
        _ => (State::Ending { deadline }, vec![]),
    }
}

#[cfg(test)]
mod tests;
