//! PEM (RFC 7468), in and out.

use super::{
    Bundle, CertificateError, PrivateKey,
    chain::{Certificate, Chain},
};
use crate::secret::SecretValue;
use base64ct::{Base64, Encoding as _};
use rustls::pki_types::pem::{SectionKind, SliceIter};
use zeroize::Zeroizing;

/// Base64 characters in a line, as the RFC has it.
const LINE: usize = 64;

/// What a key looks like that needs a password: as PKCS#8, and as older programs wrote it.
const ENCRYPTED: [&[u8]; 2] = [b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED"];

/// PEM blocks, one after the other, without anything in between.
#[derive(Default)]
pub(super) struct Text(Zeroizing<Vec<u8>>);

impl Text {
    pub(super) fn certificates<'a>(&mut self, certificates: impl IntoIterator<Item = &'a Certificate>) {
        for certificate in certificates {
            self.block("CERTIFICATE", certificate.der());
        }
    }

    pub(super) fn key(&mut self, key: &PrivateKey) {
        self.block("PRIVATE KEY", key.der());
    }

    fn block(&mut self, label: &str, der: &[u8]) {
        let encoded = Zeroizing::new(Base64::encode_string(der));
        // Sized at once, so that no copy of a key is left behind by growing.
        let lines = encoded.len().div_ceil(LINE);
        let mut text = Vec::with_capacity(self.0.len() + encoded.len() + lines + 2 * (label.len() + 17));
        text.extend_from_slice(&self.0);
        text.extend_from_slice(format!("-----BEGIN {label}-----\n").as_bytes());
        for line in encoded.as_bytes().chunks(LINE) {
            text.extend_from_slice(line);
            text.push(b'\n');
        }
        text.extend_from_slice(format!("-----END {label}-----\n").as_bytes());
        self.0 = Zeroizing::new(text);
    }

    pub(super) fn into_value(mut self) -> SecretValue {
        SecretValue::new(std::mem::take(&mut *self.0))
    }
}

/// Whether a value claims to be PEM.
pub(super) fn is_pem(value: &[u8]) -> bool {
    contains(value, b"-----BEGIN ")
}

fn contains(value: &[u8], part: &[u8]) -> bool {
    value.windows(part.len()).any(|window| window == part)
}

/// Reads certificates and the private key of a PEM text; other blocks are passed over.
pub(super) fn read(text: &[u8]) -> Result<Bundle, CertificateError> {
    if ENCRYPTED.iter().any(|mark| contains(text, mark)) {
        return Err(CertificateError::KeyPassword);
    }
    let (mut key, mut certificates) = (None, Vec::new());
    for section in SliceIter::<(SectionKind, Vec<u8>)>::new(text) {
        let (kind, der) = section.map_err(|_| CertificateError::DamagedPem)?;
        let der = Zeroizing::new(der);
        let found = match kind {
            SectionKind::Certificate => {
                certificates.push(Certificate::new(&der)?);
                continue;
            }
            SectionKind::PrivateKey => PrivateKey::from_pkcs8(&der),
            SectionKind::RsaPrivateKey => PrivateKey::from_pkcs1(&der),
            SectionKind::EcPrivateKey => PrivateKey::from_sec1(&der),
            _ => continue,
        };
        if key.replace(found.map_err(|_| CertificateError::DamagedPem)?).is_some() {
            return Err(CertificateError::SeveralKeys);
        }
    }
    let public = key.as_ref().and_then(PrivateKey::public);
    Ok(Bundle { chain: Chain::new(certificates, public.as_deref())?, key })
}
