//! The observed set: every variable with its value and where it came from. Built purely from what the
//! sources observed; complete or not at all.

use crate::{
    config::{Binding, EnvName},
    failure::{Class, chain},
    reference::{Origin, SecretId},
    secret::SecretValue,
    source::{
        mount::{MountError, MountSet},
        vault::{SecretState, VaultObservation},
    },
};
use std::{fmt, time::SystemTime};

/// One complete set, sorted by variable.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// One entry for every variable that is configured.
    pub entries: Vec<Entry>,
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
        /// Why this is only the last good value.
        problem: Option<String>,
    },
}

/// Why one variable has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The variable.
    pub variable: EnvName,
    /// Decides the exit code if it lasts.
    pub class: Class,
    /// Whether waiting can help.
    pub transient: bool,
    /// What is wrong and what to do; never a value.
    pub reason: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.variable, self.reason)
    }
}

/// What the sources observed, as one pass sees it.
#[derive(Debug, Default)]
pub struct Observed<'a> {
    /// The mount, if one is configured.
    pub mount: Option<&'a Result<MountSet, MountError>>,
    /// The vaults, if any is asked.
    pub vault: Option<&'a VaultObservation>,
}

impl Snapshot {
    /// Resolves every binding, or says of each one that cannot be resolved why.
    pub fn resolve<'a>(
        bindings: impl IntoIterator<Item = &'a Binding>,
        observed: &Observed<'_>,
    ) -> Result<Self, Vec<Missing>> {
        let (mut entries, mut missing) = (Vec::new(), Vec::new());
        for binding in bindings {
            match observed.entry(binding) {
                Ok(entry) => entries.push(entry),
                Err(reason) => missing.push(reason),
            }
        }
        if missing.is_empty() { Ok(Self { entries }) } else { Err(missing) }
    }
}

/// A value that was found, or why not: class, whether waiting can help, and what to say.
type Found = Result<(SecretValue, Provenance), (Class, bool, String)>;

impl Observed<'_> {
    fn entry(&self, binding: &Binding) -> Result<Entry, Missing> {
        let variable = &binding.variable;
        let missing =
            |(class, transient, reason)| Missing { variable: variable.clone(), class, transient, reason };
        let (whole, provenance) = match &binding.reference.origin {
            Origin::Mount(path) => self.read_mount(path.as_str()),
            Origin::Vault(id) => self.read_vault(id),
            Origin::MountElseVault(path, id) => match self.read_mount(path.as_str()) {
                Ok(found) => Ok(found),
                Err(_) => self.read_vault(id),
            },
        }
        .map_err(missing)?;
        let value = match &binding.reference.field {
            None => whole,
            Some(pointer) => pointer.apply(&whole).map_err(|error| {
                missing((Class::Config, true, format!("{provenance}: {}", chain(&error))))
            })?,
        };
        if value.expose().contains(&0) {
            let reason = format!("{provenance} holds a NUL byte, which no environment variable can carry");
            return Err(missing((Class::Config, true, reason)));
        }
        Ok(Entry { variable: variable.clone(), value, provenance })
    }

    fn read_mount(&self, file: &str) -> Found {
        match self.mount {
            None => Err((Class::Config, false, "no mount is configured; set `mount`".into())),
            Some(Err(error)) => Err((error.class(), true, chain(error))),
            Some(Ok(set)) => match set.files.iter().find(|(path, _)| path.as_str() == file) {
                Some((_, value)) => Ok((value.clone(), Provenance::Mount { file: file.into() })),
                None => Err((
                    Class::Unavailable,
                    true,
                    format!("the mount has no file '{file}'; is it among the SecretProviderClass's objects?"),
                )),
            },
        }
    }

    fn read_vault(&self, id: &SecretId) -> Found {
        let waiting = || (Class::Unavailable, true, format!("{id}: no answer yet"));
        let Some(vault) = self.vault else { return Err(waiting()) };
        let state = vault.secrets.get(id).cloned().unwrap_or_default();
        let SecretState { good, problem } = state;
        let problem = problem.or_else(|| vault.problem.clone());
        match (good, problem) {
            (Some(secret), problem) => Ok((
                secret.value,
                Provenance::Vault {
                    id: format!("{}/secrets/{}", id.vault, id.name),
                    version: secret.version.to_string(),
                    expires: secret.expires,
                    problem: problem.map(|problem| problem.message.to_string()),
                },
            )),
            (None, Some(problem)) => Err((problem.class, problem.transient, problem.message.to_string())),
            (None, None) => Err(waiting()),
        }
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
