//! What a variable refers to: the grammar of references, and where each one is read.

mod app_service;
mod error;
mod name;
mod parse;
mod part;
mod pointer;
pub(crate) mod vault_url;

#[cfg(test)]
mod tests;

pub use error::ReferenceError;
pub use parse::{Scope, is_inline};
pub use pointer::FieldError;

use std::{fmt, sync::Arc};

/// The base address of a vault, already checked against the host allow-list: `https://HOST[:PORT]`,
/// lower case, without a trailing slash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VaultUrl(pub(crate) Arc<str>);

/// A Key Vault object name: `[0-9A-Za-z-]{1,127}`.
///
/// Compared as written; Key Vault itself ignores case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretName(pub(crate) Arc<str>);

/// A Key Vault object version: 32 hexadecimal digits, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretVersion(pub(crate) Arc<str>);

/// One secret in one vault; without a version, whatever is latest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretId {
    /// Which vault.
    pub vault: VaultUrl,
    /// Which secret.
    pub name: SecretName,
    /// `None` follows the latest version.
    pub version: Option<SecretVersion>,
}

/// A file in the mount, relative to its root: no empty, `.` or `..` component, not absolute, and no
/// component that starts with `..` (those belong to the volume's writer).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MountPath(pub(crate) Arc<str>);

/// A JSON Pointer (RFC 6901) into the value: empty, or starting with `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonPointer(pub(crate) Arc<str>);

/// Where a reference is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Only the mount.
    Mount(MountPath),
    /// Only the vault.
    Vault(SecretId),
    /// The file in the mount if it is there, else the vault.
    MountElseVault(MountPath, SecretId),
}

/// A parsed reference, resolved against the configuration (default vault, mount, cloud).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Where the whole value is read.
    pub origin: Origin,
    /// Which part of it is meant; `None` is the whole.
    pub field: Option<JsonPointer>,
}

macro_rules! text {
    ($($name:ident),*) => {$(
        impl $name {
            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}
text!(VaultUrl, SecretName, SecretVersion, MountPath, JsonPointer);

impl fmt::Display for SecretId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/secrets/{}", self.vault, self.name)?;
        self.version.iter().try_for_each(|version| write!(f, "/{version}"))
    }
}
