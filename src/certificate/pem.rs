//! PEM (RFC 7468), in and out.

use super::{Bundle, CertificateError, chain, chain::Certificate};
use crate::secret::SecretValue;
use base64ct::{Base64, Encoding as _};
use rustls::pki_types::pem::{SectionKind, SliceIter};
use zeroize::Zeroizing;

/// Base64 characters in a line, as the RFC has it.
const LINE: usize = 64;

/// PEM blocks, one after the other, without anything in between.
#[derive(Default)]
pub(super) struct Text(Zeroizing<Vec<u8>>);

impl Text {
    pub(super) fn certificates(&mut self, certificates: &[Certificate]) {
        for certificate in certificates {
            self.block("CERTIFICATE", certificate.der());
        }
    }

    /// Adds one block.
    pub(super) fn block(&mut self, label: &str, der: &[u8]) {
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
    const BEGIN: &[u8] = b"-----BEGIN ";
    value.windows(BEGIN.len()).take(4096).any(|window| window == BEGIN)
}

/// Reads certificates and the private key of a PEM text; other blocks are passed over.
pub(super) fn read(text: &[u8]) -> Result<Bundle, CertificateError> {
    let (mut key, mut certificates) = (None, Vec::new());
    let sections = SliceIter::<(SectionKind, Vec<u8>)>::new(text);
    for section in sections {
        let (kind, der) = section.map_err(|_| CertificateError::DamagedPem)?;
        let der = Zeroizing::new(der);
        let label = match kind {
            SectionKind::Certificate => {
                certificates.push(Certificate::new(&der)?);
                continue;
            }
            SectionKind::PrivateKey => "PRIVATE KEY",
            SectionKind::RsaPrivateKey => "RSA PRIVATE KEY",
            SectionKind::EcPrivateKey => "EC PRIVATE KEY",
            _ => continue,
        };
        let mut text = Text::default();
        text.block(label, &der);
        if key.replace(text).is_some() {
            return Err(CertificateError::SeveralKeys);
        }
    }
    Ok(Bundle { key, certificates: chain::order(certificates, None)? })
}
