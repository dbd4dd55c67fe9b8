//! The vaults and their secrets, without any protocol around them.
//!
//! A vault exists as soon as it is named: which vaults can be reached is a matter of names and certificates, not
//! of this store. Secrets are found without regard to case.

mod model;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Bound;

pub use self::model::Attributes;
pub(crate) use self::model::{Deleted, NewVersion, Patch, Secret, Version};
use self::model::{check_name, check_version};
use crate::api::ApiError;
use crate::util::now;

/// The vault that an address without a name in it (`localhost`, `127.0.0.1`) leads to.
pub const DEFAULT_VAULT: &str = "default";

/// One version together with the name its secret was written under.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) version: Version,
}

/// One page of a list and the key to go on after, if there is more.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<String>,
}

#[derive(Debug, Default)]
pub(crate) struct Store {
    vaults: BTreeMap<String, Vault>,
}

impl Store {
    pub(crate) fn vault(&mut self, name: &str) -> &mut Vault {
        self.vaults.entry(name.to_ascii_lowercase()).or_default()
    }
}

/// One vault. Keys are the names in lower case.
#[derive(Debug, Default)]
pub(crate) struct Vault {
    secrets: BTreeMap<String, Secret>,
    deleted: BTreeMap<String, Deleted>,
}

impl Vault {
    pub(crate) fn set(&mut self, name: &str, new: NewVersion) -> Result<Found, ApiError> {
        let key = key(name)?;
        if self.deleted.contains_key(&key) {
            return Err(ApiError::deleted_but_recoverable(name));
        }
        let version = Version::new(new)?;
        let secret =
            self.secrets.entry(key).or_insert_with(|| Secret { name: name.to_owned(), versions: Vec::new() });
        if secret.find(Some(&version.id)).is_some() {
            return Err(ApiError::bad_parameter(format!("version {} exists already", version.id)));
        }
        secret.versions.push(version.clone());
        Ok(Found { name: secret.name.clone(), version })
    }

    /// The value of a version, or of the latest one. A disabled version is refused; the service never falls back
    /// to an older one.
    pub(crate) fn get(&mut self, name: &str, version: Option<&str>) -> Result<Found, ApiError> {
        let secret = self.secret(name)?;
        let index = find(secret, version)?;
        let version = secret.versions[index].clone();
        if !version.enabled {
            return Err(ApiError::disabled());
        }
        Ok(Found { name: secret.name.clone(), version })
    }

    pub(crate) fn update(
        &mut self,
        name: &str,
        version: Option<&str>,
        patch: Patch,
    ) -> Result<Found, ApiError> {
        let secret = self.secret(name)?;
        let index = find(secret, version)?;
        secret.versions[index].apply(patch)?;
        Ok(Found { name: secret.name.clone(), version: secret.versions[index].clone() })
    }

    pub(crate) fn delete(&mut self, name: &str) -> Result<Deleted, ApiError> {
        let key = key(name)?;
        let secret = self.secrets.remove(&key).ok_or_else(|| ApiError::not_found(name))?;
        let deleted = Deleted { secret, at: now() };
        self.deleted.insert(key, deleted.clone());
        Ok(deleted)
    }

    pub(crate) fn deleted(&self, name: &str) -> Result<&Deleted, ApiError> {
        self.deleted.get(&key(name)?).ok_or_else(|| ApiError::not_found(name))
    }

    pub(crate) fn recover(&mut self, name: &str) -> Result<Found, ApiError> {
        let key = key(name)?;
        let secret = self.deleted.remove(&key).ok_or_else(|| ApiError::not_found(name))?.secret;
        let found = Found { name: secret.name.clone(), version: secret.latest().clone() };
        self.secrets.insert(key, secret);
        Ok(found)
    }

    pub(crate) fn purge(&mut self, name: &str) -> Result<(), ApiError> {
        self.deleted.remove(&key(name)?).map(drop).ok_or_else(|| ApiError::not_found(name))
    }

    /// The latest version of every secret, by name.
    pub(crate) fn list(&self, after: Option<&str>, limit: usize) -> Page<Found> {
        page(&self.secrets, after, limit)
            .map(|secret| Found { name: secret.name.clone(), version: secret.latest().clone() })
    }

    /// The versions of one secret, ordered by their identifiers: the service promises no order in time either,
    /// and random identifiers make a caller who relies on one notice.
    pub(crate) fn versions(
        &mut self,
        name: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Found>, ApiError> {
        let secret = self.secret(name)?;
        let by_id: BTreeMap<_, _> = secret.versions.iter().map(|one| (one.id.clone(), one)).collect();
        Ok(page(&by_id, after, limit)
            .map(|version| Found { name: secret.name.clone(), version: (*version).clone() }))
    }

    pub(crate) fn list_deleted(&self, after: Option<&str>, limit: usize) -> Page<Deleted> {
        page(&self.deleted, after, limit).map(Clone::clone)
    }

    fn secret(&mut self, name: &str) -> Result<&mut Secret, ApiError> {
        self.secrets.get_mut(&key(name)?).ok_or_else(|| ApiError::not_found(name))
    }
}

impl<T> Page<&T> {
    fn map<U>(self, convert: impl FnMut(&T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(convert).collect(), next: self.next }
    }
}

fn key(name: &str) -> Result<String, ApiError> {
    check_name(name).map(|()| name.to_ascii_lowercase())
}

fn find(secret: &Secret, version: Option<&str>) -> Result<usize, ApiError> {
    version.map_or(Ok(()), check_version)?;
    secret.find(version).ok_or_else(|| ApiError::not_found(&secret.name))
}

/// Pages go on after a key instead of at a position, so entries that come or go meanwhile shift nothing.
fn page<'a, T>(map: &'a BTreeMap<String, T>, after: Option<&str>, limit: usize) -> Page<&'a T> {
    let start = after.map_or(Bound::Unbounded, Bound::Excluded);
    let mut rest = map.range::<str, _>((start, Bound::Unbounded));
    let page: Vec<_> = rest.by_ref().take(limit).collect();
    let next = match (page.last(), rest.next()) {
        (Some((key, _)), Some(_)) => Some((*key).clone()),
        _ => None,
    };
    Page { items: page.into_iter().map(|(_, value)| value).collect(), next }
}
