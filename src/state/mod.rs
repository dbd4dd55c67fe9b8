//! What the running app was given, remembered beyond the agent's own end, so that the next agent tells the app
//! of what changed in between and of nothing else.
//!
//! [`State`] decides purely; [`file`] keeps it on disk; [`Keeper`] is what the loop uses.

pub mod file;
mod keeper;

pub use keeper::{Keeper, place};

use crate::{
    config::EnvName,
    fingerprint::{Fingerprint, Key},
    ordered::Ordered as _,
    snapshot::Snapshot,
};
use std::collections::{BTreeMap, BTreeSet};

/// By variable, the fingerprint of the value that the app was started with or told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    key: Key,
    given: BTreeMap<EnvName, Fingerprint>,
}

impl State {
    /// That of an app that was given nothing.
    pub fn empty() -> Self {
        Self { key: Key::random(), given: BTreeMap::new() }
    }

    /// Under which its fingerprints are made.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// The variables of which the app was given another value than the set has, those included that are new or
    /// gone.
    pub fn missed(&self, snapshot: &Snapshot) -> BTreeSet<EnvName> {
        let entries = &snapshot.entries;
        let differs = entries.iter().filter(|entry| {
            self.given.get(&entry.variable) != Some(&self.key.value(&entry.variable, &entry.value))
        });
        let gone = self.given.keys().filter(|name| !has(snapshot, name));
        differs.map(|entry| &entry.variable).chain(gone).cloned().into_set()
    }

    /// The app has the set now, all but the variables of which it has still to be told: those it will have missed
    /// if nobody does. Says whether that is news.
    pub fn give(&mut self, snapshot: &Snapshot, owed: &BTreeSet<EnvName>) -> bool {
        let before = self.given.clone();
        self.given.retain(|name, _| owed.contains(name) || has(snapshot, name));
        for entry in &snapshot.entries {
            let fingerprint = self.key.value(&entry.variable, &entry.value);
            if !owed.contains(&entry.variable) {
                self.given.insert(entry.variable.clone(), fingerprint);
            } else if self.given.get(&entry.variable) == Some(&fingerprint) {
                // A value that is back before the app was told of another: it may have started with the other.
                self.given.remove(&entry.variable);
            }
        }
        self.given != before
    }

    /// What the app was given is not known.
    pub fn forget(&mut self) {
        self.given.clear();
    }
}

fn has(snapshot: &Snapshot, name: &EnvName) -> bool {
    snapshot.entries.binary_search_by(|entry| entry.variable.cmp(name)).is_ok()
}

#[cfg(test)]
mod tests;
