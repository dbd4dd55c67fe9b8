//! What a child finds in its environment, and what is kept from it.

use crate::{
    secret::SecretValue,
    snapshot::{Entry, Snapshot},
};
use std::{
    ffi::{CString, OsStr, OsString},
    os::unix::ffi::OsStrExt,
    sync::Arc,
};
use zeroize::Zeroizing;

/// Azure credentials that are the agent's own and none of the child's business. The ids and the token file
/// of a workload identity stay: the app may well be a client of Azure itself.
const NOT_FOR_THE_CHILD: [&str; 4] = [
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_PASSWORD",
];

/// Variables of the agent's own environment that are passed on.
pub type Inherited = Arc<[(OsString, OsString)]>;

/// The agent's own environment without what is not for the child.
pub fn inherited(all: impl IntoIterator<Item = (OsString, OsString)>) -> Inherited {
    let withheld = |name: &OsStr| {
        name.as_bytes().starts_with(b"AKV_AGENT_") || NOT_FOR_THE_CHILD.iter().any(|secret| name == *secret)
    };
    all.into_iter().filter(|(name, _)| !withheld(name)).collect()
}

/// The environment of a child: the agent's own without what is not for the child, and the set on top.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// What is passed on.
    pub inherited: Inherited,
    /// The set; these win.
    pub secrets: Vec<(OsString, SecretValue)>,
}

impl Environment {
    /// The one for a set.
    pub fn with(inherited: &Inherited, snapshot: &Snapshot) -> Self {
        let secrets = snapshot.entries.iter();
        let secrets = secrets.map(|entry| (entry.variable.as_str().into(), entry.value.clone()));
        Self { inherited: Arc::clone(inherited), secrets: secrets.collect() }
    }

    pub(super) fn get(&self, name: &str) -> Option<&OsStr> {
        let inherited = || self.inherited.iter().find(|(key, _)| key == name);
        self.secret(name)
            .map(|value| OsStr::from_bytes(value.expose()))
            .or_else(|| Some(inherited()?.1.as_os_str()))
    }

    /// The value that the set has for a variable.
    pub(super) fn secret(&self, name: &str) -> Option<&SecretValue> {
        self.secrets.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// As execve(2) takes it, wiped when dropped, without the variables that are `withheld`.
    ///
    /// No value holds a NUL byte: a snapshot refuses those, and the kernel lets none into our own.
    pub(super) fn strings(&self, withheld: &[&str]) -> Zeroizing<Vec<CString>> {
        let replaced = |name: &OsStr| self.secrets.iter().any(|(key, _)| key == name);
        let inherited = self.inherited.iter().filter(|(name, _)| !replaced(name));
        let inherited = inherited.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let secrets = self.secrets.iter().map(|(name, value)| (name.as_bytes(), value.expose()));
        let passed = inherited
            .chain(secrets)
            .filter(|(name, _)| !withheld.iter().any(|withheld| withheld.as_bytes() == *name));
        Zeroizing::new(passed.filter_map(|(name, value)| variable(name, value)).collect())
    }
}

/// `NAME=value`.
pub(super) fn variable(name: &[u8], value: &[u8]) -> Option<CString> {
    // With room for the NUL, so that the buffer never moves and leaves no copy behind.
    let mut variable = Vec::with_capacity(name.len() + value.len() + 2);
    for part in [name, b"=", value] {
        variable.extend_from_slice(part);
    }
    CString::new(variable).ok()
}

/// The kernel takes no longer string of arguments or environment: `MAX_ARG_STRLEN`, 32 pages with the NUL.
const LONGEST_VARIABLE: usize = 32 * 4096 - 1;

/// Whether a child could be started with `snapshot`; asked before the old one is stopped for it.
pub fn check(snapshot: &Snapshot) -> Result<(), String> {
    let length = |entry: &Entry| entry.variable.as_str().len() + 1 + entry.value.expose().len();
    match snapshot.entries.iter().find(|entry| length(entry) > LONGEST_VARIABLE) {
        None => Ok(()),
        Some(entry) => Err(format!(
            "{}: {} is longer than the 128 KiB that a variable can have; read it from a file",
            entry.variable, entry.provenance
        )),
    }
}
