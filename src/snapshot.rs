//! The observed set: every variable with its value and where it came from. Built purely from what the
//! sources observed; complete or not at all.

use crate::{
    certificate,
    config::{Binding, Config, EnvName, Selection},
    failure::{Class, chain},
    ordered::Ordered as _,
    public_key,
    reference::{MountPath, ObjectId, Origin, Part, Reference},
    secret::SecretValue,
    selection::{Chosen, newest_first},
    source::{
        mount::{MountError, MountSet},
        vault::{List, ListState, Listed, SecretState, VaultError, VaultObservation},
    },
    stale::Tracker,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fmt,
    sync::Arc,
    time::SystemTime,
};

/// One complete set, sorted by variable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// One entry for every variable that is configured or found.
    pub entries: Vec<Entry>,
    /// What a selection left out, and why; a line each.
    pub skipped: Vec<String>,
}

/// What could be resolved, and what could not.
#[derive(Debug, Default)]
pub struct Resolved {
    /// The variables that have a value.
    pub snapshot: Snapshot,
    /// What has none.
    pub missing: Vec<Missing>,
}

impl Resolved {
    /// The set, if nothing is missing from it.
    pub fn complete(self) -> Result<Snapshot, Vec<Missing>> {
        if self.missing.is_empty() { Ok(self.snapshot) } else { Err(self.missing) }
    }
}

/// One variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub variable: EnvName,
    /// Its value.
    pub value: SecretValue,
    /// Where that came from.
    pub provenance: Provenance,
}

/// Where a value came from, as far as it may be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provenance {
    /// A file of the mount.
    Mount {
        /// Relative to the mount.
        file: String,
    },
    /// A secret of a vault.
    Vault {
        /// Address of the secret, without its version.
        id: String,
        /// The version that was read.
        version: String,
        /// When the secret expires.
        expires: Option<SystemTime>,
        /// When it is to be used from.
        not_before: Option<SystemTime>,
        /// Why this is only the last good value.
        problem: Option<String>,
    },
}

/// Why one variable has no value, or why nobody knows which variables there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The variable, or what it would be found by.
    pub what: String,
    /// Why.
    pub reason: Reason,
}

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Decides the exit code if it lasts.
    pub class: Class,
    /// What waiting can do about it.
    pub outlook: Outlook,
    /// What is wrong and what to do; never a value.
    pub text: String,
}

/// What waiting can do about a missing value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outlook {
    /// Nothing is wrong: the source has not answered yet.
    Pending,
    /// It may pass.
    Transient,
    /// Somebody has to change something in the configuration.
    Hopeless,
}

impl Reason {
    fn new(class: Class, outlook: Outlook, text: impl Into<String>) -> Self {
        Self { class, outlook, text: text.into() }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.reason.text)
    }
}

/// What the sources observed, as one pass sees it.
#[derive(Debug, Default)]
pub struct Observed<'a> {
    /// Whether a set of the mount has been read before.
    pub mount_was_read: bool,
    /// The mount, if one is configured.
    pub mount: Option<&'a Result<MountSet, MountError>>,
    /// The vaults, if any is asked.
    pub vault: Option<&'a VaultObservation>,
    /// Which files of the mount are stale, if that is looked at.
    pub stale: Option<&'a Tracker>,
}

/// A value that was found, or why not.
type Found = Result<(SecretValue, Provenance), Reason>;

impl Snapshot {
    /// Resolves all that a configuration names, and all that its selections find.
    pub fn resolve(config: &Config, observed: &Observed<'_>) -> Resolved {
        let mut resolving =
            Resolving { observed, found: BTreeMap::new(), skipped: BTreeSet::new(), missing: Vec::new() };
        for binding in &config.env {
            resolving.binding(binding);
        }
        let named: BTreeSet<_> = resolving
            .found
            .keys()
            .cloned()
            .chain(config.env.iter().map(|binding| binding.variable.clone()))
            .into_set();
        resolving.selections(&config.env_from, &named);
        resolving.end()
    }
}

/// A set that is being put together.
struct Resolving<'o> {
    observed: &'o Observed<'o>,
    found: BTreeMap<EnvName, (SecretValue, Provenance)>,
    skipped: BTreeSet<String>,
    missing: Vec<Missing>,
}

impl Resolving<'_> {
    fn end(self) -> Resolved {
        let entry = |(variable, (value, provenance))| Entry { variable, value, provenance };
        let entries = self.found.into_iter().map(entry).collect();
        let snapshot = Snapshot { entries, skipped: self.skipped.into_iter().collect() };
        Resolved { snapshot, missing: self.missing }
    }

    fn put(&mut self, variable: EnvName, found: Found) {
        match found {
            Ok(found) => drop(self.found.insert(variable, found)),
            Err(reason) => self.missing.push(Missing { what: variable.to_string(), reason }),
        }
    }

    fn binding(&mut self, binding: &Binding) {
        self.put(binding.variable.clone(), self.observed.value(&binding.reference));
        if let Origin::Vault(id) = &binding.reference.origin
            && binding.history > 0
        {
            match self.observed.previous(id) {
                Ok(previous) => {
                    for (place, id) in (1..=binding.history).zip(previous) {
                        let origin = Origin::Vault(id);
                        let reference = Reference { origin, part: binding.reference.part.clone() };
                        let found = self.observed.value(&reference).map_err(Reason::passing);
                        self.put(binding.variable.previous(place), found);
                    }
                }
                Err(reason) => {
                    let what = format!("previous versions of {}", binding.variable);
                    self.missing.push(Missing { what, reason });
                }
            }
        }
    }

    /// Variables that are named win over those that are found.
    fn selections(&mut self, selections: &[Selection], named: &BTreeSet<EnvName>) {
        let mut ids: BTreeMap<EnvName, ObjectId> = BTreeMap::new();
        let mut collisions = Vec::new();
        for selection in selections {
            let list = match self.observed.list(&List::Secrets(selection.vault.clone())) {
                Ok(list) => list,
                Err(reason) => {
                    self.missing.push(Missing { what: "envFrom".into(), reason });
                    continue;
                }
            };
            let Chosen { variables, skipped, collisions: own } = Chosen::of(selection, list.iter());
            self.skipped.extend(skipped);
            collisions.extend(own);
            for (variable, name) in variables.into_iter().filter(|(variable, _)| !named.contains(variable)) {
                let id = selection.id(&name);
                match ids.insert(variable.clone(), id.clone()) {
                    Some(other) if other != id => collisions
                        .push(format!("{variable}: both {other} and {id} would be it; see `naming`")),
                    _ => {}
                }
            }
        }
        for text in collisions {
            let reason = Reason::new(Class::Config, Outlook::Hopeless, text);
            self.missing.push(Missing { what: "envFrom".into(), reason });
        }
        for (variable, id) in ids {
            let text = id.to_string();
            let reference = Reference { origin: Origin::Vault(id), part: Part::Whole };
            match self.observed.value(&reference) {
                // Between the list and the request it was disabled or deleted; the next list will say so.
                Err(reason) if reason.outlook == Outlook::Hopeless => {
                    self.skipped.insert(format!("{text} is left out: {}", reason.text));
                }
                found => self.put(variable, found),
            }
        }
    }
}

impl Observed<'_> {
    /// The entries of a list.
    fn list(&self, list: &List) -> Result<Arc<[Listed]>, Reason> {
        let state = self.vault.and_then(|vault| vault.lists.get(list)).cloned();
        let ListState { good, problem } = state.unwrap_or_default();
        match (good, problem) {
            (Some(entries), _) => Ok(entries),
            (None, Some(problem)) => Err(Reason::of(&problem)),
            (None, None) => {
                let text = format!("{list}: no answer yet");
                Err(Reason::new(Class::Unavailable, Outlook::Pending, text))
            }
        }
    }

    /// The versions before the present one, newest first.
    fn previous(&self, id: &ObjectId) -> Result<Vec<ObjectId>, Reason> {
        let entries = self.list(&List::Versions(id.clone()))?;
        let present = self.vault.and_then(|vault| vault.secrets.get(id)?.good.as_ref());
        let present = present.map(|secret| &secret.version);
        let versions = newest_first(&entries).into_iter().filter_map(|entry| entry.version.clone());
        let previous = versions.filter(|version| Some(version) != present);
        Ok(previous.map(|version| ObjectId { version: Some(version), ..id.clone() }).collect())
    }

    fn value(&self, reference: &Reference) -> Found {
        let (whole, provenance) = match &reference.origin {
            Origin::Mount(path) => self.read_mount(path)?,
            Origin::Vault(id) => self.read_vault(id)?,
            Origin::MountElseVault(path, id) => match self.read_mount(path) {
                Ok(found) => self.instead_of(path, id).unwrap_or(found),
                // A mount that was there and is not now says nothing about what it would hold.
                Err(mount) if self.mount_was_read && matches!(self.mount, Some(Err(_))) => return Err(mount),
                Err(mount) => self.read_vault(id).map_err(|vault| mount.and(vault))?,
            },
        };
        let value = take(&reference.part, whole).map_err(|error| {
            let text = format!("{provenance}: {}", chain(error.as_ref()));
            Reason::new(Class::Config, Outlook::Transient, text)
        })?;
        if value.expose().contains(&0) {
            let text = format!("{provenance} holds a NUL byte, which no environment variable can carry");
            return Err(Reason::new(Class::Config, Outlook::Transient, text));
        }
        Ok((value, provenance))
    }

    fn read_mount(&self, path: &MountPath) -> Found {
        let set = match self.mount {
            Some(Ok(set)) => set,
            Some(Err(error)) => return Err(Reason::new(error.class(), Outlook::Transient, chain(error))),
            None => {
                let text = "no mount is configured; set `mount`";
                return Err(Reason::new(Class::Config, Outlook::Hopeless, text));
            }
        };
        let Some(value) = set.files.get(path) else {
            let text =
                format!("the mount has no file '{path}'; is it among the SecretProviderClass's objects?");
            return Err(Reason::new(Class::Unavailable, Outlook::Transient, text));
        };
        Ok((value.clone(), Provenance::Mount { file: path.to_string() }))
    }

    /// The vault's value, where the file is stale and the vault is trusted more.
    fn instead_of(&self, path: &MountPath, id: &ObjectId) -> Option<(SecretValue, Provenance)> {
        let value = self.stale?.instead(&(path.clone(), id.clone()))?;
        let (_, provenance) = self.read_vault(id).ok()?;
        Some((value.clone(), provenance))
    }

    fn read_vault(&self, id: &ObjectId) -> Found {
        let state = self.vault.and_then(|vault| vault.secrets.get(id)).cloned();
        let SecretState { good, problem } = state.unwrap_or_default();
        match (good, problem) {
            (Some(secret), problem) => Ok((
                secret.value,
                Provenance::Vault {
                    id: format!("{}/{}/{}", id.vault, id.collection, id.name),
                    version: secret.version.to_string(),
                    expires: secret.expires,
                    not_before: secret.not_before,
                    problem: problem.map(|problem| problem.message.to_string()),
                },
            )),
            (None, Some(problem)) => Err(Reason::of(&problem)),
            (None, None) => {
                let text = format!("{id}: no answer yet");
                Err(Reason::new(Class::Unavailable, Outlook::Pending, text))
            }
        }
    }
}

/// The part of a value that is meant.
fn take(part: &Part, whole: SecretValue) -> Result<SecretValue, Box<dyn Error>> {
    Ok(match part {
        Part::Whole => whole,
        Part::Field(pointer) => pointer.apply(&whole)?,
        Part::Certificate(part) => certificate::part(&whole, *part)?,
        Part::PublicKey => public_key::to_pem(&whole)?,
    })
}

impl Reason {
    fn of(problem: &VaultError) -> Self {
        let outlook = if problem.transient { Outlook::Transient } else { Outlook::Hopeless };
        Self::new(problem.class, outlook, &*problem.message)
    }

    /// The same about what only a list has named: the next one may name it no more.
    fn passing(self) -> Self {
        Self { outlook: self.outlook.min(Outlook::Transient), ..self }
    }

    /// Neither of two sources has it; it is enough that one of them may still come to have it.
    fn and(self, last: Self) -> Self {
        if last.outlook == Outlook::Pending {
            return last;
        }
        let outlook = self.outlook.min(last.outlook);
        Self { outlook, text: format!("{}; {}", self.text, last.text), ..last }
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mount { file } => write!(f, "mount file '{file}'"),
            Self::Vault { id, version, .. } => write!(f, "{id}/{version}"),
        }
    }
}
