//! Files that an identity needs, and what is wrong with them.

use crate::{
    failure::{Class, Failure},
    files,
};
use azure_core::error::ErrorKind;
use std::{fmt, io, path::Path};
use zeroize::Zeroizing;

/// A service account token has one or two kilobytes, a certificate with its chain some ten.
const LONGEST: u64 = 64 << 10;

/// Something of the identity's own, on this machine, is not as it must be. The message holds nothing of what
/// a file or a variable holds.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub(in super::super) struct LocalError {
    pub(in super::super) class: Class,
    /// Whether waiting can help.
    pub(in super::super) transient: bool,
    pub(in super::super) message: String,
}

impl LocalError {
    /// Stays until somebody changes something.
    pub(super) fn lasting(message: impl Into<String>) -> Self {
        Self { class: Class::Config, transient: false, message: message.into() }
    }

    /// About a file.
    pub(super) fn file(what: &str, path: &Path, problem: impl fmt::Display) -> Self {
        Self::lasting(format!("{what} {} {problem}", path.display()))
    }
}

impl From<Failure> for LocalError {
    fn from(failure: Failure) -> Self {
        Self { class: failure.class, transient: false, message: failure.message }
    }
}

impl From<LocalError> for azure_core::Error {
    /// Of kind `Other`, which the SDK passes on at once.
    fn from(error: LocalError) -> Self {
        Self::new(ErrorKind::Other, error)
    }
}

/// All of a file. `what` names it in an error.
pub(super) fn bytes(what: &str, path: &Path) -> Result<Zeroizing<Vec<u8>>, LocalError> {
    match files::read_regular(path, LONGEST) {
        Ok(bytes) if bytes.is_empty() => Err(LocalError::file(what, path, "is empty")),
        Ok(bytes) => Ok(bytes.into()),
        Err(error) => {
            let hint = match error.kind() {
                io::ErrorKind::NotFound => "; is it mounted, and its path right?",
                io::ErrorKind::PermissionDenied => "; the agent's user must be able to read it",
                _ => "",
            };
            Err(LocalError::file(what, path, format_args!("cannot be read: {error}{hint}")))
        }
    }
}

/// The text of a file without white space around it, above all without a line end.
pub(super) fn text(what: &str, path: &Path) -> Result<Zeroizing<String>, LocalError> {
    let bytes = bytes(what, path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| LocalError::file(what, path, "is not text"))?;
    match text.trim() {
        "" => Err(LocalError::file(what, path, "is empty")),
        text => Ok(text.to_owned().into()),
    }
}
