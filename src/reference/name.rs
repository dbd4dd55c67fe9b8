//! The names that a reference is made of. Whoever holds one need not check it again.

use super::{MountPath, ObjectName, ObjectVersion, ReferenceError, piece::Piece};
use std::sync::Arc;

const NAME: &str = "a secret name of 1 to 127 letters, digits and hyphens";
const VERSION: &str = "a version of 32 hexadecimal digits";
const COMPONENT: &str = "a file name that is not `.` and does not start with `..`";
const LENGTH: &str = "a path of at most 4096 bytes, each name in it of at most 255";
const PRINTABLE: &str = "a file path without control characters";

impl ObjectName {
    /// Checks `text` against the rules of Key Vault.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        Self::from_piece(Piece::new(text))
    }

    pub(super) fn from_piece(piece: Piece<'_>) -> Result<Self, ReferenceError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '-';
        Ok(Self(Arc::from(piece.check(allowed, (1, 127), NAME)?)))
    }
}

impl ObjectVersion {
    /// Checks `text` and puts it into lower case.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        Self::from_piece(Piece::new(text))
    }

    pub(super) fn from_piece(piece: Piece<'_>) -> Result<Self, ReferenceError> {
        let text = piece.check(|c| c.is_ascii_hexdigit(), (32, 32), VERSION)?;
        Ok(Self(Arc::from(text.to_ascii_lowercase())))
    }
}

impl MountPath {
    /// Checks that `text` stays inside the mount and out of its writer's own directories.
    pub fn parse(text: &str) -> Result<Self, ReferenceError> {
        Self::from_piece(Piece::new(text))
    }

    pub(super) fn from_piece(piece: Piece<'_>) -> Result<Self, ReferenceError> {
        piece.check(|c| !c.is_control(), (1, usize::MAX), PRINTABLE)?;
        for component in piece.pieces('/') {
            let text = component.text();
            if text.is_empty() || text == "." || text.starts_with("..") {
                return Err(component.malformed(0, COMPONENT));
            }
            if text.len() > 255 {
                return Err(component.malformed(0, LENGTH));
            }
        }
        if piece.text().len() > 4096 {
            return Err(piece.malformed(0, LENGTH));
        }
        Ok(Self(Arc::from(piece.text())))
    }
}
