//! What can fail on the way to a token or a secret, and what the agent does about it: each cell of the table in
//! docs/failures.md, with the real program.
//!
//! [`rows`] holds what is expected and is the one place to change; [`document`] makes the documentation of it;
//! [`cell`] tries it, at a [`site`](site::Site) whose vault and token endpoint can each be made to fail.

#![allow(clippy::unwrap_used)]

#[path = "failures/cell.rs"]
mod cell;
#[path = "failures/document.rs"]
mod document;
#[path = "failures/gate.rs"]
mod gate;
#[path = "failures/renewal.rs"]
mod renewal;
#[path = "failures/rows.rs"]
mod rows;
#[path = "failures/site.rs"]
mod site;
mod support;
#[path = "failures/table.rs"]
mod table;
#[path = "failures/words.rs"]
mod words;

use cell::Moment;
use site::Strangers;
use std::{
    env,
    sync::{Mutex, PoisonError},
    thread,
};
use table::Row;

/// Cells at the same time. Each waits most of its time, so there can be more than processors.
const WORKERS: usize = 12;

/// Tries only cells with this in their names, as in `vault, refused, at start`.
const ENV_CELLS: &str = "AKV_TEST_CELLS";

#[test]
fn every_failure_is_met_as_documented() {
    let wanted = env::var(ENV_CELLS).unwrap_or_default();
    let strangers = Strangers::start();
    let cells = rows::all().into_iter().flat_map(|row| Moment::ALL.map(|moment| (row, moment)));
    let cells = cells.filter(|cell| name(cell).contains(&wanted));
    let (slow, quick): (Vec<_>, Vec<_>) = cells.partition(|(row, _)| row.cause.is_slow());
    assert!(slow.len() + quick.len() > 0, "no cell has {wanted:?} in its name");
    let (quick, failed) = (Mutex::new(quick.into_iter()), Mutex::new(Vec::new()));
    let next = || quick.lock().unwrap_or_else(PoisonError::into_inner).next();
    let try_it = |cell| {
        if !holds(cell, &strangers) {
            failed.lock().unwrap_or_else(PoisonError::into_inner).push(name(&cell));
        }
    };
    let work = || std::iter::from_fn(next).for_each(try_it);
    thread::scope(|scope| {
        for cell in slow {
            scope.spawn(move || try_it(cell));
        }
        for _ in 0..WORKERS {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "these cells failed: {failed:#?}");
}

/// Tries a cell in a thread that has its name, so that a panic prints it.
fn holds(cell: (Row, Moment), strangers: &Strangers) -> bool {
    let (row, moment) = cell;
    let thread = thread::Builder::new().name(name(&cell));
    thread::scope(|scope| {
        let cell = thread.spawn_scoped(scope, || cell::run(row, moment, strangers)).unwrap();
        cell.join().is_ok()
    })
}

fn name((row, moment): &(Row, Moment)) -> String {
    format!("{}, {}, {moment}", row.far_end, row.cause)
}

#[test]
fn the_document_has_this_table() {
    document::check(&rows::all());
}
