//! What can be wrong with a reference. No message quotes the text: a secret that was pasted where a
//! reference belongs must not come out in an error.

/// Why a text is no reference that can be used here. The caller says which variable it was for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// The text does not follow the grammar.
    #[error("character {at}: found {found}, expected {expected}")]
    Malformed {
        /// Position in the text as given, in characters, the first being 1.
        at: usize,
        /// What kind of thing stands there.
        found: &'static str,
        /// What should stand there.
        expected: &'static str,
    },
    /// Well formed, but this form is for secrets.
    #[error("character {at}: {what} have another form; write akv://VAULT/{what}/NAME")]
    OtherForm {
        /// Position as in [`ReferenceError::Malformed`].
        at: usize,
        /// `certificates` or `keys`.
        what: &'static str,
    },
    /// A host that must never see a token.
    #[error(
        "character {at}: the host does not end in a Key Vault suffix allowed here ({allowed}); \
         `vaultSuffixes` adds one"
    )]
    ForeignHost {
        /// Position as in [`ReferenceError::Malformed`].
        at: usize,
        /// The suffixes, separated by commas.
        allowed: String,
    },
    /// Nothing to read a plain name from.
    #[error("there is neither a vault nor a mount to read it from; set `vault` or `mount`")]
    NoSource,
    /// A pinned version without a default vault.
    #[error("a version can be read from a vault only, and none is configured; set `vault`")]
    NoVault,
    /// Something that only a mount can hold, without a mount.
    #[error("it can be read from a mount only, and none is configured; set `mount`")]
    NoMount,
}
