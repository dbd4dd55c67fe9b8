//! The observed set: every variable with its value and where it came from. Built purely from what the
//! sources observed; complete or not at all.

use crate::{
    certificate,
    config::{Binding, EnvName},
    failure::{Class, chain},
    public_key,
    reference::{MountPath, ObjectId, Origin, Part, Reference},
    secret::SecretValue,
    source::{
        mount::{MountError, MountSet},
        vault::{SecretState, VaultObservation},
    },
    stale::Tracker,
};
use std::{error::Error, fmt, time::SystemTime};

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
        write!(f, "{}: {}", self.variable, self.reason.text)
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

/// A value that was found, or why not.
type Found = Result<(SecretValue, Provenance), Reason>;

impl Observed<'_> {
    fn entry(&self, binding: &Binding) -> Result<Entry, Missing> {
        let variable = binding.variable.clone();
        match self.value(&binding.reference) {
            Ok((value, provenance)) => Ok(Entry { variable, value, provenance }),
            Err(reason) => Err(Missing { variable, reason }),
        }
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
                    problem: problem.map(|problem| problem.message.to_string()),
                },
            )),
            (None, Some(problem)) => {
                let outlook = if problem.transient { Outlook::Transient } else { Outlook::Hopeless };
                Err(Reason::new(problem.class, outlook, &*problem.message))
            }
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
