//! What a vault holds, and which names it accepts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::api::ApiError;
use crate::util::{hex32, now};

/// Longest value in bytes that the service accepts.
const MAX_VALUE: usize = 25 * 1024;
const MAX_NAME: usize = 127;
const MAX_TAGS: usize = 15;

/// The attributes a caller may set; what is `None` keeps its value (and is enabled, without dates, at first).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// Whether the value may be read.
    pub enabled: Option<bool>,
    /// Not before, in seconds since 1970. Only informational: reading works at any time.
    pub nbf: Option<i64>,
    /// Expiry, in seconds since 1970. Only informational: reading works at any time.
    pub exp: Option<i64>,
}

/// The body of `PUT /secrets/NAME`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewVersion {
    pub(crate) value: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) attributes: Option<Attributes>,
    pub(crate) tags: Option<BTreeMap<String, String>>,
    /// Not part of the service: a seed file may fix the version so that a test can name it.
    #[serde(skip)]
    pub(crate) version: Option<String>,
}

/// The body of `PATCH /secrets/NAME/VERSION`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Patch {
    pub(crate) content_type: Option<String>,
    pub(crate) attributes: Option<Attributes>,
    pub(crate) tags: Option<BTreeMap<String, String>>,
}

/// One version of one secret.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) id: String,
    pub(crate) value: String,
    pub(crate) content_type: Option<String>,
    pub(crate) enabled: bool,
    pub(crate) nbf: Option<i64>,
    pub(crate) exp: Option<i64>,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) tags: BTreeMap<String, String>,
}

impl Version {
    pub(crate) fn new(new: NewVersion) -> Result<Self, ApiError> {
        let value = new.value.ok_or_else(|| ApiError::bad_parameter("the property value is required"))?;
        if value.len() > MAX_VALUE {
            return Err(ApiError::bad_parameter(format!("the value is longer than {MAX_VALUE} bytes")));
        }
        let now = now();
        let mut version = Self {
            id: new.version.unwrap_or_else(hex32),
            value,
            content_type: None,
            enabled: true,
            nbf: None,
            exp: None,
            created: now,
            updated: now,
            tags: BTreeMap::new(),
        };
        check_version(&version.id)?;
        version.apply(Patch {
            content_type: new.content_type,
            attributes: new.attributes,
            tags: new.tags,
        })?;
        Ok(version)
    }

    pub(crate) fn apply(&mut self, patch: Patch) -> Result<(), ApiError> {
        if let Some(tags) = patch.tags {
            if tags.len() > MAX_TAGS {
                return Err(ApiError::bad_parameter(format!("more than {MAX_TAGS} tags")));
            }
            self.tags = tags;
        }
        if let Some(attributes) = patch.attributes {
            self.enabled = attributes.enabled.unwrap_or(self.enabled);
            self.nbf = attributes.nbf.or(self.nbf);
            self.exp = attributes.exp.or(self.exp);
        }
        self.content_type = patch.content_type.or(self.content_type.take());
        self.updated = now();
        Ok(())
    }
}

/// A secret's versions, oldest first; the last one is the current one. Never empty.
#[derive(Debug, Clone)]
pub(crate) struct Secret {
    /// As it was written first: names are compared without regard to case, but shown as given.
    pub(crate) name: String,
    pub(crate) versions: Vec<Version>,
}

impl Secret {
    pub(crate) fn latest(&self) -> &Version {
        self.versions.last().expect("a secret has at least one version")
    }

    pub(crate) fn find(&self, version: Option<&str>) -> Option<usize> {
        match version {
            None => self.versions.len().checked_sub(1),
            Some(id) => self.versions.iter().position(|version| version.id == id),
        }
    }
}

/// A secret waiting to be recovered or purged.
#[derive(Debug, Clone)]
pub(crate) struct Deleted {
    pub(crate) secret: Secret,
    pub(crate) at: i64,
}

pub(crate) fn check_name(name: &str) -> Result<(), ApiError> {
    let fits = (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if fits { Ok(()) } else { Err(ApiError::bad_parameter(format!("invalid secret name: {name}"))) }
}

pub(crate) fn check_version(version: &str) -> Result<(), ApiError> {
    let fits = version.len() == 32 && version.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if fits { Ok(()) } else { Err(ApiError::bad_parameter(format!("invalid secret version: {version}"))) }
}
