//! PKCS#12 (RFC 7292): what Key Vault keeps behind a certificate unless its policy asks for PEM. It encrypts
//! with an empty password, so that all of the encryption is but an encoding.

mod cipher;
mod derive;

use super::{
    Bundle, CertificateError, PrivateKey,
    asn1::{Elements, Malformed, numbered, numbered_bytes},
    chain::{Certificate, Chain},
    pem,
};
use crate::secret::SecretValue;
use base64ct::{Base64, Encoding as _};
use cipher::Opener;
use der::{Tag, asn1::ObjectIdentifier};
use derive::Hash;
use std::borrow::Cow;
use zeroize::Zeroizing;

const DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.1");
const ENCRYPTED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.6");
const KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.1");
const SHROUDED_KEY_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.2");
const CERTIFICATE_BAG: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.12.10.1.3");
const X509: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.22.1");

/// The only version that was ever used.
const VERSION: u32 = 3;

/// What a file holds.
#[derive(Default)]
pub(super) struct Contents {
    pub(super) keys: Vec<PrivateKey>,
    pub(super) certificates: Vec<Certificate>,
}

impl From<Malformed> for CertificateError {
    fn from(_: Malformed) -> Self {
        Self::DamagedPkcs12
    }
}

/// Reads a file, or its base64 as a vault gives it.
pub(super) fn read(value: &[u8]) -> Result<Bundle, CertificateError> {
    let der = Zeroizing::new(der(value)?.into_owned());
    let contents = open(&der, None)?;
    let mut keys = contents.keys.into_iter();
    let key = keys.next();
    if keys.next().is_some() {
        return Err(CertificateError::SeveralKeys);
    }
    let public = key.as_ref().and_then(PrivateKey::public);
    Ok(Bundle { chain: Chain::new(contents.certificates, public.as_deref())?, key })
}

/// The file as the vault keeps it, in base64.
pub(super) fn original(value: &[u8]) -> Result<SecretValue, CertificateError> {
    if !is_der(value) && pem::is_pem(value) {
        return Err(CertificateError::NoPkcs12);
    }
    let der = der(value)?;
    // With a password it is still a file that somebody may know to open.
    if Elements::of_sequence(&der)?.number()? != VERSION {
        return Err(CertificateError::DamagedPkcs12);
    }
    Ok(SecretValue::new(Base64::encode_string(&der)))
}

/// A sequence of more than 127 bytes: how every file starts. The length makes it no text.
fn is_der(value: &[u8]) -> bool {
    matches!(value, [0x30, length, ..] if *length > 0x80)
}

fn der(value: &[u8]) -> Result<Cow<'_, [u8]>, CertificateError> {
    if is_der(value) {
        return Ok(value.into());
    }
    let text: Zeroizing<Vec<u8>> =
        Zeroizing::new(value.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect());
    let text = str::from_utf8(&text).map_err(|_| CertificateError::NotACertificate)?;
    let der = Base64::decode_vec(text).map_err(|_| CertificateError::NotACertificate)?;
    if is_der(&der) { Ok(der.into()) } else { Err(CertificateError::NotACertificate) }
}

/// What a file in DER holds.
pub(super) fn open(der: &[u8], password: Option<&str>) -> Result<Contents, CertificateError> {
    match password {
        Some(password) => open_with(der, &Opener::new(password)),
        // Some programs write no password in a way of their own.
        None => open_with(der, &Opener::new(""))
            .or_else(|error| open_with(der, &Opener::without_end()).map_err(|_| error)),
    }
}

fn open_with(der: &[u8], opener: &Opener) -> Result<Contents, CertificateError> {
    let mut file = Elements::of_sequence(der)?;
    if file.number()? != VERSION {
        return Err(CertificateError::DamagedPkcs12);
    }
    let mut safe = file.sequence()?;
    if safe.oid()? != DATA {
        // Signed with a certificate instead of a password; nobody does.
        return Err(CertificateError::UnknownEncryption);
    }
    let safe = explicit_octets(&mut safe)?;
    if let Some(mac) = file.optional(Tag::Sequence)? {
        check_mac(mac, safe, opener)?;
    }
    let mut contents = Contents::default();
    let mut parts = Elements::of_sequence(safe)?;
    while !parts.is_at_end() {
        let mut part = parts.sequence()?;
        match part.oid()? {
            DATA => contents.read(explicit_octets(&mut part)?, opener)?,
            ENCRYPTED_DATA => {
                let mut data = Elements::of_sequence(part.next(numbered(0))?)?;
                data.number()?; // version
                let mut data = data.sequence()?;
                data.oid()?; // of what is inside
                let algorithm = data.sequence()?;
                let encrypted = data.next(numbered_bytes(0))?;
                let bags = opener.open(algorithm, encrypted)?;
                contents.read(&bags, opener)?;
            }
            _ => return Err(CertificateError::UnknownEncryption),
        }
    }
    Ok(contents)
}

fn explicit_octets<'a>(elements: &mut Elements<'a>) -> Result<&'a [u8], Malformed> {
    Elements::of(elements.next(numbered(0))?)?.next(Tag::OctetString)
}

/// The checksum of the file. One in a way that is not known is not checked: with a password that everybody
/// knows it proves nothing anyway, and what is inside has its own form.
fn check_mac(mac: &[u8], safe: &[u8], opener: &Opener) -> Result<(), CertificateError> {
    let mut mac = Elements::of(mac)?;
    let mut info = mac.sequence()?;
    let algorithm = info.sequence()?.oid()?;
    let expected = info.next(Tag::OctetString)?;
    let salt = mac.next(Tag::OctetString)?;
    let iterations = if mac.is_at_end() { 1 } else { mac.number()? };
    let Some(hash) = Hash::of_mac(algorithm) else { return Ok(()) };
    let key = opener.derive(hash, derive::Use::Mac, salt, iterations, hash.length())?;
    if hash.is_mac(&key, safe, expected) { Ok(()) } else { Err(CertificateError::Password) }
}

impl Contents {
    /// Adds what the bags hold; other kinds of bags (CRLs, secrets) are passed over.
    fn read(&mut self, bags: &[u8], opener: &Opener) -> Result<(), CertificateError> {
        let mut bags = Elements::of_sequence(bags)?;
        while !bags.is_at_end() {
            let mut bag = bags.sequence()?;
            let kind = bag.oid()?;
            let value = bag.next(numbered(0))?;
            match kind {
                KEY_BAG => self.keys.push(PrivateKey::from_pkcs8(value)?),
                SHROUDED_KEY_BAG => {
                    let mut shrouded = Elements::of_sequence(value)?;
                    let algorithm = shrouded.sequence()?;
                    let key = opener.open(algorithm, shrouded.next(Tag::OctetString)?)?;
                    self.keys.push(PrivateKey::from_pkcs8(&key)?);
                }
                CERTIFICATE_BAG => {
                    let mut certificate = Elements::of_sequence(value)?;
                    if certificate.oid()? != X509 {
                        return Err(CertificateError::NotX509);
                    }
                    self.certificates.push(Certificate::new(explicit_octets(&mut certificate)?)?);
                }
                _ => {}
            }
        }
        Ok(())
    }
}
