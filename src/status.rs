//! What the agent tells about itself: a plain value that the loop replaces and the server shows.
//!
//! Nothing in it is a secret, by construction: no field can hold a [`crate::secret::SecretValue`].

use crate::{
    log::timestamp,
    snapshot::{Provenance, Snapshot},
    source::vault::Answers,
};
use serde::{Serialize, Serializer};
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
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
    /// Passes of the loop.
    pub passes: u64,
    /// Passes that found another set than the one before.
    pub changes: u64,
    /// Reactions that succeeded.
    pub reactions: u64,
    /// Reactions that failed and were or will be tried again.
    pub failed_reactions: u64,
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
pub struct ChildStatus {
    /// Its process id.
    pub pid: i32,
    /// How often it was started anew because of a change.
    pub restarts: u64,
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
        self.variables = variables.collect();
        self.skipped.clone_from(&snapshot.skipped);
    }

    /// Prometheus' text format.
    pub fn metrics(&self) -> String {
        let mut out = String::with_capacity(2048);
        let mut family = |name: &str, kind: &str, help: &str, samples: &[(String, u64)]| {
            if samples.is_empty() {
                return;
            }
            let _ = writeln!(out, "# HELP akv_agent_{name} {help}\n# TYPE akv_agent_{name} {kind}");
            for (labels, value) in samples {
                let _ = writeln!(out, "akv_agent_{name}{labels} {value}");
            }
        };
        let plain = |value: u64| vec![(String::new(), value)];
        let build = format!("{{version=\"{}\",use=\"{}\"}}", self.version, self.r#use);
        family("build_info", "gauge", "The agent itself.", &[(build, 1)]);
        family("ready", "gauge", "Whether the first complete set is out.", &plain(self.ready.into()));
        family("problems", "gauge", "Problems at present.", &plain(self.problems.len() as u64));
        family(
            "skipped_secrets",
            "gauge",
            "Secrets that envFrom left out.",
            &plain(self.skipped.len() as u64),
        );
        family("passes_total", "counter", "Passes of the loop.", &plain(self.passes));
        family("changes_total", "counter", "Passes that found another set.", &plain(self.changes));
        let reactions = [("success", self.reactions), ("failure", self.failed_reactions)]
            .map(|(result, count)| (format!("{{result=\"{result}\"}}"), count));
        family("reactions_total", "counter", "Reactions, by result.", &reactions);
        if let Some(vault) = &self.vault {
            family("vault_requests_total", "counter", "Requests sent to vaults.", &plain(vault.requests));
            let answers = vault.answers.iter().map(|((host, status), count)| {
                let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
                (format!("{{host=\"{host}\",code=\"{status}\"}}"), *count)
            });
            let help = "Requests to vaults and token endpoints, by status; none without an answer.";
            family("http_requests_total", "counter", help, &answers.collect::<Vec<_>>());
            let last = plain(unix(vault.last_success));
            family(
                "vault_last_success_timestamp_seconds",
                "gauge",
                "When every wanted secret last had an answer.",
                &last,
            );
        }
        if let Some(child) = &self.child {
            family(
                "child_restarts_total",
                "counter",
                "Restarts because of a change.",
                &plain(child.restarts),
            );
        }
        let stale = self.variables.iter().filter_map(|(name, variable)| {
            Some((format!("{{variable=\"{name}\"}}"), variable.stale?.into()))
        });
        family(
            "mount_stale",
            "gauge",
            "Whether the mount has stayed behind the vault for too long.",
            &stale.collect::<Vec<_>>(),
        );
        let by_variable = |value: fn(&Variable) -> Option<SystemTime>| -> Vec<_> {
            let samples = self.variables.iter().filter_map(|(name, variable)| {
                Some((format!("{{variable=\"{name}\"}}"), unix(Some(value(variable)?))))
            });
            samples.collect()
        };
        family(
            "variable_changed_timestamp_seconds",
            "gauge",
            "When another value was last seen.",
            &by_variable(|variable| variable.changed),
        );
        family(
            "variable_expires_timestamp_seconds",
            "gauge",
            "When the secret expires.",
            &by_variable(|variable| variable.expires),
        );
        family(
            "mount_behind_since_timestamp_seconds",
            "gauge",
            "Since when the vault is known to have another value than the mount.",
            &by_variable(|variable| variable.behind_since),
        );
        out
    }
}

fn unix(at: Option<SystemTime>) -> u64 {
    at.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map_or(0, |since| since.as_secs())
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
