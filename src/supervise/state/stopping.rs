//! A child that was told to stop, until all of its process group is gone.

use super::{Action, Event, Exec, Means, Next, State, Then, asks_to_end, forward};
use crate::program::ended::Ended;
use std::time::{Duration, Instant};

/// SIGKILL cannot be refused, but a process in the middle of a system call may take its time.
pub(super) const KILL_TIME: Duration = Duration::from_secs(1);

/// The fields of [`State::Stopping`].
#[derive(Clone, Copy)]
pub(super) struct Stopping {
    pub(super) by: Means,
    pub(super) deadline: Instant,
    pub(super) then: Then,
    pub(super) leader: Option<Ended>,
}

impl From<Stopping> for State {
    fn from(Stopping { by, deadline, then, leader }: Stopping) -> Self {
        Self::Stopping { by, deadline, then, leader }
    }
}

impl Stopping {
    pub(super) fn on(self, event: Event, policy: &Exec, now: Instant) -> (State, Vec<Action>) {
        match event {
            Event::Signal(signal) => self.signal(signal, policy, now),
            Event::Ended { how, group_empty, .. } => match self.then {
                Then::End(code) => (State::Over(code.unwrap_or(how.exit_code())), vec![]),
                Then::Start(next) if group_empty => gone(next, policy, now),
                Then::Start(_) => (Self { leader: Some(how), ..self }.into(), vec![]),
            },
            Event::GroupEmpty => match self.then {
                Then::Start(next) => gone(next, policy, now),
                Then::End(_) => (self.into(), vec![]),
            },
            Event::Deadline => match (self.by, self.leader, self.then) {
                // What is left after SIGKILL is a zombie that its own parent does not reap: it holds nothing
                // that the new child could miss, and it will not go while we wait.
                (Means::Killed, Some(_), Then::Start(next)) => gone(next, policy, now),
                _ => self.kill(now),
            },
            // It starts with the newest set anyway; that set is a new one now.
            Event::Restart(stop) => {
                let then = match self.then {
                    Then::Start(_) => Then::Start(Next { at: now, trial: Some(stop) }),
                    end @ Then::End(_) => end,
                };
                (Self { then, ..self }.into(), vec![])
            }
            Event::Finish(code) => match (self.then, self.leader) {
                (Then::End(_), _) => (self.into(), vec![]),
                (Then::Start(_), Some(_)) => (State::Over(code), vec![Action::SignalGroup(libc::SIGKILL)]),
                (Then::Start(_), None) => (Self { then: Then::End(Some(code)), ..self }.into(), vec![]),
            },
            Event::Ready | Event::Told | Event::NotStarted { .. } | Event::Proven(_) => (self.into(), vec![]),
        }
    }

    fn signal(self, signal: i32, policy: &Exec, now: Instant) -> (State, Vec<Action>) {
        match (self.leader, self.then) {
            // Only stragglers are left of the old child; what was asked for is done.
            (Some(how), _) if asks_to_end(signal) => {
                (State::Over(how.exit_code()), vec![Action::SignalGroup(libc::SIGKILL)])
            }
            (Some(_), _) => (self.into(), vec![Action::Drop(signal)]),
            (None, Then::End(None)) if signal == libc::SIGTERM => self.kill(now),
            (None, _) if asks_to_end(signal) => {
                (Self { then: Then::End(None), ..self }.into(), vec![forward(signal, policy)])
            }
            (None, _) => (self.into(), vec![forward(signal, policy)]),
        }
    }

    fn kill(self, now: Instant) -> (State, Vec<Action>) {
        let killed = Self { by: Means::Killed, deadline: now + KILL_TIME, ..self };
        (killed.into(), vec![Action::SignalGroup(libc::SIGKILL)])
    }
}

/// Nobody is left of the old child.
fn gone(next: Next, policy: &Exec, now: Instant) -> (State, Vec<Action>) {
    if next.at <= now { next.start(policy, now) } else { (State::Delayed(next), vec![]) }
}
