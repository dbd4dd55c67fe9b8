//! Where the pollers publish and the main loop reads.

use super::{
    Answers, ListState, SecretState, VaultError, VaultObservation, VaultSecret, list::List, wanted::Wanted,
};
use crate::{
    ordered::Ordered as _,
    reference::{ObjectId, VaultUrl},
    wake::Waker,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

/// What is known of all vaults. Each vault's poller replaces its own part.
#[derive(Debug)]
pub(super) struct Board {
    state: Mutex<State>,
    waker: Waker,
}

#[derive(Debug)]
struct State {
    observation: Arc<VaultObservation>,
    vaults: BTreeMap<VaultUrl, VaultStatus>,
}

/// What is known of one vault as a whole.
#[derive(Debug, Clone, Default)]
pub(super) struct VaultStatus {
    /// Tries that ended.
    pub(super) rounds: u64,
    /// The request to refresh that has been met last.
    pub(super) refreshed: u64,
    /// When last every secret had an answer.
    pub(super) last_success: Option<SystemTime>,
    /// Why the newest try failed as a whole.
    pub(super) problem: Option<VaultError>,
}

impl Board {
    pub(super) fn new<'v>(wanted: &Wanted, vaults: impl Iterator<Item = &'v VaultUrl>, waker: Waker) -> Self {
        let secrets = wanted.objects.iter().map(|id| (id.clone(), SecretState::default())).into_map();
        let lists = wanted.lists().into_iter().map(|list| (list, ListState::default())).into_map();
        let vaults = vaults.map(|vault| (vault.clone(), VaultStatus::default())).into_map();
        let observation = Arc::new(VaultObservation { secrets, lists, ..VaultObservation::default() });
        Self { state: Mutex::new(State { observation, vaults }), waker }
    }

    pub(super) fn latest(&self) -> Arc<VaultObservation> {
        Arc::clone(&self.state().observation)
    }

    /// Publishes what one vault's try found, and wakes the loop if that means anything to it.
    pub(super) fn publish(
        &self,
        vault: &VaultUrl,
        status: VaultStatus,
        mut secrets: BTreeMap<ObjectId, SecretState>,
        mut lists: BTreeMap<List, ListState>,
        (requests, answers): (u64, Answers),
    ) {
        let changed = {
            let mut state = self.state();
            state.vaults.insert(vault.clone(), status);
            let old = &state.observation;
            let others = old.secrets.iter().filter(|(id, _)| id.vault != *vault);
            secrets.extend(others.map(|(id, state)| (id.clone(), state.clone())));
            let others = old.lists.iter().filter(|(list, _)| list.vault() != vault);
            lists.extend(others.map(|(list, state)| (list.clone(), state.clone())));
            let observation =
                Arc::new(VaultObservation { secrets, lists, requests, answers, ..summary(&state.vaults) });
            let changed = means_something_new(&state.observation, &observation);
            state.observation = observation;
            changed
        };
        if changed {
            self.waker.wake();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All vaults as one: as many rounds and as recent a success as the one that has least.
fn summary(vaults: &BTreeMap<VaultUrl, VaultStatus>) -> VaultObservation {
    let rounds = vaults.values().map(|vault| vault.rounds).min().unwrap_or_default();
    VaultObservation {
        rounds,
        refreshed: vaults.values().map(|vault| vault.refreshed).min().unwrap_or_default(),
        // `None` is less than any time, and one vault without a success is none for the whole.
        last_success: vaults.values().map(|vault| vault.last_success).min().flatten(),
        // Not before each vault has been asked: one's failure says nothing about another's secrets.
        problem: vaults.values().find_map(|vault| vault.problem.clone()).filter(|_| rounds > 0),
        ..VaultObservation::default()
    }
}

/// Whether the loop must look: time stamps and counters alone are no reason, unless somebody waits for them.
fn means_something_new(old: &VaultObservation, new: &VaultObservation) -> bool {
    let same_good = |old: &Option<VaultSecret>, new: &Option<VaultSecret>| match (old, new) {
        (Some(old), Some(new)) => {
            old.version == new.version
                && old.value == new.value
                && old.expires == new.expires
                && old.not_before == new.not_before
        }
        (old, new) => old.is_none() && new.is_none(),
    };
    let same_secret =
        |((old_id, old), (new_id, new)): ((&ObjectId, &SecretState), (&ObjectId, &SecretState))| {
            old_id == new_id && old.problem == new.problem && same_good(&old.good, &new.good)
        };
    (old.rounds == 0) != (new.rounds == 0)
        || old.refreshed != new.refreshed
        || old.problem != new.problem
        || old.lists != new.lists
        || old.secrets.len() != new.secrets.len()
        || !old.secrets.iter().zip(&new.secrets).all(same_secret)
}
