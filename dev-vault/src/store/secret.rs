//! Secrets: a value and what kind of text it is.

use serde::Deserialize;

use super::model::{Content, Details, Kind, Version};
use super::shelf::{Found, Shelf};
use crate::api::ApiError;

/// Longest value in bytes that the service accepts.
const MAX_VALUE: usize = 25 * 1024;

#[derive(Debug, Clone)]
pub(crate) struct Secret {
    pub(crate) value: String,
    pub(crate) content_type: Option<String>,
}

impl Content for Secret {
    const KIND: Kind = Kind::Secret;
}

/// The body of `PUT /secrets/NAME`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewSecret {
    pub(crate) value: Option<String>,
    pub(crate) content_type: Option<String>,
    #[serde(flatten)]
    pub(crate) details: Details,
}

/// The body of `PATCH /secrets/NAME/VERSION`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SecretPatch {
    pub(crate) content_type: Option<String>,
    #[serde(flatten)]
    pub(crate) details: Details,
}

impl Shelf<Secret> {
    pub(crate) fn set(&mut self, name: &str, new: NewSecret) -> Result<Found<Secret>, ApiError> {
        let value = new.value.ok_or_else(|| ApiError::bad_parameter("the property value is required"))?;
        if value.len() > MAX_VALUE {
            return Err(ApiError::bad_parameter(format!("the value is longer than {MAX_VALUE} bytes")));
        }
        self.add(name, Version::new(Secret { value, content_type: new.content_type }, new.details)?)
    }

    /// The value of a version, or of the latest one. A disabled version is refused; the service never falls back
    /// to an older one.
    pub(crate) fn get(&self, name: &str, version: Option<&str>) -> Result<Found<Secret>, ApiError> {
        let found = self.find(name, version)?;
        if found.version.enabled { Ok(found) } else { Err(ApiError::disabled()) }
    }

    pub(crate) fn update(
        &mut self,
        name: &str,
        version: Option<&str>,
        patch: SecretPatch,
    ) -> Result<Found<Secret>, ApiError> {
        self.change(name, version, |found| {
            found.apply(patch.details)?;
            if patch.content_type.is_some() {
                found.content.content_type = patch.content_type;
            }
            Ok(())
        })
    }
}
