//! Parts of a certificate: what the secret behind a Key Vault certificate, or a file of the mount, holds is
//! read as PEM or PKCS#12, put in order, and given out as PEM.

mod chain;
mod pem;
mod pkcs12;

use crate::{reference::CertificatePart, secret::SecretValue};

/// Why a value has no such part. Nothing of the value is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Neither PEM nor PKCS#12.
    #[error("the value is neither PEM nor PKCS#12, so it is no certificate")]
    NotACertificate,
    /// A PEM block that does not parse.
    #[error("the PEM text is damaged")]
    DamagedPem,
    /// A PKCS#12 file that does not parse, or in a way of encryption that is not known.
    #[error("the PKCS#12 file cannot be read; it must be in DER, without a password")]
    DamagedPkcs12,
    /// No certificate in it.
    #[error("there is no certificate in the value")]
    NoCertificate,
    /// Nobody issued it who is there too.
    #[error("there is no certificate in the value but the leaf")]
    NoIssuer,
    /// A certificate that is not X.509.
    #[error("a certificate in the value is not X.509")]
    NotX509,
    /// Only the public half is there.
    #[error(
        "the value holds no private key: the certificate's policy says that it is not exportable; set \
         `exportable` in its policy and create a new version, or use the leaf or chain only"
    )]
    NoPrivateKey,
    /// Several keys, and no way to tell which is meant.
    #[error("there is more than one private key in the value")]
    SeveralKeys,
    /// PEM has no PKCS#12 file to give out.
    #[error("the vault keeps this certificate as PEM, so there is no PKCS#12 file; use the part pem")]
    NoPkcs12,
}

/// A certificate with what came with it.
struct Bundle {
    /// The private key as PEM.
    key: Option<pem::Text>,
    /// Leaf first, then whoever issued the one before; a root last.
    certificates: Vec<chain::Certificate>,
}

/// Takes `part` out of `value`.
pub fn part(value: &SecretValue, part: CertificatePart) -> Result<SecretValue, CertificateError> {
    if part == CertificatePart::Pfx {
        return pkcs12::original(value.expose());
    }
    let Bundle { key, certificates } =
        if pem::is_pem(value.expose()) { pem::read(value.expose())? } else { pkcs12::read(value.expose())? };
    let roots = certificates.iter().rev().take_while(|one| one.is_self_signed()).count();
    // A leaf that signed itself is no root that could be left out.
    let without_root = (certificates.len() - roots).max(1);
    let key = || key.ok_or(CertificateError::NoPrivateKey);
    let mut text = pem::Text::default();
    match part {
        CertificatePart::Leaf => text.certificates(&certificates[..1]),
        CertificatePart::Chain => text.certificates(&certificates[..without_root]),
        CertificatePart::FullChain => text.certificates(&certificates),
        CertificatePart::Ca => match &certificates[1..] {
            [] => return Err(CertificateError::NoIssuer),
            issuers => text.certificates(issuers),
        },
        CertificatePart::Key => text = key()?,
        CertificatePart::Pem => {
            text = key()?;
            text.certificates(&certificates);
        }
        CertificatePart::Pfx => {}
    }
    Ok(text.into_value())
}

#[cfg(test)]
mod tests;
