//! What each event does in each state: a table for every kind of state, with a row for every kind of event.

mod childless;
mod kinds;
mod running;
mod stopping;
mod walk;

use super::*;
use crate::config::{Probation, RestartPolicy};
use Action::{Accept, Drop, Reject, SignalChild, SignalGroup, Spawn};
use kinds::{EventKind, StateKind};
use libc::{SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGUSR1};
use std::sync::LazyLock;

const STOP: Stop = Stop { signal: SIGINT, grace: Duration::from_secs(7) };
const DELAY: Duration = Duration::from_secs(20);
const PROBATION: Duration = Duration::from_secs(60);

const OK: Ended = Ended::Exited(0);
const CRASH: Ended = Ended::Exited(3);
const SEGV: Ended = Ended::Signalled(11);

const READY: Event = Event::Ready;
const RESTART: Event = Event::Restart(STOP);
const TOLD: Event = Event::Told;
const FINISH: Event = Event::Finish(ExitCode(42));
const TERM: Event = Event::Signal(SIGTERM);
const INT: Event = Event::Signal(SIGINT);
const QUIT: Event = Event::Signal(SIGQUIT);
const HUP: Event = Event::Signal(SIGHUP);
const USR1: Event = Event::Signal(SIGUSR1);
const BUSY: Event = not_started(Obstacle::Busy);
const TOO_BIG: Event = not_started(Obstacle::TooBig);
const NO_PROGRAM: Event = not_started(Obstacle::Program(ExitCode::NOT_FOUND));
const GROUP_EMPTY: Event = Event::GroupEmpty;
const GOOD: Event = Event::Proven(true);
const BAD: Event = Event::Proven(false);
const DEADLINE: Event = Event::Deadline;

/// What a child can do that is not there, or has been started long ago.
const ENDS: [Event; 4] = [ended(OK, true), ended(OK, false), ended(CRASH, true), ended(CRASH, false)];
const OBSTACLES: [Event; 3] = [BUSY, TOO_BIG, NO_PROGRAM];
const PROOFS: [Event; 2] = [GOOD, BAD];

const fn ended(how: Ended, group_empty: bool) -> Event {
    Event::Ended { how, group_empty, delay: DELAY }
}

const fn not_started(why: Obstacle) -> Event {
    Event::NotStarted { why, delay: DELAY }
}

fn over(code: u8) -> State {
    State::Over(ExitCode(code))
}

fn ask(signal: i32) -> [Action; 2] {
    [SignalGroup(signal), SignalGroup(SIGCONT)]
}

/// When all events happen.
fn now() -> Instant {
    static NOW: LazyLock<Instant> = LazyLock::new(Instant::now);
    *NOW
}

/// Without a probation, signals to the child alone.
fn plain() -> Exec {
    Exec { probation: None, ..Exec::default() }
}

fn proving() -> Exec {
    Exec { probation: Some(Probation { time: PROBATION, ..Probation::default() }), ..plain() }
}

/// What each event does in one state.
#[derive(Debug)]
struct Table {
    policy: Exec,
    state: State,
    rows: Vec<(Event, State, Vec<Action>)>,
}

/// The next state and the actions for each event, and the events that change nothing.
fn table(policy: Exec, state: State, rows: &[(Event, State, &[Action])], ignored: &[&[Event]]) -> Table {
    let rows = rows.iter().map(|(event, next, actions)| (*event, *next, actions.to_vec()));
    let ignored = ignored.concat().into_iter().map(|event| (event, state, vec![]));
    Table { policy, state, rows: rows.chain(ignored).collect() }
}

fn check(tables: impl IntoIterator<Item = Table>) {
    for Table { policy, state, rows } in tables {
        for (event, next, actions) in rows {
            assert_eq!(state.on(event, &policy, now()), (next, actions), "{event:?} in {state:?}");
        }
    }
}

/// A table for every state.
fn tables() -> Vec<Table> {
    [childless::tables(), running::tables(), stopping::tables()].into_iter().flatten().collect()
}

#[test]
fn every_event_does_in_every_state_what_the_tables_say() {
    check(tables());
}

#[test]
fn the_tables_have_a_row_for_every_event_in_every_state() {
    let rows: Vec<(StateKind, EventKind)> = tables()
        .iter()
        .flat_map(|Table { state, rows, .. }| {
            rows.iter().map(|(event, ..)| (StateKind::of(*state), EventKind::of(*event)))
        })
        .collect();
    let missing: Vec<_> = StateKind::ALL
        .iter()
        .flat_map(|state| EventKind::ALL.iter().map(|event| (*state, *event)))
        .filter(|row| !rows.contains(row))
        .collect();
    assert!(missing.is_empty(), "without a row: {missing:?}");
}
