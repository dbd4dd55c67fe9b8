//! What each event does in each state, as a table a state.

use super::{stopping::KILL_TIME, *};
use crate::config::Probation;
use Action::{Accept, Drop, Reject, SignalChild, SignalGroup, Spawn};
use libc::{SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGQUIT, SIGTERM, SIGUSR1};

const STOP: Stop = Stop { signal: SIGINT, grace: Duration::from_secs(7) };
const RESTART: Event = Event::Restart(STOP);
const FINISH: Event = Event::Finish(ExitCode(42));
const OK: Ended = Ended::Exited(0);
const CRASH: Ended = Ended::Exited(3);
const SEGV: Ended = Ended::Signalled(11);
const DELAY: Duration = Duration::from_secs(20);

fn ended(how: Ended, group_empty: bool) -> Event {
    Event::Ended { how, group_empty, delay: DELAY }
}

fn not_started(why: Obstacle) -> Event {
    Event::NotStarted { why, delay: DELAY }
}

fn over(code: u8) -> State {
    State::Over(ExitCode(code))
}

fn ask(signal: i32) -> Vec<Action> {
    vec![SignalGroup(signal), SignalGroup(SIGCONT)]
}

/// Without a probation, signals to the child alone.
fn plain() -> Exec {
    Exec { probation: None, ..Exec::default() }
}

fn proving() -> Exec {
    Exec { probation: Some(Probation { time: Duration::from_secs(60), ..Probation::default() }), ..plain() }
}

fn check(policy: &Exec, now: Instant, table: Vec<(State, Event, State, Vec<Action>)>) {
    for (state, event, next, actions) in table {
        assert_eq!(state.on(event, policy, now), (next, actions), "{event:?} in {state:?}");
    }
}

/// Every event, for what must hold in general.
fn all_events() -> Vec<Event> {
    let mut events = vec![Event::Ready, RESTART, Event::Told, FINISH, Event::GroupEmpty, Event::Deadline];
    events.extend([true, false].map(Event::Proven));
    events.extend([SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGCONT].map(Event::Signal));
    for how in [OK, CRASH, SEGV] {
        events.extend([true, false].map(|group_empty| ended(how, group_empty)));
    }
    let obstacles = [Obstacle::Busy, Obstacle::TooBig, Obstacle::Program(ExitCode::NOT_FOUND)];
    events.extend(obstacles.map(not_started));
    events
}

#[test]
fn waiting() {
    let w = State::Waiting;
    let table = vec![
        (w, Event::Ready, State::Running(Trial::None), vec![Spawn]),
        (w, Event::Signal(SIGTERM), over(143), vec![]),
        (w, Event::Signal(SIGINT), over(130), vec![]),
        (w, Event::Signal(SIGQUIT), over(131), vec![]),
        (w, Event::Signal(SIGHUP), over(129), vec![]),
        (w, Event::Signal(SIGUSR1), w, vec![Drop(SIGUSR1)]),
        (w, FINISH, over(42), vec![]),
        (w, RESTART, w, vec![]),
        (w, Event::Told, w, vec![]),
        (w, ended(CRASH, true), w, vec![]),
        (w, not_started(Obstacle::Busy), w, vec![]),
        (w, Event::GroupEmpty, w, vec![]),
        (w, Event::Proven(true), w, vec![]),
        (w, Event::Deadline, w, vec![]),
    ];
    check(&plain(), Instant::now(), table);
}

#[test]
fn running_without_probation() {
    let now = Instant::now();
    let r = State::Running(Trial::None);
    let ending = State::Ending { deadline: None };
    let stopping = |stop: Stop, then| State::Stopping {
        by: Means::Asked,
        deadline: now + stop.grace,
        then,
        leader: None,
    };
    let next = Then::Start(Next { at: now, trial: Some(STOP) });
    let finishing = stopping(Stop::DEFAULT, Then::End(Some(ExitCode(42))));
    let busy = State::Delayed(Next { at: now + DELAY, trial: None });
    let table = vec![
        (r, Event::Ready, r, vec![]),
        (r, Event::Signal(SIGTERM), ending, vec![SignalChild(SIGTERM)]),
        (r, Event::Signal(SIGINT), r, vec![SignalChild(SIGINT)]),
        (r, Event::Signal(SIGUSR1), r, vec![SignalChild(SIGUSR1)]),
        (r, RESTART, stopping(STOP, next), ask(SIGINT)),
        (r, Event::Told, r, vec![Accept]),
        (r, FINISH, finishing, ask(SIGTERM)),
        (r, ended(OK, true), over(0), vec![]),
        (r, ended(CRASH, false), over(3), vec![]),
        (r, ended(SEGV, true), over(139), vec![]),
        (r, not_started(Obstacle::Busy), busy, vec![]),
        (r, not_started(Obstacle::TooBig), over(126), vec![]),
        (r, not_started(Obstacle::Program(ExitCode::NOT_FOUND)), over(127), vec![]),
        (r, Event::GroupEmpty, r, vec![]),
        (r, Event::Proven(false), r, vec![]),
        (r, Event::Deadline, r, vec![]),
    ];
    check(&plain(), now, table);
}

#[test]
fn running_on_probation() {
    let now = Instant::now();
    let policy = proving();
    let trial = Trial::Until { at: now + Duration::from_secs(5), stop: STOP };
    let r = State::Running(trial);
    let good = State::Running(Trial::None);
    let renewed = Trial::Until { at: now + Duration::from_secs(60), stop: Stop::DEFAULT };
    let stopping = |trial, leader| State::Stopping {
        by: Means::Asked,
        deadline: now + STOP.grace,
        then: Then::Start(Next { at: now, trial }),
        leader,
    };
    let rejected = [vec![Reject], ask(SIGINT)].concat();
    let busy = State::Delayed(Next { at: now + DELAY, trial: Some(STOP) });
    let table = vec![
        (r, Event::Proven(true), good, vec![Accept]),
        (r, Event::Proven(false), stopping(None, None), rejected.clone()),
        (r, ended(CRASH, true), State::Waiting, vec![Reject]),
        (r, ended(SEGV, true), State::Waiting, vec![Reject]),
        (r, ended(CRASH, false), stopping(None, Some(CRASH)), rejected),
        // Work that is done, and an end that was asked for, are nobody's fault.
        (r, ended(OK, true), over(0), vec![]),
        (r, ended(Ended::Signalled(SIGINT), true), over(130), vec![]),
        (r, RESTART, stopping(Some(STOP), None), ask(SIGINT)),
        (r, Event::Told, State::Running(renewed), vec![]),
        (r, Event::Signal(SIGTERM), State::Ending { deadline: None }, vec![SignalChild(SIGTERM)]),
        (r, Event::Signal(SIGUSR1), r, vec![SignalChild(SIGUSR1)]),
        (r, not_started(Obstacle::Busy), busy, vec![]),
        (r, not_started(Obstacle::TooBig), State::Waiting, vec![Reject]),
        (r, not_started(Obstacle::Program(ExitCode::NOT_EXECUTABLE)), over(126), vec![]),
        (r, Event::Ready, r, vec![]),
        (r, Event::GroupEmpty, r, vec![]),
        (r, Event::Deadline, r, vec![]),
    ];
    check(&policy, now, table);
}

#[test]
fn a_child_for_a_new_set_is_on_probation_and_one_for_an_old_set_is_not() {
    let now = Instant::now();
    let delayed = |trial| State::Delayed(Next { at: now, trial });
    let on_trial = State::Running(Trial::Until { at: now + Duration::from_secs(60), stop: STOP });
    let table = vec![
        (delayed(Some(STOP)), Event::Deadline, on_trial, vec![Spawn]),
        (delayed(None), Event::Deadline, State::Running(Trial::None), vec![Spawn]),
    ];
    check(&proving(), now, table);
    let table =
        vec![(delayed(Some(STOP)), Event::Deadline, State::Running(Trial::None), vec![Spawn, Accept])];
    check(&plain(), now, table);
}

#[test]
fn delayed() {
    let now = Instant::now();
    let d = State::Delayed(Next { at: now + DELAY, trial: None });
    let table = vec![
        (d, RESTART, State::Running(Trial::None), vec![Spawn, Accept]),
        (d, FINISH, over(42), vec![]),
        (d, Event::Signal(SIGTERM), over(143), vec![]),
        (d, Event::Signal(SIGUSR1), d, vec![Drop(SIGUSR1)]),
        (d, Event::Told, d, vec![]),
        (d, Event::Ready, d, vec![]),
        (d, Event::GroupEmpty, d, vec![]),
        (d, ended(CRASH, true), d, vec![]),
    ];
    check(&plain(), now, table);
}

#[test]
fn ending() {
    let now = Instant::now();
    let e = State::Ending { deadline: None };
    let table = vec![
        (e, Event::Signal(SIGTERM), e, vec![SignalGroup(SIGKILL)]),
        (e, Event::Signal(SIGUSR1), e, vec![SignalChild(SIGUSR1)]),
        (e, Event::Signal(SIGINT), e, vec![SignalChild(SIGINT)]),
        (e, RESTART, e, vec![]),
        (e, Event::Told, e, vec![]),
        (e, FINISH, e, vec![]),
        (e, Event::Proven(false), e, vec![]),
        (e, ended(Ended::Exited(4), false), over(4), vec![]),
        (e, ended(Ended::Signalled(SIGKILL), true), over(137), vec![]),
    ];
    check(&plain(), now, table);

    let patient = Exec { grace: Some(Duration::from_secs(9)), ..plain() };
    let limited = State::Ending { deadline: Some(now + Duration::from_secs(9)) };
    let table = vec![
        (State::Running(Trial::None), Event::Signal(SIGTERM), limited, vec![SignalChild(SIGTERM)]),
        (limited, Event::Signal(SIGUSR1), limited, vec![SignalChild(SIGUSR1)]),
        (limited, Event::Deadline, e, vec![SignalGroup(SIGKILL)]),
        (limited, Event::Signal(SIGTERM), e, vec![SignalGroup(SIGKILL)]),
    ];
    check(&patient, now, table);
}

#[test]
fn stopping() {
    let now = Instant::now();
    let deadline = now + Duration::from_secs(3);
    let start = Then::Start(Next { at: now, trial: None });
    let s = |then, leader| State::Stopping { by: Means::Asked, deadline, then, leader };
    let killed =
        |then, leader| State::Stopping { by: Means::Killed, deadline: now + KILL_TIME, then, leader };
    let running = State::Running(Trial::None);
    let (restarting, straggling) = (s(start, None), s(start, Some(OK)));
    let (end, finish) = (Then::End(None), Then::End(Some(ExitCode(42))));
    let renewed = Then::Start(Next { at: now, trial: Some(STOP) });
    let kill = || vec![SignalGroup(SIGKILL)];
    let table = vec![
        // The old child is there.
        (restarting, ended(OK, true), running, vec![Spawn]),
        (restarting, ended(SEGV, true), running, vec![Spawn]),
        (restarting, ended(OK, false), straggling, vec![]),
        (restarting, Event::Deadline, killed(start, None), kill()),
        (restarting, RESTART, s(renewed, None), vec![]),
        (restarting, FINISH, s(finish, None), vec![]),
        (restarting, Event::Signal(SIGTERM), s(end, None), vec![SignalChild(SIGTERM)]),
        (restarting, Event::Signal(SIGUSR1), restarting, vec![SignalChild(SIGUSR1)]),
        (restarting, Event::Ready, restarting, vec![]),
        (restarting, Event::Told, restarting, vec![]),
        (restarting, Event::Proven(true), restarting, vec![]),
        (killed(start, None), Event::Deadline, killed(start, None), kill()),
        (killed(start, None), ended(SEGV, true), running, vec![Spawn]),
        // Only stragglers are.
        (straggling, Event::GroupEmpty, running, vec![Spawn]),
        (straggling, Event::Signal(SIGTERM), over(0), kill()),
        (straggling, Event::Signal(SIGUSR1), straggling, vec![Drop(SIGUSR1)]),
        (straggling, Event::Deadline, killed(start, Some(OK)), kill()),
        (straggling, FINISH, over(42), kill()),
        (killed(start, Some(OK)), Event::Deadline, running, vec![Spawn]),
        // The agent is to end.
        (s(end, None), ended(Ended::Exited(7), false), over(7), vec![]),
        (s(end, None), Event::Deadline, killed(end, None), kill()),
        (s(end, None), RESTART, s(end, None), vec![]),
        (s(end, None), FINISH, s(end, None), vec![]),
        (s(end, None), Event::Signal(SIGTERM), killed(end, None), kill()),
        (s(end, None), Event::Signal(SIGUSR1), s(end, None), vec![SignalChild(SIGUSR1)]),
        (s(finish, None), ended(SEGV, true), over(42), vec![]),
        (s(finish, None), Event::Signal(SIGTERM), s(end, None), vec![SignalChild(SIGTERM)]),
    ];
    check(&plain(), now, table);
}

#[test]
fn a_delay_that_is_left_after_a_stop_is_kept() {
    let now = Instant::now();
    let next = Next { at: now + DELAY, trial: None };
    let then = Then::Start(next);
    let s = State::Stopping { by: Means::Asked, deadline: now, then, leader: Some(CRASH) };
    check(&plain(), now, vec![(s, Event::GroupEmpty, State::Delayed(next), vec![])]);
}

#[test]
fn a_child_that_ends_is_started_anew_where_that_is_asked_for() {
    let now = Instant::now();
    let r = State::Running(Trial::None);
    let delayed = State::Delayed(Next { at: now + DELAY, trial: None });
    let stragglers = State::Stopping {
        by: Means::Asked,
        deadline: now + Stop::DEFAULT.grace,
        then: Then::Start(Next { at: now + DELAY, trial: None }),
        leader: Some(CRASH),
    };
    let on_failure = Exec { restart_policy: RestartPolicy::OnFailure, ..plain() };
    let table = vec![
        (r, ended(OK, true), over(0), vec![]),
        (r, ended(CRASH, true), delayed, vec![]),
        (r, ended(CRASH, false), stragglers, ask(SIGTERM)),
        (State::Ending { deadline: None }, ended(CRASH, true), over(3), vec![]),
    ];
    check(&on_failure, now, table);
    let always = Exec { restart_policy: RestartPolicy::Always, ..plain() };
    check(&always, now, vec![(r, ended(OK, true), delayed, vec![])]);
}

#[test]
fn signals_go_to_the_group_where_that_is_asked_for() {
    let policy = Exec { signals: Recipients::Group, ..plain() };
    let r = State::Running(Trial::None);
    let ending = State::Ending { deadline: None };
    let table = vec![
        (r, Event::Signal(SIGUSR1), r, vec![SignalGroup(SIGUSR1)]),
        (r, Event::Signal(SIGTERM), ending, vec![SignalGroup(SIGTERM)]),
        (ending, Event::Signal(SIGINT), ending, vec![SignalGroup(SIGINT)]),
    ];
    check(&policy, Instant::now(), table);
}

#[test]
fn the_end_is_the_end() {
    for event in all_events() {
        assert_eq!(over(5).on(event, &proving(), Instant::now()), (over(5), vec![]), "{event:?}");
    }
}

/// Walks through all states that can be reached, and looks for what must never be.
#[test]
fn no_path_starts_a_second_child_or_forgets_one() {
    let now = Instant::now();
    for policy in [plain(), proving(), Exec { restart_policy: RestartPolicy::Always, ..proving() }] {
        let mut seen = vec![];
        let mut next = vec![(State::Waiting, false)];
        while let Some((state, has_child)) = next.pop() {
            if seen.contains(&(state, has_child)) {
                continue;
            }
            seen.push((state, has_child));
            for event in all_events() {
                // Only what can happen there.
                let possible = match event {
                    Event::Ended { .. } => has_child,
                    Event::GroupEmpty => state.awaits_stragglers(),
                    Event::Proven(_) => state.trial().is_some(),
                    Event::NotStarted { .. } => matches!(state, State::Running(_)) && has_child,
                    _ => true,
                };
                if !possible {
                    continue;
                }
                let gone = matches!(event, Event::Ended { .. } | Event::NotStarted { .. });
                let left = has_child && !gone;
                let (after, actions) = state.on(event, &policy, now);
                let spawns = actions.iter().filter(|action| **action == Spawn).count();
                assert!(spawns == 0 || !left, "a second child: {event:?} in {state:?}");
                assert!(spawns <= 1, "{event:?} in {state:?}");
                let child = left || spawns == 1;
                let runs = matches!(after, State::Running(_) | State::Ending { .. })
                    || matches!(after, State::Stopping { leader: None, .. });
                if !matches!(after, State::Over(_)) {
                    assert_eq!(runs, child, "{event:?} in {state:?} leads to {after:?}");
                }
                next.push((after, child));
            }
        }
        assert!(seen.len() > 10, "{}", seen.len());
    }
}
