//! A child that was told to stop, until all of its process group is gone.

use super::{Action, Event, Exec, KILL_TIME, Means, Next, State, Then, asks_to_end, forward};
use crate::program::ended::Ended;
use std::time::Instant;

/// The fields of [`State::Stopping`].
#[derive(Clone, Copy)]
pub(super) struct Stopping {
    pub(super) by: Means,
    pub(super) deadline: Instant,
    pub(super) then: Then,
}

impl From<Stopping> for State {
    fn from(Stopping { by, deadline, then }: Stopping) -> Self {
        Self::Stopping { by, deadline, then }
    }
}

impl Stopping {
    pub(super) fn on(self, event: Event, policy: &Exec, now: Instant) -> (State, Vec<Action>) {
        let Self { by, deadline, then } = self;
        match (event, then) {
            (Event::Signal(signal), _) => (self.signal(signal, policy, now), vec![forward(signal, policy)]),
            (Event::Ended { how, .. }, Then::End(code)) => {
                (State::Over(code.unwrap_or(how.exit_code())), vec![])
            }
            (Event::Ended { group_empty: true, .. }, Then::Start(next)) => gone(next, policy, now),
            (Event::Ended { how, .. }, Then::Start(next)) => {
                (State::Straggling { by, deadline, next, leader: how }, vec![])
            }
            (Event::Deadline, _) => {
                let killed = Self { by: Means::Killed, deadline: now + KILL_TIME, then };
                (killed.into(), vec![Action::SignalGroup(libc::SIGKILL)])
            }
            // It starts with the newest set anyway; that set is a new one now.
            (Event::Restart(stop), Then::Start(_)) => {
                let then = Then::Start(Next { at: now, trial: Some(stop) });
                (Self { then, ..self }.into(), vec![])
            }
            (Event::Finish(code), Then::Start(_)) => {
                (Self { then: Then::End(Some(code)), ..self }.into(), vec![])
            }
            (Event::Restart(_) | Event::Finish(_), Then::End(_))
            | (
                Event::Ready | Event::Told | Event::NotStarted { .. } | Event::GroupEmpty | Event::Proven(_),
                _,
            ) => (self.into(), vec![]),
        }
    }

    fn signal(self, signal: i32, policy: &Exec, now: Instant) -> State {
        if signal == libc::SIGTERM {
            // The time that it was given to stop is not prolonged.
            let limit = policy.grace.map_or(self.deadline, |grace| self.deadline.min(now + grace));
            State::Ending { by: self.by, deadline: Some(limit) }
        } else if asks_to_end(signal) {
            Self { then: Then::End(None), ..self }.into()
        } else {
            self.into()
        }
    }
}

/// The fields of [`State::Straggling`].
#[derive(Clone, Copy)]
pub(super) struct Straggling {
    pub(super) by: Means,
    pub(super) deadline: Instant,
    pub(super) next: Next,
    pub(super) leader: Ended,
}

impl From<Straggling> for State {
    fn from(Straggling { by, deadline, next, leader }: Straggling) -> Self {
        Self::Straggling { by, deadline, next, leader }
    }
}

impl Straggling {
    pub(super) fn on(self, event: Event, policy: &Exec, now: Instant) -> (State, Vec<Action>) {
        let kill = vec![Action::SignalGroup(libc::SIGKILL)];
        match event {
            Event::GroupEmpty => gone(self.next, policy, now),
            // What is left after SIGKILL is a zombie that its own parent does not reap: it holds nothing
            // that the new child could miss, and it will not go while we wait.
            Event::Deadline if self.by == Means::Killed => gone(self.next, policy, now),
            Event::Deadline => (Self { by: Means::Killed, deadline: now + KILL_TIME, ..self }.into(), kill),
            // The child itself has ended, so what was asked for is done.
            Event::Signal(signal) if asks_to_end(signal) => (State::Over(self.leader.exit_code()), kill),
            Event::Signal(signal) => (self.into(), vec![Action::Drop(signal)]),
            Event::Restart(stop) => {
                let next = Next { at: now, trial: Some(stop) };
                (Self { next, ..self }.into(), vec![])
            }
            Event::Finish(code) => (State::Over(code), kill),
            Event::Ready
            | Event::Told
            | Event::Ended { .. }
            | Event::NotStarted { .. }
            | Event::Proven(_) => (self.into(), vec![]),
        }
    }
}

/// Nobody is left of the old child.
fn gone(next: Next, policy: &Exec, now: Instant) -> (State, Vec<Action>) {
    if next.at <= now { next.start(policy, now) } else { (State::Delayed(next), vec![]) }
}
