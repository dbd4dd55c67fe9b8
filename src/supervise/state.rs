//! Every state of the supervised child, and what each event does in it. Pure: no process, no clock.

use crate::failure::ExitCode;
use std::{
    fmt,
    time::{Duration, Instant},
};

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By exit(3) with this code.
    Exited(u8),
    /// By this signal.
    Signalled(i32),
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit code {code}"),
            Self::Signalled(signal) => write!(f, "signal {signal}"),
        }
    }
}

impl Ended {
    /// From what wait(2) reports.
    pub fn from_wait_status(status: i32) -> Self {
        if libc::WIFSIGNALED(status) {
            Self::Signalled(libc::WTERMSIG(status))
        } else {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "exit codes are 0 to 255"
            )]
            Self::Exited(libc::WEXITSTATUS(status) as u8)
        }
    }

    /// The code with which a transparent parent ends.
    pub fn exit_code(self) -> ExitCode {
        match self {
            Self::Exited(code) => ExitCode(code),
            Self::Signalled(signal) => ExitCode::signalled(signal),
        }
    }
}

/// What the child is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The first complete set is not there yet, so there is no child.
    Waiting,
    /// It runs.
    Running,
    /// It was sent SIGTERM by somebody who wants all of this to end, so no other child will follow it.
    Ending,
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
    /// The agent ends with this code.
    Over(ExitCode),
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
    Start,
    /// The agent ends as the child did.
    End,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// The first complete set is there.
    Ready,
    /// The set changed, and the reaction is a restart.
    Restart {
        /// The stop signal.
        signal: i32,
        /// How long the stop may take.
        grace: Duration,
    },
    /// The agent got a signal that is not its own business.
    Signal(i32),
    /// The child ended; `group_empty` says whether it was the last of its process group.
    Ended {
        /// How.
        how: Ended,
        /// Whether anybody of its process group is left.
        group_empty: bool,
    },
    /// The last other process of the group is gone.
    GroupEmpty,
    /// The deadline of a stop has passed.
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
    pub fn on(self, event: Event, now: Instant) -> (Self, Vec<Action>) {
        use Action::{SignalChild, SignalGroup, Spawn};
        match (self, event) {
            (Self::Waiting, Event::Ready) => (Self::Running, vec![Spawn]),
            // Nothing is there yet that could handle a signal, so it does what it does to any process.
            (Self::Waiting, Event::Signal(signal)) if asks_to_end(signal) || signal == libc::SIGHUP => {
                (Self::Over(ExitCode::signalled(signal)), vec![])
            }

            (Self::Running | Self::Ending, Event::Signal(signal)) => {
                let ending = signal == libc::SIGTERM || self == Self::Ending;
                (if ending { Self::Ending } else { Self::Running }, vec![SignalChild(signal)])
            }
            // A child that ends without being told to ends the agent: the kubelet restarts both.
            (Self::Running | Self::Ending, Event::Ended { how, .. }) => (Self::Over(how.exit_code()), vec![]),
            (Self::Running, Event::Restart { signal, grace }) => {
                let (by, then) = (Means::Asked, Then::Start);
                let stopping = Self::Stopping { by, deadline: now + grace, then, leader: None };
                // A stopped process group cannot handle its stop signal before it is continued.
                (stopping, vec![SignalGroup(signal), SignalGroup(libc::SIGCONT)])
            }

            (Self::Stopping { by, deadline, leader, .. }, Event::Signal(signal)) if asks_to_end(signal) => {
                match leader {
                    // Only stragglers are left of the old child; what was asked for is done.
                    Some(how) => (Self::Over(how.exit_code()), vec![SignalGroup(libc::SIGKILL)]),
                    None => {
                        (Self::Stopping { by, deadline, then: Then::End, leader }, vec![SignalChild(signal)])
                    }
                }
            }
            (Self::Stopping { leader: None, .. }, Event::Signal(signal)) => (self, vec![SignalChild(signal)]),
            (Self::Stopping { then: Then::End, .. }, Event::Ended { how, .. }) => {
                (Self::Over(how.exit_code()), vec![])
            }
            // What is left after SIGKILL is a zombie that its own parent does not reap: it holds nothing that
            // the new child could miss, and it will not go while we wait.
            (Self::Stopping { .. }, Event::Ended { group_empty: true, .. } | Event::GroupEmpty)
            | (Self::Stopping { by: Means::Killed, leader: Some(_), .. }, Event::Deadline) => {
                (Self::Running, vec![Spawn])
            }
            (Self::Stopping { by, deadline, then, .. }, Event::Ended { how, .. }) => {
                (Self::Stopping { by, deadline, then, leader: Some(how) }, vec![])
            }
            (Self::Stopping { then, leader, .. }, Event::Deadline) => {
                let (by, deadline) = (Means::Killed, now + KILL_TIME);
                (Self::Stopping { by, deadline, then, leader }, vec![SignalGroup(libc::SIGKILL)])
            }

            // A restart that is under way starts with the newest set anyway; the rest has no meaning here.
            _ => (self, vec![]),
        }
    }

    /// When [`Event::Deadline`] is to be delivered.
    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Stopping { deadline, .. } => Some(*deadline),
            _ => None,
        }
    }

    /// Whether only stragglers of an old child's process group are awaited.
    pub fn awaits_stragglers(&self) -> bool {
        matches!(self, Self::Stopping { leader: Some(_), .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Action::{SignalChild, SignalGroup, Spawn};
    use libc::{SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGTERM, SIGUSR1};

    const GRACE: Duration = Duration::from_secs(30);
    const RESTART: Event = Event::Restart { signal: SIGTERM, grace: GRACE };

    fn ended(how: Ended, group_empty: bool) -> Event {
        Event::Ended { how, group_empty }
    }

    #[test]
    fn every_event_in_every_state() {
        let now = Instant::now();
        let deadline = now + GRACE;
        let stopping = |then, leader| State::Stopping { by: Means::Asked, deadline, then, leader };
        let restarting = stopping(Then::Start, None);
        let ending = stopping(Then::End, None);
        let straggling = stopping(Then::Start, Some(Ended::Exited(0)));
        let killed =
            |then, leader| State::Stopping { by: Means::Killed, deadline: now + KILL_TIME, then, leader };
        let over = |code| State::Over(ExitCode(code));
        let (ok, crash) = (Ended::Exited(0), Ended::Signalled(11));

        let table: &[(State, Event, State, &[Action])] = &[
            (State::Waiting, Event::Ready, State::Running, &[Spawn]),
            (State::Waiting, Event::Signal(SIGTERM), over(143), &[]),
            (State::Waiting, Event::Signal(SIGINT), over(130), &[]),
            (State::Waiting, Event::Signal(SIGHUP), over(129), &[]),
            (State::Waiting, Event::Signal(SIGUSR1), State::Waiting, &[]),
            (State::Waiting, RESTART, State::Waiting, &[]),
            (State::Waiting, Event::Deadline, State::Waiting, &[]),
            (State::Running, Event::Ready, State::Running, &[]),
            (State::Running, Event::Signal(SIGTERM), State::Ending, &[SignalChild(SIGTERM)]),
            (State::Running, Event::Signal(SIGINT), State::Running, &[SignalChild(SIGINT)]),
            (State::Ending, Event::Signal(SIGUSR1), State::Ending, &[SignalChild(SIGUSR1)]),
            (State::Ending, Event::Signal(SIGTERM), State::Ending, &[SignalChild(SIGTERM)]),
            (State::Ending, RESTART, State::Ending, &[]),
            (State::Ending, Event::Deadline, State::Ending, &[]),
            (State::Ending, ended(Ended::Exited(4), false), over(4), &[]),
            (State::Running, Event::Signal(SIGUSR1), State::Running, &[SignalChild(SIGUSR1)]),
            (State::Running, RESTART, restarting, &[SignalGroup(SIGTERM), SignalGroup(SIGCONT)]),
            (State::Running, ended(Ended::Exited(3), true), over(3), &[]),
            (State::Running, ended(crash, false), over(139), &[]),
            (State::Running, Event::GroupEmpty, State::Running, &[]),
            (State::Running, Event::Deadline, State::Running, &[]),
            (restarting, RESTART, restarting, &[]),
            (restarting, ended(ok, true), State::Running, &[Spawn]),
            (restarting, ended(crash, true), State::Running, &[Spawn]),
            (restarting, ended(ok, false), straggling, &[]),
            (restarting, Event::Signal(SIGTERM), ending, &[SignalChild(SIGTERM)]),
            (restarting, Event::Signal(SIGUSR1), restarting, &[SignalChild(SIGUSR1)]),
            (restarting, Event::Deadline, killed(Then::Start, None), &[SignalGroup(SIGKILL)]),
            (straggling, Event::GroupEmpty, State::Running, &[Spawn]),
            (straggling, Event::Signal(SIGTERM), over(0), &[SignalGroup(SIGKILL)]),
            (straggling, Event::Signal(SIGUSR1), straggling, &[]),
            (straggling, Event::Deadline, killed(Then::Start, Some(ok)), &[SignalGroup(SIGKILL)]),
            (straggling, RESTART, straggling, &[]),
            (killed(Then::Start, None), Event::Deadline, killed(Then::Start, None), &[SignalGroup(SIGKILL)]),
            (killed(Then::Start, Some(ok)), Event::Deadline, State::Running, &[Spawn]),
            (killed(Then::Start, None), ended(crash, true), State::Running, &[Spawn]),
            (ending, ended(Ended::Exited(7), false), over(7), &[]),
            (ending, Event::Deadline, killed(Then::End, None), &[SignalGroup(SIGKILL)]),
            (ending, RESTART, ending, &[]),
            (ending, Event::Signal(SIGTERM), ending, &[SignalChild(SIGTERM)]),
            (over(5), Event::Ready, over(5), &[]),
            (over(5), Event::Signal(SIGTERM), over(5), &[]),
            (over(5), RESTART, over(5), &[]),
        ];
        for (state, event, next, actions) in table {
            assert_eq!(state.on(*event, now), (*next, actions.to_vec()), "{event:?} in {state:?}");
        }
    }

    #[test]
    fn exit_codes_are_the_shells() {
        assert_eq!(Ended::Exited(0).exit_code(), ExitCode(0));
        assert_eq!(Ended::Exited(42).exit_code(), ExitCode(42));
        assert_eq!(Ended::Signalled(9).exit_code(), ExitCode(137));
        assert_eq!(Ended::Signalled(15).exit_code(), ExitCode(143));
    }
}
