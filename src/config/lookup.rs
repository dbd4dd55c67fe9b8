//! The environment as something that can be handed in, so that no test has to change the process's own.

use std::{
    collections::BTreeMap,
    env,
    ffi::{OsStr, OsString},
};

/// Read access to environment variables.
pub trait Lookup {
    /// The value of one variable.
    fn var(&self, name: &str) -> Option<OsString>;
    /// The value of one variable, if it is text.
    fn text(&self, name: &str) -> Option<String> {
        self.var(name)?.into_string().ok()
    }
    /// All variables, in no particular order.
    fn all(&self) -> Vec<(OsString, OsString)>;
}

/// The environment of this process.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnvironment;

impl Lookup for ProcessEnvironment {
    fn var(&self, name: &str) -> Option<OsString> {
        env::var_os(name)
    }

    fn all(&self) -> Vec<(OsString, OsString)> {
        env::vars_os().collect()
    }
}

/// One variable of this process; what is not UTF-8 counts as unset.
pub fn process_variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

impl Lookup for BTreeMap<OsString, OsString> {
    fn var(&self, name: &str) -> Option<OsString> {
        self.get(OsStr::new(name)).cloned()
    }

    fn all(&self) -> Vec<(OsString, OsString)> {
        self.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }
}
