//! Which set is which: the newest, those that the child has, and those that are good. Pure.
//!
//! Whatever a running child is told, its environment stays what it was started with. So there are two ways for a
//! set to be good. A child has lived with it: that is the one to go back to, if a child can be started with it.
//! Or a child was started with it and lived, and then it can.

use crate::{config::EnvName, fingerprint::Fingerprint, plan, snapshot::Snapshot};
use std::{collections::BTreeSet, rc::Rc};

/// A set, and what it is known by.
#[derive(Debug)]
pub struct Set {
    /// Tells it from others.
    pub fingerprint: Fingerprint,
    /// Its values.
    pub snapshot: Snapshot,
}

impl PartialEq for Set {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

/// The sets that matter to a supervisor. Most of the time they are one.
#[derive(Debug, Default)]
pub struct Sets {
    /// What the next child gets.
    newest: Option<Rc<Set>>,
    /// What the child was started with.
    started: Option<Rc<Set>>,
    /// What it was started with or told of.
    given: Option<Rc<Set>>,
    /// The last one that a child lived with, however it got it.
    lived: Option<Rc<Set>>,
    /// The last one that a child was started with and lived.
    proven: Option<Rc<Set>>,
    /// Whether the child was told of one after the other, and may not live with one before the last.
    is_in_doubt: bool,
}

impl Sets {
    /// There is a new one, or the same once more.
    pub(super) fn adopt(&mut self, snapshot: &Snapshot, fingerprint: Fingerprint) {
        if self.newest.as_ref().is_none_or(|newest| newest.fingerprint != fingerprint) {
            self.newest = Some(Rc::new(Set { fingerprint, snapshot: snapshot.clone() }));
        }
    }

    /// The newest is good enough for a start: there is no other.
    pub(super) fn trust(&mut self) {
        self.proven.clone_from(&self.newest);
        self.lived.clone_from(&self.newest);
    }

    /// A child is started with the newest. Says whether that has proved itself.
    pub(super) fn start(&mut self) -> bool {
        self.started.clone_from(&self.newest);
        self.given.clone_from(&self.newest);
        self.is_in_doubt = false;
        let is_proven = self.started == self.proven;
        if is_proven {
            self.lived.clone_from(&self.proven);
        }
        is_proven
    }

    /// The child is told of the newest. Says whether it lives with that already.
    pub(super) fn tell(&mut self) -> bool {
        self.is_in_doubt |= self.given != self.newest && self.given != self.lived;
        self.given.clone_from(&self.newest);
        self.given == self.lived
    }

    /// The child has lived with all that it was given.
    pub(super) fn accept(&mut self) {
        self.proven.clone_from(&self.started);
        self.lived.clone_from(&self.given);
        self.is_in_doubt = false;
    }

    /// The child lives, and needs nothing of the newest.
    pub(super) fn accept_beside(&mut self) {
        self.lived.clone_from(&self.newest);
    }

    /// The child has not lived with what it was given. What is left to go back to is another set than that, unless
    /// there is no other.
    pub(super) fn reject(&mut self) {
        if self.lived == self.started || self.lived == self.given {
            self.lived.clone_from(&self.proven);
        }
    }

    /// What the next child gets.
    pub fn newest(&self) -> Option<&Rc<Set>> {
        self.newest.as_ref()
    }

    /// The one to go back to.
    pub fn good(&self) -> Option<&Rc<Set>> {
        self.lived.as_ref()
    }

    /// What the child was started with or told of.
    pub(super) fn given(&self) -> Option<Fingerprint> {
        self.given.as_ref().map(|set| set.fingerprint)
    }

    /// Whether that is the newest.
    pub fn has_newest(&self) -> bool {
        self.given.is_some() && self.given == self.newest
    }

    /// Whether it is the newest that the child has failed with. If it was only told of that, it may have been one
    /// before: the one that it was started with, or one that it was told of.
    pub fn has_tried_newest(&self) -> bool {
        let is_the_only_suspect = self.started == self.proven && !self.is_in_doubt;
        self.has_newest() && (self.started == self.newest || is_the_only_suspect)
    }

    /// Whether the child was started with the newest values of `variables`, and was told of no others.
    pub(super) fn has_values(&self, variables: &BTreeSet<EnvName>) -> bool {
        let (Some(newest), Some(started), Some(given)) = (&self.newest, &self.started, &self.given) else {
            return false;
        };
        [started, given].into_iter().all(|set| {
            let changes = plan::diff(&set.snapshot, &newest.snapshot);
            changes.iter().all(|(variable, _)| !variables.contains(variable))
        })
    }
}

#[cfg(test)]
mod tests;
