//! Secrets in a seed file.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{OneOrMany, instant};
use crate::store::{Attributes, Details, NewSecret};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Secret {
    value: Option<String>,
    version: Option<String>,
    content_type: Option<String>,
    enabled: Option<bool>,
    #[serde(default, deserialize_with = "instant")]
    nbf: Option<i64>,
    #[serde(default, deserialize_with = "instant")]
    exp: Option<i64>,
    tags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    versions: Vec<Secret>,
}

impl OneOrMany for Secret {
    const CONTENT: &'static str = "value";

    fn has_content(&self) -> bool {
        self.value.is_some()
    }

    fn versions(&mut self) -> &mut Vec<Self> {
        &mut self.versions
    }
}

impl From<Secret> for NewSecret {
    fn from(secret: Secret) -> Self {
        Self {
            value: secret.value,
            content_type: secret.content_type,
            details: Details {
                attributes: Some(Attributes { enabled: secret.enabled, nbf: secret.nbf, exp: secret.exp }),
                tags: secret.tags,
                version: secret.version,
            },
        }
    }
}
