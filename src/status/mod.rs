//! What the agent tells about itself: a plain value that the loop replaces and the server shows.
//!
//! Nothing in it is a secret, by construction: no field can hold a [`crate::secret::SecretValue`].

mod metrics;

use crate::{
    config::Target,
    fingerprint::Fingerprint,
    log::timestamp,
    ordered::Ordered as _,
    reaction::preflight::{Outlook, Report, preflight},
    snapshot::{Provenance, Snapshot},
    source::vault::Answers,
};
use serde::{Serialize, Serializer};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

/// The agent's state, as `/v1/status` shows it.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// `sidecar` or `exec`.
    pub r#use: &'static str,
    /// The agent's version.
    pub version: &'static str,
    /// Whether the first complete set is there and out.
    pub ready: bool,
    /// One entry a variable, by name.
    pub variables: BTreeMap<String, Variable>,
    /// What is wrong at present, one line each.
    pub problems: Vec<String>,
    /// What `envFrom` left out, one line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
    /// The mount, if one is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mount: Option<MountStatus>,
    /// The vaults, if any is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vault: Option<VaultStatus>,
    /// The child, in `exec`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child: Option<ChildStatus>,
    /// Whom a sidecar signals, if anybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetStatus>,
    /// Refreshes that were asked for, by a request or by SIGHUP.
    pub refreshes: u64,
    /// Passes of the loop.
    pub passes: u64,
    /// Passes that found another set than the one before.
    pub changes: u64,
    /// Reactions that succeeded.
    pub reactions: u64,
    /// Reactions that failed and were or will be tried again.
    pub failed_reactions: u64,
    /// The same, by kind.
    #[serde(skip)]
    pub reactions_by_kind: BTreeMap<&'static str, Tally>,
    /// What was seen of the app after reactions that are verified.
    pub verifications: Tally,
    /// How the last of these went, if it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unverified: Option<String>,
    /// The set that is out.
    #[serde(serialize_with = "short", skip_serializing_if = "Option::is_none")]
    pub set: Option<Fingerprint>,
    /// A set that was tried and is not used, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rejected: Option<Rejected>,
    /// How often the last good set was brought back.
    pub rollbacks: u64,
    /// Reactions that are still to be carried out, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub owed: Vec<Owed>,
}

/// Whom a sidecar signals, and whether that would work now.
#[derive(Debug, Clone, Serialize)]
pub struct TargetStatus {
    /// The target's short form.
    pub target: String,
    /// `reachable`, `absent` or `unreachable`.
    pub state: &'static str,
    /// The processes that a signal would reach.
    pub pids: Vec<i32>,
    /// The same for people, with the remedy if there is one.
    pub detail: String,
}

impl TargetStatus {
    /// As it is now.
    pub fn now(target: &Target) -> Self {
        let Report { outlook, pids, text } = preflight(target);
        let state = match outlook {
            Outlook::Reachable => "reachable",
            Outlook::Absent => "absent",
            Outlook::Unreachable(_) => "unreachable",
        };
        Self { target: target.to_string(), state, pids, detail: text }
    }
}

/// How often something went well, and how often not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Well.
    pub success: u64,
    /// Not.
    pub failure: u64,
}

impl Tally {
    fn count(&mut self, went_well: bool) {
        *(if went_well { &mut self.success } else { &mut self.failure }) += 1;
    }
}

/// A set that a child could not live with.
#[derive(Debug, Clone, Serialize)]
pub struct Rejected {
    /// Which.
    #[serde(serialize_with = "digits")]
    pub set: Fingerprint,
    /// Since when.
    #[serde(serialize_with = "moment")]
    pub at: SystemTime,
    /// Why, and in what it differs.
    pub reason: String,
}

/// One reaction that is owed.
#[derive(Debug, Clone, Serialize)]
pub struct Owed {
    /// What is to be done.
    pub reaction: String,
    /// For the changes of these variables.
    pub variables: Vec<String>,
    /// Why it has not been done yet, if that was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One variable.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Variable {
    /// Where its value comes from.
    pub source: String,
    /// The vault's version of it, where the vault told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When the secret expires.
    #[serde(serialize_with = "time", skip_serializing_if = "Option::is_none")]
    pub expires: Option<SystemTime>,
    /// When the agent last saw another value than before; the start counts.
    #[serde(serialize_with = "time")]
    pub changed: Option<SystemTime>,
    /// Why this is only the last good value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Whether the mount has stayed behind the vault for too long, where the two are compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale: Option<bool>,
    /// Since when the vault is known to have another value than the mount.
    #[serde(serialize_with = "time", skip_serializing_if = "Option::is_none")]
    pub behind_since: Option<SystemTime>,
}

/// The mount.
#[derive(Debug, Clone, Serialize)]
pub struct MountStatus {
    /// What `..data` points to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<String>,
    /// `inotify` or `poll`.
    pub watch: &'static str,
}

/// The vaults together.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VaultStatus {
    /// Requests sent to vaults.
    pub requests: u64,
    /// Requests to vaults and token endpoints, by host and status of the answer (`none` without one).
    #[serde(skip)]
    pub answers: Answers,
    /// When every wanted secret last had an answer.
    #[serde(serialize_with = "time")]
    pub last_success: Option<SystemTime>,
}

/// The child of `exec`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChildStatus {
    /// Its process id.
    pub pid: i32,
    /// Since when it runs.
    #[serde(serialize_with = "moment")]
    pub started: SystemTime,
    /// The set that it was started with or told of.
    #[serde(serialize_with = "short", skip_serializing_if = "Option::is_none")]
    pub set: Option<Fingerprint>,
    /// Whether that set has still to prove itself.
    pub on_probation: bool,
    /// How often it was started anew.
    pub restarts: u64,
}

/// As people see it; in full it is for the state file only.
fn digits<S: Serializer>(set: &Fingerprint, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(set)
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn short<S: Serializer>(set: &Option<Fingerprint>, serializer: S) -> Result<S::Ok, S::Error> {
    set.map(|set| set.to_string()).serialize(serializer)
}

fn moment<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    timestamp(*at).serialize(serializer)
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn time<S: Serializer>(at: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(timestamp).serialize(serializer)
}

impl Status {
    /// Takes over a set that is out; `changed` names the variables with another value.
    pub fn adopt(&mut self, snapshot: &Snapshot, now: SystemTime, changed: impl Fn(&str) -> bool) {
        let variables = snapshot.entries.iter().map(|entry| {
            let name = entry.variable.to_string();
            let before = self.variables.get(&name).and_then(|variable| variable.changed);
            let changed = before.filter(|_| !changed(&name)).or(Some(now));
            let mut variable = Variable {
                source: entry.provenance.to_string(),
                version: None,
                expires: None,
                changed,
                problem: None,
                stale: None,
                behind_since: None,
            };
            if let Provenance::Vault { id, version, expires, problem, .. } = &entry.provenance {
                variable.source.clone_from(id);
                variable.version = Some(version.clone());
                variable.expires = *expires;
                variable.problem.clone_from(problem);
            }
            (name, variable)
        });
        self.variables = variables.into_map();
        self.skipped.clone_from(&snapshot.skipped);
    }

    /// A reaction of this kind was carried out, or failed.
    pub fn reacted(&mut self, kind: &'static str, went_well: bool) {
        *(if went_well { &mut self.reactions } else { &mut self.failed_reactions }) += 1;
        self.reactions_by_kind.entry(kind).or_default().count(went_well);
    }

    /// It was seen whether the app took a change.
    pub fn verified(&mut self, problem: Option<&String>) {
        self.verifications.count(problem.is_none());
        self.unverified = problem.cloned();
    }
}

/// Where the loop puts its status and the server finds it.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<Mutex<Status>>);

impl Board {
    /// Access to the status. Hold it for a moment only: the main loop waits for it.
    pub fn lock(&self) -> MutexGuard<'_, Status> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
