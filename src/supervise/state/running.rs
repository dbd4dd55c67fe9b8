//! A child that runs, on probation or not.

use super::{Action, Event, Means, Next, State, Then, Trial, forward};
use crate::{
    config::{Exec, RestartPolicy, Stop},
    failure::ExitCode,
    program::ended::Ended,
    supervise::obstacle::Obstacle,
};
use std::time::{Duration, Instant};

/// How a child is stopped where no rule says it.
fn usual_stop(policy: &Exec) -> Stop {
    policy.probation.as_ref().map_or(Stop::DEFAULT, |probation| probation.stop)
}

/// A stopped process group cannot handle its stop signal before it is continued.
fn ask(stop: Stop) -> Vec<Action> {
    vec![Action::SignalGroup(stop.signal), Action::SignalGroup(libc::SIGCONT)]
}

fn stopping(stop: Stop, then: Then, now: Instant) -> State {
    State::Stopping { by: Means::Asked, deadline: now + stop.grace, then }
}

fn straggling(stop: Stop, next: Next, leader: Ended, now: Instant) -> State {
    State::Straggling { by: Means::Asked, deadline: now + stop.grace, next, leader }
}

impl Trial {
    /// A set has come to a child: it is good at once, or on probation from `now` on.
    pub(super) fn begin(stop: Stop, policy: &Exec, now: Instant) -> (Self, Vec<Action>) {
        match &policy.probation {
            None => (Self::None, vec![Action::Accept]),
            Some(probation) => (Self::Until { at: now + probation.time, stop }, vec![]),
        }
    }

    pub(super) fn running(self, event: Event, policy: &Exec, now: Instant) -> (State, Vec<Action>) {
        match (self, event) {
            (_, Event::Signal(signal @ libc::SIGTERM)) => {
                let deadline = policy.grace.map(|grace| now + grace);
                (State::Ending { by: Means::Asked, deadline }, vec![forward(signal, policy)])
            }
            (_, Event::Signal(signal)) => (State::Running(self), vec![forward(signal, policy)]),
            (_, Event::Restart(stop)) => {
                let then = Then::Start(Next { at: now, trial: Some(stop) });
                (stopping(stop, then, now), ask(stop))
            }
            (_, Event::Finish(code)) => {
                let stop = usual_stop(policy);
                (stopping(stop, Then::End(Some(code)), now), ask(stop))
            }
            (_, Event::Told) => {
                let (trial, accepted) = Self::begin(usual_stop(policy), policy, now);
                (State::Running(trial), accepted)
            }
            (Self::Until { .. }, Event::Proven(true)) => (State::Running(Self::None), vec![Action::Accept]),
            (Self::Until { stop, .. }, Event::Proven(false)) => {
                let then = Then::Start(Next { at: now, trial: None });
                (stopping(stop, then, now), [vec![Action::Reject], ask(stop)].concat())
            }
            (Self::Until { stop, .. }, Event::Ended { how, group_empty, .. }) if how.is_suspicious() => {
                if group_empty {
                    return (State::Reverting, vec![Action::Reject]);
                }
                let next = Next { at: now, trial: None };
                (straggling(stop, next, how, now), [vec![Action::Reject], ask(stop)].concat())
            }
            (_, Event::Ended { how, group_empty, delay }) => ended(how, group_empty, delay, policy, now),
            (Self::Until { .. }, Event::NotStarted { why: Obstacle::TooBig, .. }) => {
                (State::Reverting, vec![Action::Reject])
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
        (straggling(Stop::DEFAULT, next, how, now), ask(Stop::DEFAULT))
    }
}
