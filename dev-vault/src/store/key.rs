//! Keys: only their public half ever leaves the vault.

use serde::Deserialize;

use super::model::{Content, Details, Kind, Version};
use super::shelf::{Found, Shelf};
use crate::api::ApiError;
use crate::crypto::{Jwk, KeyType, PrivateKey};

#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) private: PrivateKey,
    pub(crate) operations: Vec<String>,
}

impl Content for Key {
    const KIND: Kind = Kind::Key;
}

impl Key {
    pub(crate) fn new(private: PrivateKey, operations: Option<Vec<String>>) -> Self {
        let usual: &[&str] = match &private {
            PrivateKey::Rsa(_) => &["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"],
            _ => &["sign", "verify"],
        };
        let usual = || usual.iter().map(|&operation| operation.to_owned()).collect();
        Self { private, operations: operations.unwrap_or_else(usual) }
    }
}

/// The body of `POST /keys/NAME/create`.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NewKey {
    kty: String,
    key_size: Option<u32>,
    crv: Option<String>,
    key_ops: Option<Vec<String>>,
    #[serde(flatten)]
    details: Details,
}

/// The body of `PUT /keys/NAME`.
#[derive(Debug, Deserialize)]
pub(crate) struct ImportedKey {
    key: Jwk,
    #[serde(flatten)]
    details: Details,
}

/// The body of `PATCH /keys/NAME/VERSION`.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct KeyPatch {
    key_ops: Option<Vec<String>>,
    #[serde(flatten)]
    details: Details,
}

impl NewKey {
    pub(crate) fn generate(self) -> Result<(Key, Details), ApiError> {
        KeyType::from_parts(&self.kty, self.key_size, self.crv.as_deref())
            .and_then(PrivateKey::generate)
            .map(|private| (Key::new(private, self.key_ops), self.details))
            .map_err(ApiError::bad_parameter)
    }
}

impl ImportedKey {
    pub(crate) fn read(self) -> Result<(Key, Details), ApiError> {
        let private = self.key.private_key().map_err(ApiError::bad_parameter)?;
        Ok((Key::new(private, self.key.key_ops), self.details))
    }
}

impl Shelf<Key> {
    pub(crate) fn put(&mut self, name: &str, key: Key, details: Details) -> Result<Found<Key>, ApiError> {
        self.add(name, Version::new(key, details)?)
    }

    pub(crate) fn update(
        &mut self,
        name: &str,
        version: Option<&str>,
        patch: KeyPatch,
    ) -> Result<Found<Key>, ApiError> {
        self.change(name, version, |found| {
            found.apply(patch.details)?;
            if let Some(operations) = patch.key_ops {
                found.content.operations = operations;
            }
            Ok(())
        })
    }
}
