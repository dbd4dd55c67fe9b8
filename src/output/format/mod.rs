//! How an env file looks for its reader. Each format has a file of its own, round-trips every value that
//! it accepts through its real reader, and refuses the others by name.

mod kubelet;
mod shell;

use std::fmt;

/// One way to write variables.
pub trait Format: Sync {
    /// The name in the configuration.
    fn name(&self) -> &'static str;

    /// At most how many bytes [`Format::line`] appends.
    fn bound(&self, variable: &str, value: &[u8]) -> usize;

    /// Appends one variable.
    fn line(&self, variable: &str, value: &[u8], out: &mut Vec<u8>) -> Result<(), Inexpressible>;

    /// Whether it is the app that reads the file. Who reads it for an app does so some time before the app is
    /// started.
    fn is_for_the_app(&self) -> bool {
        true
    }

    /// Checks the file as a whole.
    fn check_file(&self, _content: &[u8]) -> Result<(), Inexpressible> {
        Ok(())
    }
}

/// What a format refuses, and what to use instead; never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the format '{format}' cannot express {what}; {remedy}")]
pub struct Inexpressible {
    /// Which format.
    pub format: &'static str,
    /// What it cannot express.
    pub what: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

/// Every format, by name. The first one is the default.
pub const FORMATS: &[&dyn Format] = &[&shell::Shell, &kubelet::Kubelet];

/// The format called `name`.
pub fn by_name(name: &str) -> Option<&'static dyn Format> {
    FORMATS.iter().copied().find(|format| format.name() == name)
}

impl fmt::Debug for dyn Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl PartialEq for dyn Format {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for dyn Format {}

/// Appends `value` in single quotes, each inner quote replaced by `escape`.
fn push_quoted(value: &[u8], escape: &[u8], out: &mut Vec<u8>) {
    out.push(b'\'');
    for &byte in value {
        if byte == b'\'' { out.extend_from_slice(escape) } else { out.push(byte) }
    }
    out.push(b'\'');
}
