//! What the versions of all kinds of objects have in common, and which names a vault accepts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::api::ApiError;
use crate::util::{hex32, now};

const MAX_NAME: usize = 127;
const MAX_TAGS: usize = 15;

/// The kinds of objects, each of which has its own names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Secret,
    Key,
    Certificate,
}

impl Kind {
    /// In the middle of a sentence.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Key => "key",
            Self::Certificate => "certificate",
        }
    }

    /// In paths.
    pub(crate) fn collection(self) -> &'static str {
        match self {
            Self::Secret => "secrets",
            Self::Key => "keys",
            Self::Certificate => "certificates",
        }
    }
}

/// What a version holds.
pub(crate) trait Content: Clone {
    const KIND: Kind;
}

/// The attributes a caller may set; what is `None` keeps its value (and is enabled, without dates, at first).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Attributes {
    /// Whether the object may be used.
    pub enabled: Option<bool>,
    /// Not before, in seconds since 1970. Only informational: reading works at any time.
    pub nbf: Option<i64>,
    /// Expiry, in seconds since 1970. Only informational: reading works at any time.
    pub exp: Option<i64>,
}

/// What a caller says about a version apart from its content; what is `None` stays.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Details {
    pub(crate) attributes: Option<Attributes>,
    pub(crate) tags: Option<BTreeMap<String, String>>,
    /// Not part of the service: a seed file may fix the version so that a test can name it.
    #[serde(skip)]
    pub(crate) version: Option<String>,
}

/// One version of one object.
#[derive(Debug, Clone)]
pub(crate) struct Version<T> {
    pub(crate) id: String,
    pub(crate) enabled: bool,
    pub(crate) nbf: Option<i64>,
    pub(crate) exp: Option<i64>,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) tags: BTreeMap<String, String>,
    /// Whether it belongs to a certificate of the same name.
    pub(crate) managed: bool,
    pub(crate) content: T,
}

impl<T> Version<T> {
    pub(crate) fn new(content: T, details: Details) -> Result<Self, ApiError> {
        let now = now();
        let mut version = Self {
            id: details.version.clone().unwrap_or_else(hex32),
            enabled: true,
            nbf: None,
            exp: None,
            created: now,
            updated: now,
            tags: BTreeMap::new(),
            managed: false,
            content,
        };
        version.apply(details)?;
        Ok(version)
    }

    /// A version of another kind that belongs to this one.
    pub(crate) fn behind<U>(&self, content: U) -> Version<U> {
        Version {
            id: self.id.clone(),
            enabled: self.enabled,
            nbf: self.nbf,
            exp: self.exp,
            created: self.created,
            updated: self.updated,
            tags: self.tags.clone(),
            managed: true,
            content,
        }
    }

    pub(crate) fn apply(&mut self, details: Details) -> Result<(), ApiError> {
        if let Some(tags) = details.tags {
            if tags.len() > MAX_TAGS {
                return Err(ApiError::bad_parameter(format!("more than {MAX_TAGS} tags")));
            }
            self.tags = tags;
        }
        if let Some(attributes) = details.attributes {
            self.enabled = attributes.enabled.unwrap_or(self.enabled);
            self.nbf = attributes.nbf.or(self.nbf);
            self.exp = attributes.exp.or(self.exp);
        }
        self.updated = now();
        Ok(())
    }
}

pub(crate) fn check_name(kind: Kind, name: &str) -> Result<(), ApiError> {
    let fits = (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if fits { Ok(()) } else { Err(ApiError::bad_parameter(format!("invalid {} name: {name}", kind.noun()))) }
}

pub(crate) fn check_version(kind: Kind, version: &str) -> Result<(), ApiError> {
    let fits = version.len() == 32 && version.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if fits {
        Ok(())
    } else {
        Err(ApiError::bad_parameter(format!("invalid {} version: {version}", kind.noun())))
    }
}
