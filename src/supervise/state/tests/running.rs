//! With a child that nobody has told to end.

use super::*;

pub(super) fn tables() -> Vec<Table> {
    vec![without_probation(), on_probation()]
}

/// A stop as `stop` has it that has just begun.
fn stopping(stop: Stop, then: Then) -> State {
    State::Stopping { by: Means::Asked, deadline: now() + stop.grace, then }
}

fn straggling(stop: Stop, next: Next) -> State {
    State::Straggling { by: Means::Asked, deadline: now() + stop.grace, next, leader: CRASH }
}

fn without_probation() -> Table {
    let r = State::Running(Trial::None);
    let restarting = stopping(STOP, Then::Start(Next { at: now(), trial: Some(STOP) }));
    let finishing = stopping(Stop::DEFAULT, Then::End(Some(ExitCode(42))));
    let busy = State::Delayed(Next { at: now() + DELAY, trial: None });
    table(
        plain(),
        r,
        &[
            (RESTART, restarting, &ask(SIGINT)),
            (TOLD, r, &[Accept]),
            (FINISH, finishing, &ask(SIGTERM)),
            (TERM, State::Ending { by: Means::Asked, deadline: None }, &[SignalChild(SIGTERM)]),
            (INT, r, &[SignalChild(SIGINT)]),
            (QUIT, r, &[SignalChild(SIGQUIT)]),
            (HUP, r, &[SignalChild(SIGHUP)]),
            (USR1, r, &[SignalChild(SIGUSR1)]),
            (ended(OK, true), over(0), &[]),
            (ended(OK, false), over(0), &[]),
            (ended(CRASH, true), over(3), &[]),
            (ended(CRASH, false), over(3), &[]),
            (ended(SEGV, true), over(139), &[]),
            (BUSY, busy, &[]),
            (TOO_BIG, over(126), &[]),
            (NO_PROGRAM, over(127), &[]),
        ],
        &[&[READY, GROUP_EMPTY, DEADLINE], &PROOFS],
    )
}

fn on_probation() -> Table {
    let r = State::Running(Trial::Until { at: now() + Duration::from_secs(5), stop: STOP });
    let good = State::Running(Trial::None);
    let renewed = State::Running(Trial::Until { at: now() + PROBATION, stop: Stop::DEFAULT });
    let restarting = |trial| stopping(STOP, Then::Start(Next { at: now(), trial }));
    let finishing = stopping(Stop::DEFAULT, Then::End(Some(ExitCode(42))));
    let reverting = straggling(STOP, Next { at: now(), trial: None });
    let rejected = [&[Reject][..], &ask(SIGINT)].concat();
    let busy = State::Delayed(Next { at: now() + DELAY, trial: Some(STOP) });
    table(
        proving(),
        r,
        &[
            (GOOD, good, &[Accept]),
            (BAD, restarting(None), &rejected),
            (RESTART, restarting(Some(STOP)), &ask(SIGINT)),
            (TOLD, renewed, &[]),
            (FINISH, finishing, &ask(SIGTERM)),
            (TERM, State::Ending { by: Means::Asked, deadline: None }, &[SignalChild(SIGTERM)]),
            (INT, r, &[SignalChild(SIGINT)]),
            (QUIT, r, &[SignalChild(SIGQUIT)]),
            (HUP, r, &[SignalChild(SIGHUP)]),
            (USR1, r, &[SignalChild(SIGUSR1)]),
            (ended(CRASH, true), State::Reverting, &[Reject]),
            (ended(SEGV, true), State::Reverting, &[Reject]),
            (ended(CRASH, false), reverting, &rejected),
            // Work that is done, and an end that was asked for, are nobody's fault.
            (ended(OK, true), over(0), &[]),
            (ended(OK, false), over(0), &[]),
            (ended(Ended::Signalled(SIGINT), true), over(130), &[]),
            (BUSY, busy, &[]),
            (TOO_BIG, State::Reverting, &[Reject]),
            (NO_PROGRAM, over(127), &[]),
        ],
        &[&[READY, GROUP_EMPTY, DEADLINE]],
    )
}

#[test]
fn a_child_that_ends_is_started_anew_where_that_is_asked_for() {
    let r = State::Running(Trial::None);
    let next = Next { at: now() + DELAY, trial: None };
    let delayed = State::Delayed(next);
    let on_failure = Exec { restart_policy: RestartPolicy::OnFailure, ..plain() };
    let rows: [(Event, State, &[Action]); 3] = [
        (ended(OK, true), over(0), &[]),
        (ended(CRASH, true), delayed, &[]),
        (ended(CRASH, false), straggling(Stop::DEFAULT, next), &ask(SIGTERM)),
    ];
    let always = Exec { restart_policy: RestartPolicy::Always, ..plain() };
    let ending = State::Ending { by: Means::Asked, deadline: None };
    check([
        table(on_failure, r, &rows, &[]),
        table(always.clone(), r, &[(ended(OK, true), delayed, &[])], &[]),
        table(always, ending, &[(ended(CRASH, true), over(3), &[])], &[]),
    ]);
}

#[test]
fn signals_go_to_the_group_where_that_is_asked_for() {
    let group = || Exec { signals: Recipients::Group, ..plain() };
    let r = State::Running(Trial::None);
    let ending = State::Ending { by: Means::Asked, deadline: None };
    let restarting = stopping(STOP, Then::Start(Next { at: now(), trial: None }));
    check([
        table(
            group(),
            r,
            &[(USR1, r, &[SignalGroup(SIGUSR1)]), (TERM, ending, &[SignalGroup(SIGTERM)])],
            &[],
        ),
        table(group(), ending, &[(INT, ending, &[SignalGroup(SIGINT)])], &[]),
        table(group(), restarting, &[(USR1, restarting, &[SignalGroup(SIGUSR1)])], &[]),
    ]);
}

#[test]
fn the_time_from_sigterm_to_sigkill_can_be_limited() {
    let grace = Duration::from_secs(9);
    let limited = State::Ending { by: Means::Asked, deadline: Some(now() + grace) };
    let patient = Exec { grace: Some(grace), ..plain() };
    let r = State::Running(Trial::None);
    check([table(patient, r, &[(TERM, limited, &[SignalChild(SIGTERM)])], &[])]);
}
