//! The order of certificates: each one before its issuer, whatever order they were kept in.

use super::CertificateError;
use p12_keystore::Certificate as Parsed;

/// An X.509 certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate(Parsed);

impl Certificate {
    pub(super) fn new(der: &[u8]) -> Result<Self, CertificateError> {
        Parsed::from_der(der).map(Self).map_err(|_| CertificateError::NotX509)
    }

    pub(super) fn der(&self) -> &[u8] {
        self.0.as_der()
    }

    pub(super) fn is_self_signed(&self) -> bool {
        self.0.subject() == self.0.issuer()
    }

    fn is_issued_by(&self, other: &Self) -> bool {
        self.0.issuer() == other.0.subject()
    }
}

impl From<Parsed> for Certificate {
    fn from(parsed: Parsed) -> Self {
        Self(parsed)
    }
}

/// Puts the leaf first and behind each certificate its issuer. What belongs to no chain from the leaf comes
/// last, as it was. `leaf` is the place of the leaf where that is known; else it is the first one that issued
/// none of the others.
pub(super) fn order(
    mut rest: Vec<Certificate>,
    leaf: Option<usize>,
) -> Result<Vec<Certificate>, CertificateError> {
    let issued_another = |index: usize, one: &Certificate| {
        rest.iter().enumerate().any(|(other, by)| other != index && by != one && by.is_issued_by(one))
    };
    let leaf = leaf
        .or_else(|| rest.iter().enumerate().position(|(index, one)| !issued_another(index, one)))
        // Two that issued each other.
        .or_else(|| (!rest.is_empty()).then_some(0))
        .ok_or(CertificateError::NoCertificate)?;
    let mut ordered = vec![rest.remove(leaf)];
    while let Some(last) = ordered.last().filter(|last| !last.is_self_signed())
        && let Some(issuer) = rest.iter().position(|one| last.is_issued_by(one))
    {
        ordered.push(rest.remove(issuer));
    }
    rest.retain(|one| !ordered.contains(one));
    ordered.append(&mut rest);
    Ok(ordered)
}
