//! The order of certificates: each one before its issuer, whatever order they were kept in.

use super::{
    CertificateError,
    asn1::{Elements, Malformed, numbered, numbered_bytes},
};
use der::{Tag, asn1::ObjectIdentifier};

const SUBJECT_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const AUTHORITY_KEY_ID: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");

/// An X.509 certificate (RFC 5280), with what tells whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    der: Vec<u8>,
    issuer: Vec<u8>,
    subject: Vec<u8>,
    public_key: Vec<u8>,
    subject_key_id: Option<Vec<u8>>,
    authority_key_id: Option<Vec<u8>>,
}

impl Certificate {
    pub(super) fn new(der: &[u8]) -> Result<Self, CertificateError> {
        Self::parse(der).map_err(|Malformed| CertificateError::NotX509)
    }

    fn parse(der: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Elements::of_sequence(der)?.sequence()?;
        fields.optional(numbered(0))?; // version
        fields.next(Tag::Integer)?; // serial number
        fields.next(Tag::Sequence)?; // signature algorithm
        let issuer = fields.next(Tag::Sequence)?.to_vec();
        fields.next(Tag::Sequence)?; // validity
        let subject = fields.next(Tag::Sequence)?.to_vec();
        let mut public_key = fields.sequence()?;
        public_key.next(Tag::Sequence)?; // algorithm
        let public_key = public_key.bits()?.to_vec();
        fields.optional(numbered_bytes(1))?; // unique identifiers, which nobody uses
        fields.optional(numbered_bytes(2))?;
        let (mut subject_key_id, mut authority_key_id) = (None, None);
        if let Some(extensions) = fields.optional(numbered(3))? {
            let mut extensions = Elements::of_sequence(extensions)?;
            while !extensions.is_at_end() {
                let mut extension = extensions.sequence()?;
                let oid = extension.oid()?;
                extension.optional(Tag::Boolean)?; // critical
                let value = extension.next(Tag::OctetString)?;
                if oid == SUBJECT_KEY_ID {
                    subject_key_id = Some(Elements::of(value)?.next(Tag::OctetString)?.to_vec());
                } else if oid == AUTHORITY_KEY_ID {
                    let id = Elements::of_sequence(value)?.optional(numbered_bytes(0))?;
                    authority_key_id = id.map(<[u8]>::to_vec);
                }
            }
        }
        let der = der.to_vec();
        Ok(Self { der, issuer, subject, public_key, subject_key_id, authority_key_id })
    }

    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    pub(super) fn into_der(self) -> Vec<u8> {
        self.der
    }

    fn is_self_signed(&self) -> bool {
        self.is_issued_by(self)
    }

    /// By name, and by key where both tell: an authority that got a new key keeps its name.
    fn is_issued_by(&self, other: &Self) -> bool {
        let same_key = match (&self.authority_key_id, &other.subject_key_id) {
            (Some(wanted), Some(key)) => wanted == key,
            _ => true,
        };
        self.issuer == other.subject && same_key
    }
}

/// Certificates in order.
#[derive(Debug)]
pub(super) struct Chain {
    /// The leaf, and behind each certificate its issuer; never empty.
    path: Vec<Certificate>,
    /// What is on no path from the leaf, as it was.
    others: Vec<Certificate>,
}

impl Chain {
    /// The leaf is the certificate of `public_key`; where that is not known, or none has it, the first one
    /// that issued none of the others.
    pub(super) fn new(
        certificates: Vec<Certificate>,
        public_key: Option<&[u8]>,
    ) -> Result<Self, CertificateError> {
        let mut others: Vec<Certificate> = Vec::new();
        for certificate in certificates {
            if !others.contains(&certificate) {
                others.push(certificate);
            }
        }
        let leaf = leaf(&others, public_key).ok_or(CertificateError::NoCertificate)?;
        let mut path = vec![others.remove(leaf)];
        while let Some(issuer) = path.last().and_then(|last| issuer(last, &others)) {
            path.push(others.remove(issuer));
        }
        Ok(Self { path, others })
    }

    pub(super) fn leaf(&self) -> &Certificate {
        &self.path[0]
    }

    /// The leaf and its issuers but the root: what is trusted is trusted without being sent.
    pub(super) fn without_root(&self) -> impl Iterator<Item = &Certificate> {
        let issuers = self.path.iter().skip(1).filter(|one| !one.is_self_signed());
        std::iter::once(self.leaf()).chain(issuers)
    }

    /// All but the leaf.
    pub(super) fn issuers(&self) -> impl Iterator<Item = &Certificate> {
        self.all().skip(1)
    }

    /// Everything that was there.
    pub(super) fn all(&self) -> impl Iterator<Item = &Certificate> {
        self.path.iter().chain(&self.others)
    }
}

fn leaf(all: &[Certificate], public_key: Option<&[u8]>) -> Option<usize> {
    let issued_another = |one: &Certificate| all.iter().any(|other| other != one && other.is_issued_by(one));
    let mut candidates: Vec<usize> = (0..all.len()).collect();
    let mut prefer = |wanted: &dyn Fn(&Certificate) -> bool| {
        if candidates.iter().any(|&index| wanted(&all[index])) {
            candidates.retain(|&index| wanted(&all[index]));
        }
    };
    prefer(&|one| Some(&*one.public_key) == public_key);
    prefer(&|one| !issued_another(one));
    // A root that somebody added and that has nothing to do with the others.
    prefer(&|one| !one.is_self_signed());
    candidates.first().copied()
}

/// Of several, one that was signed by somebody else: an authority that an older one vouches for as well is
/// then presented with that voucher, which those need who know the older one only.
fn issuer(of: &Certificate, among: &[Certificate]) -> Option<usize> {
    if of.is_self_signed() {
        return None;
    }
    let issuers = || among.iter().enumerate().filter(|(_, one)| of.is_issued_by(one));
    issuers().find(|(_, one)| !one.is_self_signed()).or_else(|| issuers().next()).map(|(index, _)| index)
}
