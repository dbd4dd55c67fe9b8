//! Keys in a seed file, made anew at every start.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{OneOrMany, instant};
use crate::crypto::{KeyType, PrivateKey};
use crate::store::{self, Attributes, Details};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Key {
    #[serde(rename = "type")]
    kind: Option<KeyType>,
    version: Option<String>,
    enabled: Option<bool>,
    #[serde(default, deserialize_with = "instant")]
    nbf: Option<i64>,
    #[serde(default, deserialize_with = "instant")]
    exp: Option<i64>,
    tags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    versions: Vec<Key>,
}

impl OneOrMany for Key {
    const CONTENT: &'static str = "type";

    fn has_content(&self) -> bool {
        self.kind.is_some()
    }

    fn versions(&mut self) -> &mut Vec<Self> {
        &mut self.versions
    }
}

impl Key {
    pub(super) fn put(self, name: &str, vault: &mut store::Vault) -> Result<(), String> {
        let private = PrivateKey::generate(self.kind.unwrap_or(KeyType::Rsa2048))?;
        let details = Details {
            attributes: Some(Attributes { enabled: self.enabled, nbf: self.nbf, exp: self.exp }),
            tags: self.tags,
            version: self.version,
        };
        let put = vault.keys.put(name, store::Key::new(private, None), details);
        put.map(drop).map_err(|error| error.to_string())
    }
}
