//! Which secrets of a vault's list a selection means, and which variables they become. Pure: the poller asks it
//! what to read, the snapshot asks it what to call that.

use crate::{
    config::{EnvName, Selection},
    reference::{Collection, ObjectId, ObjectName},
    source::vault::Listed,
};
use std::{cmp::Reverse, collections::BTreeMap};

/// What a selection means at present.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The variables, each with its secret.
    pub variables: BTreeMap<EnvName, ObjectName>,
    /// What was left out, and why; a line each.
    pub skipped: Vec<String>,
    /// Secrets that would become the same variable; a line each.
    pub collisions: Vec<String>,
}

impl Chosen {
    /// Chooses among the entries of a list of secrets.
    pub fn of<'a>(selection: &Selection, list: impl IntoIterator<Item = &'a Listed>) -> Self {
        let mut chosen = Self::default();
        for entry in list.into_iter().filter(|entry| selection.is_meant(entry)) {
            let id = selection.id(&entry.name);
            if let Some(why) = entry.unusable {
                chosen.skipped.push(format!("{id} {why} and is left out"));
                continue;
            }
            let Some(variable) = selection.naming.variable(&entry.name, selection.prefix.len()) else {
                chosen
                    .skipped
                    .push(format!("{id} cannot become a variable's name and is left out; see `naming`"));
                continue;
            };
            if let Some(other) = chosen.variables.insert(variable.clone(), entry.name.clone()) {
                let other = selection.id(&other);
                chosen
                    .collisions
                    .push(format!("{variable}: both {other} and {id} would be it; see `naming`"));
            }
        }
        chosen
    }
}

impl Selection {
    /// The secret of this name.
    pub fn id(&self, name: &ObjectName) -> ObjectId {
        let (vault, collection) = (self.vault.clone(), Collection::Secrets);
        ObjectId { vault, collection, name: name.clone(), version: None }
    }

    /// Whether the selection is about this entry. What stands behind a certificate is no value for a variable
    /// unless somebody says which part of it.
    fn is_meant(&self, entry: &Listed) -> bool {
        let name = entry.name.as_str();
        let start = name.get(..self.prefix.len()).unwrap_or_default();
        !entry.managed
            && start.eq_ignore_ascii_case(&self.prefix)
            && self.tags.iter().all(|(tag, value)| entry.tags.get(tag) == Some(value))
    }
}

/// The versions of a list from the newest to the oldest, without those that are not in use.
pub fn newest_first(list: &[Listed]) -> Vec<&Listed> {
    let mut versions: Vec<_> = list.iter().filter(|entry| entry.unusable.is_none()).collect();
    versions.sort_by_key(|entry| Reverse(entry.created));
    versions
}

#[cfg(test)]
mod tests;
