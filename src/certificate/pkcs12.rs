//! PKCS#12 (RFC 7292): what Key Vault keeps behind a certificate unless its policy asks for PEM. It encrypts
//! with an empty password.

use super::{Bundle, CertificateError, chain, chain::Certificate, pem};
use crate::secret::SecretValue;
use base64ct::{Base64, Encoding as _};
use p12_keystore::Pkcs12Archive;
use std::borrow::Cow;
use zeroize::Zeroizing;

/// DER of a sequence whose length takes two bytes: how every PKCS#12 file starts.
const START: &[u8] = &[0x30, 0x82];

/// Reads a file, or its base64 as a vault gives it.
pub(super) fn read(value: &[u8]) -> Result<Bundle, CertificateError> {
    let der = Zeroizing::new(der(value)?.into_owned());
    let archive = Pkcs12Archive::from_pkcs12(&der, "").map_err(|_| CertificateError::DamagedPkcs12)?;
    let (key, id) = match archive.keys.as_slice() {
        [] => (None, None),
        [one] => {
            let mut text = pem::Text::default();
            text.block("PRIVATE KEY", one.key.as_der());
            (Some(text), one.local_key_id.clone())
        }
        _ => return Err(CertificateError::SeveralKeys),
    };
    // The file itself says which certificate belongs to the key.
    let leaf = id
        .and_then(|id| archive.certs.iter().position(|bag| bag.local_key_id.as_deref() == Some(id.as_ref())));
    let certificates = archive.certs.into_iter().map(|bag| Certificate::from(bag.cert)).collect();
    Ok(Bundle { key, certificates: chain::order(certificates, leaf)? })
}

/// The file as the vault keeps it, in base64.
pub(super) fn original(value: &[u8]) -> Result<SecretValue, CertificateError> {
    if pem::is_pem(value) {
        return Err(CertificateError::NoPkcs12);
    }
    Ok(SecretValue::new(Base64::encode_string(&der(value)?)))
}

fn der(value: &[u8]) -> Result<Cow<'_, [u8]>, CertificateError> {
    if value.starts_with(START) {
        return Ok(value.into());
    }
    let text: Zeroizing<Vec<u8>> =
        Zeroizing::new(value.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect());
    let text = str::from_utf8(&text).map_err(|_| CertificateError::NotACertificate)?;
    let der = Base64::decode_vec(text).map_err(|_| CertificateError::NotACertificate)?;
    if der.starts_with(START) { Ok(der.into()) } else { Err(CertificateError::NotACertificate) }
}
