//! The set that no child could live with, and what is said of it.

use super::pass::names;
use crate::{fingerprint::Fingerprint, plan, snapshot::Snapshot, status, supervise::sets::Set};
use std::{rc::Rc, time::SystemTime};

/// A set that a child could not live with.
#[derive(Debug)]
pub(super) struct Rejected {
    set: Rc<Set>,
    at: SystemTime,
    why: String,
    /// What came back in its place at first, and did not prove itself either.
    other: Option<Fingerprint>,
    /// For people.
    problem: String,
}

impl Rejected {
    /// A child did not live with `set`, and `good` comes back.
    pub(super) fn new(set: Rc<Set>, why: String, good: &Snapshot) -> Self {
        let problem = problem(&set, &why, good);
        Self { set, at: SystemTime::now(), why, other: None, problem }
    }

    /// What came back in its place did not prove itself either, and now `good` comes back.
    pub(super) fn and(self, other: Fingerprint, good: &Snapshot) -> Self {
        let problem = problem(&self.set, &self.why, good);
        Self { other: Some(other), problem, ..self }
    }

    /// Whether `set` is not to be tried again.
    pub(super) fn covers(&self, set: Fingerprint) -> bool {
        self.set.fingerprint == set || self.other == Some(set)
    }

    /// What is wrong.
    pub(super) fn problem(&self) -> &str {
        &self.problem
    }

    pub(super) fn show(&self) -> status::Rejected {
        status::Rejected { set: self.set.fingerprint, at: self.at, reason: self.problem.clone() }
    }
}

fn problem(Set { fingerprint, snapshot }: &Set, why: &str, good: &Snapshot) -> String {
    let changes = plan::diff(good, snapshot);
    let differs = names(changes.iter().map(|(variable, _)| variable));
    format!(
        "set {fingerprint} was rejected (it differs in {differs}): {why}; the last good one is used until there is \
         another"
    )
}
