//! All objects of one kind in one vault, the deleted ones included.

use std::collections::BTreeMap;
use std::ops::Bound;

use super::model::{Content, Version, check_name, check_version};
use crate::api::ApiError;
use crate::util::now;

/// Objects by their names in lower case.
#[derive(Debug)]
pub(crate) struct Shelf<T> {
    live: BTreeMap<String, Object<T>>,
    deleted: BTreeMap<String, Deleted<T>>,
}

/// An object's versions, oldest first; the last one is the current one. Never empty.
#[derive(Debug, Clone)]
pub(crate) struct Object<T> {
    /// As it was written first: names are compared without regard to case, but shown as given.
    name: String,
    versions: Vec<Version<T>>,
}

/// One version together with the name its object was written under.
#[derive(Debug, Clone)]
pub(crate) struct Found<T> {
    pub(crate) name: String,
    pub(crate) version: Version<T>,
}

/// An object waiting to be recovered or purged.
#[derive(Debug, Clone)]
pub(crate) struct Deleted<T> {
    object: Object<T>,
    pub(crate) at: i64,
}

/// One page of a list and the key to go on after, if there is more.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<String>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { live: BTreeMap::new(), deleted: BTreeMap::new() }
    }
}

impl<T: Content> Shelf<T> {
    /// Adds a version. Only a version that belongs to a certificate may follow one that does.
    pub(crate) fn add(&mut self, name: &str, version: Version<T>) -> Result<Found<T>, ApiError> {
        check_version(T::KIND, &version.id)?;
        self.check_free(name, version.managed)?;
        let object = self
            .live
            .entry(name.to_ascii_lowercase())
            .or_insert_with(|| Object { name: name.to_owned(), versions: Vec::new() });
        if object.position(Some(&version.id)).is_some() {
            return Err(ApiError::bad_parameter(format!("version {} exists already", version.id)));
        }
        object.versions.push(version.clone());
        Ok(Found { name: object.name.clone(), version })
    }

    /// Whether a version could be added under this name.
    pub(crate) fn check_free(&self, name: &str, managed: bool) -> Result<(), ApiError> {
        let key = key::<T>(name)?;
        if self.deleted.contains_key(&key) {
            return Err(ApiError::deleted_but_recoverable(T::KIND, name));
        }
        match self.live.get(&key) {
            Some(object) if object.managed() != managed => Err(ApiError::taken(T::KIND, name)),
            _ => Ok(()),
        }
    }

    /// A version, or the latest one.
    pub(crate) fn find(&self, name: &str, version: Option<&str>) -> Result<Found<T>, ApiError> {
        let object = self.object(name)?;
        let index = object.index(version)?;
        Ok(Found { name: object.name.clone(), version: object.versions[index].clone() })
    }

    /// Refuses what may only be done to the certificate that the object belongs to.
    pub(crate) fn check_own(&self, name: &str) -> Result<(), ApiError> {
        if self.object(name)?.managed() { Err(ApiError::managed(T::KIND, name)) } else { Ok(()) }
    }

    /// The same for one that is deleted.
    pub(crate) fn check_own_deleted(&self, name: &str) -> Result<(), ApiError> {
        if self.deleted(name)?.object.managed() { Err(ApiError::managed(T::KIND, name)) } else { Ok(()) }
    }

    /// Changes a version, or the latest one; not at all if `how` fails.
    pub(crate) fn change(
        &mut self,
        name: &str,
        version: Option<&str>,
        how: impl FnOnce(&mut Version<T>) -> Result<(), ApiError>,
    ) -> Result<Found<T>, ApiError> {
        let object = self.live.get_mut(&key::<T>(name)?).ok_or_else(|| ApiError::not_found(T::KIND, name))?;
        let index = object.index(version)?;
        let mut changed = object.versions[index].clone();
        how(&mut changed)?;
        object.versions[index] = changed.clone();
        Ok(Found { name: object.name.clone(), version: changed })
    }

    pub(crate) fn delete(&mut self, name: &str) -> Result<Deleted<T>, ApiError> {
        let key = key::<T>(name)?;
        let object = self.live.remove(&key).ok_or_else(|| ApiError::not_found(T::KIND, name))?;
        let deleted = Deleted { object, at: now() };
        self.deleted.insert(key, deleted.clone());
        Ok(deleted)
    }

    pub(crate) fn deleted(&self, name: &str) -> Result<&Deleted<T>, ApiError> {
        self.deleted.get(&key::<T>(name)?).ok_or_else(|| ApiError::not_found(T::KIND, name))
    }

    pub(crate) fn recover(&mut self, name: &str) -> Result<Found<T>, ApiError> {
        let key = key::<T>(name)?;
        let deleted = self.deleted.remove(&key).ok_or_else(|| ApiError::not_found(T::KIND, name))?;
        let found = deleted.latest();
        self.live.insert(key, deleted.object);
        Ok(found)
    }

    pub(crate) fn purge(&mut self, name: &str) -> Result<(), ApiError> {
        self.deleted.remove(&key::<T>(name)?).map(drop).ok_or_else(|| ApiError::not_found(T::KIND, name))
    }

    /// The latest version of every object, by name.
    pub(crate) fn list(&self, after: Option<&str>, limit: usize) -> Page<Found<T>> {
        page(&self.live, after, limit).map(Object::latest)
    }

    /// The versions of one object, ordered by their identifiers: the service promises no order in time either,
    /// and random identifiers make a caller who relies on one notice.
    pub(crate) fn versions(
        &self,
        name: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page<Found<T>>, ApiError> {
        let object = self.object(name)?;
        let by_id: BTreeMap<_, _> = object.versions.iter().map(|one| (one.id.clone(), one)).collect();
        Ok(page(&by_id, after, limit)
            .map(|version| Found { name: object.name.clone(), version: (*version).clone() }))
    }

    pub(crate) fn list_deleted(&self, after: Option<&str>, limit: usize) -> Page<Deleted<T>> {
        page(&self.deleted, after, limit).map(Clone::clone)
    }

    fn object(&self, name: &str) -> Result<&Object<T>, ApiError> {
        self.live.get(&key::<T>(name)?).ok_or_else(|| ApiError::not_found(T::KIND, name))
    }
}

impl<T: Content> Object<T> {
    fn latest(&self) -> Found<T> {
        let version = self.versions.last().expect("an object has at least one version").clone();
        Found { name: self.name.clone(), version }
    }

    fn managed(&self) -> bool {
        self.versions.iter().any(|version| version.managed)
    }

    fn index(&self, version: Option<&str>) -> Result<usize, ApiError> {
        version.map_or(Ok(()), |version| check_version(T::KIND, version))?;
        self.position(version).ok_or_else(|| ApiError::not_found(T::KIND, &self.name))
    }

    fn position(&self, version: Option<&str>) -> Option<usize> {
        match version {
            None => self.versions.len().checked_sub(1),
            Some(id) => self.versions.iter().position(|version| version.id == id),
        }
    }
}

impl<T: Content> Deleted<T> {
    pub(crate) fn latest(&self) -> Found<T> {
        self.object.latest()
    }
}

impl<T> Page<&T> {
    fn map<U>(self, convert: impl FnMut(&T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(convert).collect(), next: self.next }
    }
}

fn key<T: Content>(name: &str) -> Result<String, ApiError> {
    check_name(T::KIND, name).map(|()| name.to_ascii_lowercase())
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
