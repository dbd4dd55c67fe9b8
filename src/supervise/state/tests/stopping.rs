//! With a child that was told to end, or with the rest of its process group; before SIGKILL and after.

use super::*;

/// When they are killed, for the first time or once more.
fn deadline() -> Instant {
    now() + Duration::from_secs(3)
}

const KILL: &[Action] = &[SignalGroup(SIGKILL)];

pub(super) fn tables() -> Vec<Table> {
    [Means::Asked, Means::Killed]
        .into_iter()
        .flat_map(|by| [ending(by), restarting(by), finishing(by), interrupted(by), straggling(by)])
        .collect()
}

/// What SIGTERM leads to while a child is stopped: its time goes on.
fn ended_by_sigterm(by: Means) -> State {
    State::Ending { by, deadline: Some(deadline()) }
}

fn stopping(by: Means, then: Then) -> State {
    State::Stopping { by, deadline: deadline(), then }
}

fn stopping_killed(then: Then) -> State {
    State::Stopping { by: Means::Killed, deadline: now() + KILL_TIME, then }
}

/// SIGTERM has come, so the next one kills.
fn ending(by: Means) -> Table {
    let e = State::Ending { by, deadline: Some(deadline()) };
    let killed = State::Ending { by: Means::Killed, deadline: Some(now() + KILL_TIME) };
    table(
        plain(),
        e,
        &[
            (TERM, killed, KILL),
            (DEADLINE, killed, KILL),
            (INT, e, &[SignalChild(SIGINT)]),
            (QUIT, e, &[SignalChild(SIGQUIT)]),
            (HUP, e, &[SignalChild(SIGHUP)]),
            (USR1, e, &[SignalChild(SIGUSR1)]),
            (ended(OK, true), over(0), &[]),
            (ended(OK, false), over(0), &[]),
            (ended(CRASH, true), over(3), &[]),
            (ended(CRASH, false), over(3), &[]),
            (ended(Ended::Signalled(SIGKILL), true), over(137), &[]),
        ],
        &[&[READY, RESTART, TOLD, FINISH, GROUP_EMPTY], &OBSTACLES, &PROOFS],
    )
}

/// Another child comes after this one.
fn restarting(by: Means) -> Table {
    let next = Next { at: now(), trial: None };
    let s = stopping(by, Then::Start(next));
    let renewed = stopping(by, Then::Start(Next { at: now(), trial: Some(STOP) }));
    let finishing = stopping(by, Then::End(Some(ExitCode(42))));
    let interrupted = stopping(by, Then::End(None));
    let straggling = |leader| State::Straggling { by, deadline: deadline(), next, leader };
    let running = State::Running(Trial::None);
    table(
        plain(),
        s,
        &[
            (ended(OK, true), running, &[Spawn]),
            (ended(CRASH, true), running, &[Spawn]),
            (ended(OK, false), straggling(OK), &[]),
            (ended(CRASH, false), straggling(CRASH), &[]),
            (DEADLINE, stopping_killed(Then::Start(next)), KILL),
            (RESTART, renewed, &[]),
            (FINISH, finishing, &[]),
            (TERM, ended_by_sigterm(by), &[SignalChild(SIGTERM)]),
            (INT, interrupted, &[SignalChild(SIGINT)]),
            (QUIT, interrupted, &[SignalChild(SIGQUIT)]),
            (HUP, s, &[SignalChild(SIGHUP)]),
            (USR1, s, &[SignalChild(SIGUSR1)]),
        ],
        &[&[READY, TOLD, GROUP_EMPTY], &OBSTACLES, &PROOFS],
    )
}

/// The agent ends after it with the code of a change.
fn finishing(by: Means) -> Table {
    let then = Then::End(Some(ExitCode(42)));
    let f = stopping(by, then);
    let interrupted = stopping(by, Then::End(None));
    table(
        plain(),
        f,
        &[
            (ended(OK, true), over(42), &[]),
            (ended(OK, false), over(42), &[]),
            (ended(CRASH, true), over(42), &[]),
            (ended(CRASH, false), over(42), &[]),
            (DEADLINE, stopping_killed(then), KILL),
            (TERM, ended_by_sigterm(by), &[SignalChild(SIGTERM)]),
            (INT, interrupted, &[SignalChild(SIGINT)]),
            (QUIT, interrupted, &[SignalChild(SIGQUIT)]),
            (HUP, f, &[SignalChild(SIGHUP)]),
            (USR1, f, &[SignalChild(SIGUSR1)]),
        ],
        &[&[READY, RESTART, TOLD, FINISH, GROUP_EMPTY], &OBSTACLES, &PROOFS],
    )
}

/// The agent ends as the child does, because of SIGINT or SIGQUIT. SIGTERM is still the first.
fn interrupted(by: Means) -> Table {
    let then = Then::End(None);
    let i = stopping(by, then);
    table(
        plain(),
        i,
        &[
            (ended(OK, true), over(0), &[]),
            (ended(OK, false), over(0), &[]),
            (ended(CRASH, true), over(3), &[]),
            (ended(CRASH, false), over(3), &[]),
            (DEADLINE, stopping_killed(then), KILL),
            (TERM, ended_by_sigterm(by), &[SignalChild(SIGTERM)]),
            (INT, i, &[SignalChild(SIGINT)]),
            (QUIT, i, &[SignalChild(SIGQUIT)]),
            (HUP, i, &[SignalChild(SIGHUP)]),
            (USR1, i, &[SignalChild(SIGUSR1)]),
        ],
        &[&[READY, RESTART, TOLD, FINISH, GROUP_EMPTY], &OBSTACLES, &PROOFS],
    )
}

/// The child has done what it was told, so nothing keeps the agent from ending at once.
fn straggling(by: Means) -> Table {
    let straggling = |by, deadline, next| State::Straggling { by, deadline, next, leader: CRASH };
    let next = Next { at: now(), trial: None };
    let s = straggling(by, deadline(), next);
    let renewed = straggling(by, deadline(), Next { at: now(), trial: Some(STOP) });
    let running = State::Running(Trial::None);
    let (late, kill_or_start): (_, &[Action]) = match by {
        Means::Asked => (straggling(Means::Killed, now() + KILL_TIME, next), KILL),
        Means::Killed => (running, &[Spawn]),
    };
    table(
        plain(),
        s,
        &[
            (GROUP_EMPTY, running, &[Spawn]),
            (DEADLINE, late, kill_or_start),
            (RESTART, renewed, &[]),
            (FINISH, over(42), KILL),
            (TERM, over(3), KILL),
            (INT, over(3), KILL),
            (QUIT, over(3), KILL),
            (HUP, s, &[Drop(SIGHUP)]),
            (USR1, s, &[Drop(SIGUSR1)]),
        ],
        &[&[READY, TOLD], &ENDS, &OBSTACLES, &PROOFS],
    )
}

#[test]
fn an_end_without_a_limit_is_left_to_who_asked_for_it() {
    let unlimited = State::Ending { by: Means::Asked, deadline: None };
    let killed = State::Ending { by: Means::Killed, deadline: Some(now() + KILL_TIME) };
    check([table(plain(), unlimited, &[(TERM, killed, KILL)], &[])]);
    assert_eq!(unlimited.deadline(), None);
}

#[test]
fn sigterm_during_a_stop_can_shorten_its_time_and_never_prolongs_it() {
    let start = Then::Start(Next { at: now(), trial: None });
    let ending = |deadline| State::Ending { by: Means::Asked, deadline: Some(deadline) };
    for (grace, limit) in [(1, now() + Duration::from_secs(1)), (60, deadline())] {
        let policy = Exec { grace: Some(Duration::from_secs(grace)), ..plain() };
        let rows: [(Event, State, &[Action]); 1] = [(TERM, ending(limit), &[SignalChild(SIGTERM)])];
        check([table(policy, stopping(Means::Asked, start), &rows, &[])]);
    }
}

#[test]
fn a_delay_that_is_left_after_a_stop_is_kept() {
    let next = Next { at: now() + DELAY, trial: None };
    let straggling = State::Straggling { by: Means::Asked, deadline: now(), next, leader: CRASH };
    let rows: [(Event, State, &[Action]); 1] = [(GROUP_EMPTY, State::Delayed(next), &[])];
    check([table(plain(), straggling, &rows, &[])]);
}
