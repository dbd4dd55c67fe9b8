//! The vaults and what they hold, without any protocol around them.
//!
//! A vault exists as soon as it is named: which vaults can be reached is a matter of names and certificates, not
//! of this store. Objects are found without regard to case.

mod certificate;
mod key;
mod model;
mod secret;
mod shelf;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::collections::BTreeMap;

pub(crate) use self::certificate::Certificate;
pub use self::certificate::CertificateSpec;
pub(crate) use self::key::{ImportedKey, Key, NewKey};
pub use self::model::Attributes;
pub(crate) use self::model::{Content, Details, Kind, Version};
pub(crate) use self::secret::{NewSecret, Secret, SecretPatch};
pub(crate) use self::shelf::{Deleted, Found, Page, Shelf};

/// The vault that an address without a name in it (`localhost`, `127.0.0.1`) leads to.
pub const DEFAULT_VAULT: &str = "default";

#[derive(Debug, Default)]
pub(crate) struct Store {
    vaults: BTreeMap<String, Vault>,
}

impl Store {
    pub(crate) fn vault(&mut self, name: &str) -> &mut Vault {
        self.vaults.entry(name.to_ascii_lowercase()).or_default()
    }
}

/// One vault.
#[derive(Debug, Default)]
pub(crate) struct Vault {
    pub(crate) secrets: Shelf<Secret>,
    pub(crate) keys: Shelf<Key>,
    pub(crate) certificates: Shelf<Certificate>,
}
