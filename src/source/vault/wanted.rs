//! What is wanted of vaults, and what that comes to once their lists are known.

use super::list::{List, Listed};
use crate::{
    config::{Binding, Config, Selection},
    ordered::Ordered as _,
    reference::{ObjectId, Origin, VaultUrl},
    selection::{Chosen, newest_first},
};
use std::collections::{BTreeMap, BTreeSet};

/// What is wanted of vaults.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Objects that are named.
    pub objects: BTreeSet<ObjectId>,
    /// Secrets that are found by listing.
    pub selections: Vec<Selection>,
    /// How many previous versions of a secret are wanted besides its latest.
    pub histories: BTreeMap<ObjectId, u8>,
}

impl Wanted {
    /// What a configuration may need of vaults.
    pub fn of(config: &Config) -> Self {
        let id = |binding: &Binding| match &binding.reference.origin {
            Origin::Vault(id) | Origin::MountElseVault(_, id) => Some(id.clone()),
            Origin::Mount(_) => None,
        };
        let histories = config.env.iter().filter(|binding| binding.history > 0);
        let histories = histories.filter_map(|binding| Some((id(binding)?, binding.history)));
        let mut wanted = Self {
            objects: config.env.iter().filter_map(id).into_set(),
            selections: config.env_from.clone(),
            histories: BTreeMap::new(),
        };
        for (id, count) in histories {
            // Two variables may want histories of different lengths.
            let longest = wanted.histories.entry(id).or_default();
            *longest = count.max(*longest);
        }
        wanted
    }

    /// Whether no vault is needed.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.selections.is_empty()
    }

    /// The same for each vault by itself.
    pub(super) fn by_vault(&self) -> BTreeMap<VaultUrl, Self> {
        let mut vaults: BTreeMap<VaultUrl, Self> = BTreeMap::new();
        let mut of =
            |vault: &VaultUrl, add: &dyn Fn(&mut Self)| add(vaults.entry(vault.clone()).or_default());
        for id in &self.objects {
            of(&id.vault, &|wanted| {
                wanted.objects.insert(id.clone());
            });
        }
        for selection in &self.selections {
            of(&selection.vault, &|wanted| wanted.selections.push(selection.clone()));
        }
        for (id, count) in &self.histories {
            of(&id.vault, &|wanted| {
                wanted.histories.insert(id.clone(), *count);
            });
        }
        vaults
    }

    /// The lists that are needed.
    pub(super) fn lists(&self) -> BTreeSet<List> {
        let names = self.selections.iter().map(|selection| List::Secrets(selection.vault.clone()));
        names.chain(self.histories.keys().cloned().map(List::Versions)).into_set()
    }

    /// All objects that are needed, where the lists are as given.
    ///
    /// Of a history one more version is read than wanted: the list does not say for sure which is the latest.
    pub(super) fn objects<'l>(&self, list: impl Fn(&List) -> Option<&'l [Listed]>) -> BTreeSet<ObjectId> {
        let mut objects = self.objects.clone();
        for selection in &self.selections {
            let entries = list(&List::Secrets(selection.vault.clone())).unwrap_or_default();
            let names = Chosen::of(selection, entries).variables.into_values();
            objects.extend(names.map(|name| selection.id(&name)));
        }
        for (id, count) in &self.histories {
            let entries = list(&List::Versions(id.clone())).unwrap_or_default();
            let newest = newest_first(entries).into_iter().take(usize::from(*count) + 1);
            let versions = newest.filter(|entry| entry.version.is_some());
            objects.extend(versions.map(|entry| ObjectId { version: entry.version.clone(), ..id.clone() }));
        }
        objects
    }
}
