//! Where the pollers publish and the main loop reads.

use super::{SecretState, VaultError, VaultObservation, VaultSecret};
use crate::{
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
    /// When last every secret had an answer.
    pub(super) last_success: Option<SystemTime>,
    /// Why the newest try failed as a whole.
    pub(super) problem: Option<VaultError>,
}

impl Board {
    pub(super) fn new(wanted: &[ObjectId], waker: Waker) -> Self {
        let secrets = wanted.iter().map(|id| (id.clone(), SecretState::default())).collect();
        let vaults = wanted.iter().map(|id| (id.vault.clone(), VaultStatus::default())).collect();
        let observation = Arc::new(VaultObservation { secrets, ..VaultObservation::default() });
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
        secrets: impl Iterator<Item = (ObjectId, SecretState)>,
        requests: u64,
    ) {
        let changed = {
            let mut state = self.state();
            state.vaults.insert(vault.clone(), status);
            let mut all = state.observation.secrets.clone();
            all.extend(secrets);
            let observation = Arc::new(VaultObservation { secrets: all, requests, ..summary(&state.vaults) });
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
        // `None` is less than any time, and one vault without a success is none for the whole.
        last_success: vaults.values().map(|vault| vault.last_success).min().flatten(),
        // Not before each vault has been asked: one's failure says nothing about another's secrets.
        problem: vaults.values().find_map(|vault| vault.problem.clone()).filter(|_| rounds > 0),
        ..VaultObservation::default()
    }
}

/// Whether the loop must look: time stamps and counters alone are no reason.
fn means_something_new(old: &VaultObservation, new: &VaultObservation) -> bool {
    let same_good = |old: &Option<VaultSecret>, new: &Option<VaultSecret>| match (old, new) {
        (Some(old), Some(new)) => {
            old.version == new.version && old.value == new.value && old.expires == new.expires
        }
        (old, new) => old.is_none() && new.is_none(),
    };
    let same_secret = |(old, new): (&SecretState, &SecretState)| {
        old.problem == new.problem && same_good(&old.good, &new.good)
    };
    (old.rounds == 0) != (new.rounds == 0)
        || old.problem != new.problem
        || !old.secrets.values().zip(new.secrets.values()).all(same_secret)
}
