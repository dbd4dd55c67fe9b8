//! What was asked of a vault, in the words that an error needs: whose right it takes, and how that is given.

use super::list::List;
use crate::reference::{Collection, ObjectId, VaultUrl};
use std::fmt;

/// What was asked of a vault.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked<'a> {
    /// One object.
    Object(&'a ObjectId),
    /// A list.
    List(&'a List),
}

impl Asked<'_> {
    pub(super) fn vault(&self) -> &VaultUrl {
        match self {
            Self::Object(id) => &id.vault,
            Self::List(list) => list.vault(),
        }
    }

    /// The singular of what was asked for, or of what the list is about.
    pub(super) fn noun(&self) -> &'static str {
        match self {
            Self::Object(ObjectId { collection: Collection::Keys, .. }) => "key",
            Self::Object(_) | Self::List(_) => "secret",
        }
    }

    pub(super) fn verb(&self) -> &'static str {
        match self {
            Self::Object(_) => "read",
            Self::List(_) => "list",
        }
    }

    /// The Azure role that is enough, and what it must be assigned on.
    pub(super) fn role(&self) -> &'static str {
        match self {
            Self::Object(ObjectId { collection: Collection::Keys, .. }) => {
                "'Key Vault Crypto User' on the vault"
            }
            Self::Object(_) => "'Key Vault Secrets User' on the vault",
            Self::List(_) => {
                "'Key Vault Secrets User' on the whole vault (on single secrets, or with a condition on their \
                 names, is not enough for a list)"
            }
        }
    }

    /// The permission of an access policy.
    pub(super) fn permission(&self) -> &'static str {
        match self {
            Self::Object(_) => "Get",
            Self::List(_) => "List",
        }
    }
}

impl<'a> From<&'a ObjectId> for Asked<'a> {
    fn from(id: &'a ObjectId) -> Self {
        Self::Object(id)
    }
}

impl<'a> From<&'a List> for Asked<'a> {
    fn from(list: &'a List) -> Self {
        Self::List(list)
    }
}

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(id) => id.fmt(f),
            Self::List(list) => list.fmt(f),
        }
    }
}
