//! What the one identity may not do. It may do everything at first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use super::ApiError;
use crate::util::lock;

/// One kind of request, as `COLLECTION/VERB`: `secrets/list`, `keys/get`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Operation {
    collection: &'static str,
    verb: &'static str,
}

/// The operations and the data actions that a role needs for them.
const OPERATIONS: [(&str, &str, &str); 23] = [
    ("secrets", "get", "getSecret/action"),
    ("secrets", "list", "readMetadata/action"),
    ("secrets", "set", "setSecret/action"),
    ("secrets", "update", "update/action"),
    ("secrets", "delete", "delete"),
    ("secrets", "recover", "recover/action"),
    ("secrets", "purge", "purge/action"),
    ("keys", "get", "read"),
    ("keys", "list", "read"),
    ("keys", "create", "create/action"),
    ("keys", "import", "import/action"),
    ("keys", "update", "update/action"),
    ("keys", "delete", "delete"),
    ("keys", "recover", "recover/action"),
    ("keys", "purge", "purge/action"),
    ("certificates", "get", "read"),
    ("certificates", "list", "read"),
    ("certificates", "create", "create/action"),
    ("certificates", "import", "import/action"),
    ("certificates", "update", "update/action"),
    ("certificates", "delete", "delete"),
    ("certificates", "recover", "recover/action"),
    ("certificates", "purge", "purge/action"),
];

impl Operation {
    pub(crate) fn named(name: &str) -> Option<Self> {
        let (collection, verb) = name.split_once('/')?;
        OPERATIONS
            .iter()
            .find(|one| (one.0, one.1) == (collection, verb))
            .map(|&(collection, verb, _)| Self { collection, verb })
    }

    /// What a request does; `None` for one that nothing here answers.
    pub(super) fn of(method: &str, root: &str, path: &[&str]) -> Option<Self> {
        let collection = root.strip_prefix("deleted").unwrap_or(root);
        let verb = match (method, path) {
            ("GET", [] | [_, "versions"]) => "list",
            ("GET", _) => "get",
            ("PUT", _) if root == "keys" => "import",
            ("PUT", _) => "set",
            ("PATCH", _) => "update",
            ("POST", [_, verb]) => verb,
            ("DELETE", _) if root == collection => "delete",
            ("DELETE", _) => "purge",
            _ => return None,
        };
        Self::named(&format!("{collection}/{verb}"))
    }

    pub(crate) fn name(self) -> String {
        format!("{}/{}", self.collection, self.verb)
    }

    fn action(self) -> String {
        let found = OPERATIONS.iter().find(|one| (one.0, one.1) == (self.collection, self.verb));
        format!("{}/{}", self.collection, found.map_or(self.verb, |one| one.2))
    }
}

/// The operations that are forbidden, by vault.
#[derive(Debug, Default)]
pub(crate) struct Permissions(Mutex<BTreeMap<String, BTreeSet<Operation>>>);

impl Permissions {
    pub(crate) fn forbid(&self, vault: &str, operation: Operation) {
        lock(&self.0).entry(vault.to_ascii_lowercase()).or_default().insert(operation);
    }

    pub(crate) fn allow(&self, vault: &str, operation: Operation) {
        if let Some(forbidden) = lock(&self.0).get_mut(&vault.to_ascii_lowercase()) {
            forbidden.remove(&operation);
        }
    }

    /// Puts these in place of what was forbidden.
    pub(crate) fn replace(&self, forbidden: BTreeMap<String, BTreeSet<Operation>>) {
        *lock(&self.0) =
            forbidden.into_iter().map(|(vault, one)| (vault.to_ascii_lowercase(), one)).collect();
    }

    /// The names of the forbidden operations.
    pub(crate) fn forbidden(&self) -> BTreeMap<String, Vec<String>> {
        let named = |operations: &BTreeSet<Operation>| operations.iter().map(|one| one.name()).collect();
        lock(&self.0).iter().map(|(vault, operations)| (vault.clone(), named(operations))).collect()
    }

    pub(super) fn check(&self, vault: &str, operation: Option<Operation>) -> Result<(), ApiError> {
        let Some(operation) = operation else { return Ok(()) };
        match lock(&self.0).get(&vault.to_ascii_lowercase()) {
            Some(forbidden) if forbidden.contains(&operation) => {
                Err(ApiError::forbidden(&operation.action()))
            }
            _ => Ok(()),
        }
    }
}
