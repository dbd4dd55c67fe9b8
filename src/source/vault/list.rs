//! Lists of a vault: which secrets there are, and which versions one of them has. They hold no values.

use crate::reference::{ObjectId, ObjectName, ObjectVersion, VaultUrl};
use std::{collections::BTreeMap, fmt};

/// What is listed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum List {
    /// The secrets of a vault.
    Secrets(VaultUrl),
    /// The versions of one secret; the id names none.
    Versions(ObjectId),
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The secret's name, as it was first written.
    pub name: ObjectName,
    /// Its version, in a list of versions.
    pub version: Option<ObjectVersion>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether it stands behind a certificate.
    pub managed: bool,
    /// When it was made, in seconds since 1970.
    pub created: u64,
    /// When its value or attributes last changed, in seconds since 1970.
    pub updated: u64,
    /// Why it is not in use.
    pub unusable: Option<Unusable>,
}

/// Why a secret is not in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// `enabled` is false.
    Disabled,
    /// `exp` has passed.
    Expired,
    /// `nbf` has not come.
    NotYetValid,
}

impl List {
    /// Whose list it is.
    pub fn vault(&self) -> &VaultUrl {
        match self {
            Self::Secrets(vault) => vault,
            Self::Versions(id) => &id.vault,
        }
    }
}

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secrets(vault) => write!(f, "{vault}/secrets"),
            Self::Versions(id) => write!(f, "{id}/versions"),
        }
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disabled => "is disabled",
            Self::Expired => "has expired",
            Self::NotYetValid => "is not yet valid",
        })
    }
}
