//! Without a child.

use super::*;

pub(super) fn tables() -> Vec<Table> {
    vec![waiting(), reverting(), delayed(), delayed_for_trial(), the_end_is_the_end()]
}

fn waiting() -> Table {
    table(
        plain(),
        State::Waiting,
        &[
            (READY, State::Running(Trial::None), &[Spawn]),
            (FINISH, over(42), &[]),
            (TERM, over(143), &[]),
            (INT, over(130), &[]),
            (QUIT, over(131), &[]),
            (HUP, over(129), &[]),
            (USR1, State::Waiting, &[Drop(SIGUSR1)]),
        ],
        &[&[RESTART, TOLD, GROUP_EMPTY, DEADLINE], &ENDS, &OBSTACLES, &PROOFS],
    )
}

/// As before the first set, but that SIGHUP asks for a refresh.
fn reverting() -> Table {
    table(
        proving(),
        State::Reverting,
        &[
            (READY, State::Running(Trial::None), &[Spawn]),
            (FINISH, over(42), &[]),
            (TERM, over(143), &[]),
            (INT, over(130), &[]),
            (QUIT, over(131), &[]),
            (HUP, State::Reverting, &[Drop(SIGHUP)]),
            (USR1, State::Reverting, &[Drop(SIGUSR1)]),
        ],
        &[&[RESTART, TOLD, GROUP_EMPTY, DEADLINE], &ENDS, &OBSTACLES, &PROOFS],
    )
}

fn delayed() -> Table {
    let d = State::Delayed(Next { at: now() + DELAY, trial: None });
    let running = State::Running(Trial::None);
    table(
        plain(),
        d,
        &[
            (DEADLINE, running, &[Spawn]),
            (RESTART, running, &[Spawn, Accept]),
            (FINISH, over(42), &[]),
            (TERM, over(143), &[]),
            (INT, over(130), &[]),
            (QUIT, over(131), &[]),
            (HUP, d, &[Drop(SIGHUP)]),
            (USR1, d, &[Drop(SIGUSR1)]),
        ],
        &[&[READY, TOLD, GROUP_EMPTY], &ENDS, &OBSTACLES, &PROOFS],
    )
}

/// The child that is to be started gets a set that no child has had before.
fn delayed_for_trial() -> Table {
    let stop = Stop::DEFAULT;
    let d = State::Delayed(Next { at: now() + DELAY, trial: Some(stop) });
    let on_probation = |stop| State::Running(Trial::Until { at: now() + PROBATION, stop });
    table(
        proving(),
        d,
        &[
            (DEADLINE, on_probation(stop), &[Spawn]),
            (RESTART, on_probation(STOP), &[Spawn]),
            (FINISH, over(42), &[]),
            (TERM, over(143), &[]),
            (INT, over(130), &[]),
            (QUIT, over(131), &[]),
            (HUP, d, &[Drop(SIGHUP)]),
            (USR1, d, &[Drop(SIGUSR1)]),
        ],
        &[&[READY, TOLD, GROUP_EMPTY], &ENDS, &OBSTACLES, &PROOFS],
    )
}

fn the_end_is_the_end() -> Table {
    let told = [READY, RESTART, TOLD, FINISH, TERM, INT, QUIT, HUP, USR1, GROUP_EMPTY, DEADLINE];
    table(proving(), over(5), &[], &[&told, &ENDS, &OBSTACLES, &PROOFS])
}

#[test]
fn a_child_for_a_new_set_is_on_probation_and_one_for_an_old_set_is_not() {
    let delayed = |trial| State::Delayed(Next { at: now(), trial });
    let unproven = State::Running(Trial::None);
    check([
        table(proving(), delayed(None), &[(DEADLINE, unproven, &[Spawn])], &[]),
        table(plain(), delayed(Some(STOP)), &[(DEADLINE, unproven, &[Spawn, Accept])], &[]),
    ]);
}
