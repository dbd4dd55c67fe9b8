//! Key Vault as a source: asks for the wanted secrets, keeps the last good answer, wakes the loop on a change.
//!
//! The work happens on the background thread ([`crate::background`]); the loop reads what was last observed
//! with [`VaultSource::latest`], which never waits.

use crate::{
    failure::Class,
    reference::{SecretId, SecretVersion},
    secret::SecretValue,
};
use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

/// What is known of all wanted secrets; immutable, replaced as a whole.
#[derive(Debug, Default)]
pub struct VaultObservation {
    /// One entry for every wanted secret.
    pub secrets: BTreeMap<SecretId, SecretState>,
    /// Rounds that ended, well or badly. Zero: nothing is known yet.
    pub rounds: u64,
    /// When a round last got an answer for every secret.
    pub last_success: Option<SystemTime>,
    /// Why the newest round failed as a whole (identity, network, throttling); `None` after a good one.
    pub problem: Option<VaultError>,
    /// Requests sent to vaults so far, without those to token endpoints.
    pub requests: u64,
}

/// What is known of one secret.
#[derive(Debug, Clone, Default)]
pub struct SecretState {
    /// The last good answer, kept through any failure.
    pub good: Option<VaultSecret>,
    /// Why the newest answer for this secret was not good (disabled, deleted, forbidden).
    pub problem: Option<VaultError>,
}

/// One answer of the vault.
#[derive(Debug, Clone)]
pub struct VaultSecret {
    /// The value.
    pub value: SecretValue,
    /// The version that the vault named.
    pub version: SecretVersion,
    /// `exp`: informational in Key Vault.
    pub expires: Option<SystemTime>,
    /// `nbf`: informational in Key Vault.
    pub not_before: Option<SystemTime>,
    /// When this answer was read.
    pub read: SystemTime,
}

/// Why the vault, or the way to it, gave no value. One line, without a value, naming the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultError {
    /// How the agent ends if this lasts until the deadline.
    pub class: Class,
    /// Whether waiting can help. A configuration error cannot be waited out.
    pub transient: bool,
    /// What happened, to what, and what to do.
    pub message: Arc<str>,
}
