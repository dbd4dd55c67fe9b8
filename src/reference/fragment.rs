//! What follows `#` in a reference: a field of a JSON document, or a part of a certificate or key by its name.

use super::{CertificatePart, Collection, JsonPointer, Part, ReferenceError, piece::Piece};

const OF_SECRET: &str =
    "a JSON pointer starting with `/`, nothing, or one of leaf, chain, fullchain, ca, key, pem, pfx";
const OF_KEY: &str = "a JSON pointer starting with `/`, nothing, or one of pem, jwk";

/// By name, as written in a reference.
const CERTIFICATE_PARTS: [(&str, CertificatePart); 7] = [
    ("leaf", CertificatePart::Leaf),
    ("chain", CertificatePart::Chain),
    ("fullchain", CertificatePart::FullChain),
    ("ca", CertificatePart::Ca),
    ("key", CertificatePart::Key),
    ("pem", CertificatePart::Pem),
    ("pfx", CertificatePart::Pfx),
];

impl CertificatePart {
    /// As written in a reference.
    pub fn name(self) -> &'static str {
        CERTIFICATE_PARTS.iter().find(|(_, part)| *part == self).map_or("", |(name, _)| name)
    }
}

impl Part {
    /// The part that `fragment` names, of an object of this collection.
    pub(super) fn from_piece(fragment: Piece<'_>, collection: Collection) -> Result<Self, ReferenceError> {
        let text = fragment.text();
        if text.is_empty() || text.starts_with('/') {
            return Ok(Self::Field(JsonPointer::from_piece(fragment)?));
        }
        let (found, expected) = match collection {
            Collection::Secrets => {
                let named = CERTIFICATE_PARTS.iter().find(|(name, _)| *name == text);
                (named.map(|(_, part)| Self::Certificate(*part)), OF_SECRET)
            }
            Collection::Keys => match text {
                "pem" => (Some(Self::PublicKey), OF_KEY),
                "jwk" => (Some(Self::Whole), OF_KEY),
                _ => (None, OF_KEY),
            },
        };
        found.ok_or_else(|| fragment.malformed(0, expected))
    }
}
