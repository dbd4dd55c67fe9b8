//! A child that was sent SIGTERM from outside, until it ends, and the agent with it.

use super::{Action, Event, Exec, KILL_TIME, Means, State, forward};
use std::time::Instant;

/// The fields of [`State::Ending`].
#[derive(Clone, Copy)]
pub(super) struct Ending {
    pub(super) by: Means,
    pub(super) deadline: Option<Instant>,
}

impl From<Ending> for State {
    fn from(Ending { by, deadline }: Ending) -> Self {
        Self::Ending { by, deadline }
    }
}

impl Ending {
    pub(super) fn on(self, event: Event, policy: &Exec, now: Instant) -> (State, Vec<Action>) {
        match event {
            Event::Ended { how, .. } => (State::Over(how.exit_code()), vec![]),
            // Whoever asks twice has no more patience.
            Event::Signal(libc::SIGTERM) | Event::Deadline => {
                let killed = Self { by: Means::Killed, deadline: Some(now + KILL_TIME) };
                (killed.into(), vec![Action::SignalGroup(libc::SIGKILL)])
            }
            Event::Signal(signal) => (self.into(), vec![forward(signal, policy)]),
            Event::Ready
            | Event::Restart(_)
            | Event::Told
            | Event::Finish(_)
            | Event::NotStarted { .. }
            | Event::GroupEmpty
            | Event::Proven(_) => (self.into(), vec![]),
        }
    }
}
