//! Maps and sets that are filled entry by entry.
//!
//! To `collect` into an ordered map or set sorts first, which pays from thousands of entries on and takes four
//! kilobytes of code for each type of entry. The agent's have some tens of entries, and of types it has many.

use std::collections::{BTreeMap, BTreeSet};

/// What every iterator can be gathered into. Of two entries with one key the later one stays.
pub trait Ordered: Iterator + Sized {
    /// The items, each of them once.
    fn into_set(self) -> BTreeSet<Self::Item>
    where
        Self::Item: Ord,
    {
        let mut set = BTreeSet::new();
        set.extend(self);
        set
    }

    /// The values by their keys.
    fn into_map<K: Ord, V>(self) -> BTreeMap<K, V>
    where
        Self: Iterator<Item = (K, V)>,
    {
        let mut map = BTreeMap::new();
        map.extend(self);
        map
    }
}

impl<I: Iterator> Ordered for I {}
