//! What a variable refers to: the grammar of references, and where each one is read.

mod app_service;
mod error;
mod fragment;
mod name;
mod parse;
mod piece;
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
pub struct ObjectName(pub(crate) Arc<str>);

/// A Key Vault object version: 32 hexadecimal digits, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectVersion(pub(crate) Arc<str>);

/// What is read of a vault. A certificate is read as the secret of the same name and version that Key Vault
/// keeps behind it: only that one holds the private key and the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Collection {
    /// `/secrets`.
    Secrets,
    /// `/keys`: the public half.
    Keys,
}

/// One object in one vault; without a version, whatever is latest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Which vault.
    pub vault: VaultUrl,
    /// Which kind of object.
    pub collection: Collection,
    /// Which object.
    pub name: ObjectName,
    /// `None` follows the latest version.
    pub version: Option<ObjectVersion>,
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
    Vault(ObjectId),
    /// The file in the mount if it is there, else the vault.
    MountElseVault(MountPath, ObjectId),
}

/// A parsed reference, resolved against the configuration (default vault, mount, cloud).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Where the whole value is read.
    pub origin: Origin,
    /// Which part of it is meant.
    pub part: Part,
}

/// What is taken of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// All of it, as it is.
    Whole,
    /// A field of a JSON document.
    Field(JsonPointer),
    /// Something of a certificate with its key and chain, from PEM or PKCS#12.
    Certificate(CertificatePart),
    /// A public key as PEM, from a JSON Web Key.
    PublicKey,
}

/// What can be taken of a certificate. All but [`CertificatePart::Pfx`] are PEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificatePart {
    /// The certificate itself.
    Leaf,
    /// The certificate and its intermediates, leaf first: what a TLS server presents.
    Chain,
    /// The chain and its root, where that is there.
    FullChain,
    /// Everything but the leaf.
    Ca,
    /// The private key, PKCS#8.
    Key,
    /// The private key, then the full chain: what the CSI driver's Azure provider writes.
    Pem,
    /// The PKCS#12 file as the vault keeps it, in base64.
    Pfx,
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
text!(VaultUrl, ObjectName, ObjectVersion, MountPath, JsonPointer);

impl ObjectId {
    /// Whether it is a secret whose newest version is meant, which is what a list of secrets tells about.
    pub fn follows_latest_secret(&self) -> bool {
        self.collection == Collection::Secrets && self.version.is_none()
    }
}

impl fmt::Display for Collection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secrets => "secrets",
            Self::Keys => "keys",
        })
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.vault, self.collection, self.name)?;
        self.version.iter().try_for_each(|version| write!(f, "/{version}"))
    }
}
