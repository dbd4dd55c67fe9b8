//! A secret is a type: it cannot be printed, and its memory is wiped when the last holder lets go.

use std::{fmt, sync::Arc};
use zeroize::Zeroizing;

/// The bytes of one secret.
///
/// Clones share the same memory, so holding a value in several places makes no copy; the bytes are wiped
/// when the last clone is dropped. There is no `Display`, and `Debug` shows nothing of the value, not even
/// its length. Only outputs, the child's environment and fingerprints may call [`SecretValue::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(Arc<Zeroizing<Vec<u8>>>);

impl SecretValue {
    /// Takes over `bytes`; no copy is made.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Arc::new(Zeroizing::new(bytes.into())))
    }

    /// The value itself. Every call is a place to look at when asking where a secret can leak.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_the_value() {
        assert_eq!(format!("{:?}", SecretValue::new("hunter2")), "SecretValue(..)");
    }
}
