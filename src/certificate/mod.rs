//! Parts of a certificate: what the secret behind a Key Vault certificate, or a file of the mount, holds is
//! read as PEM or PKCS#12, put in order, and given out as PEM.

mod asn1;
mod chain;
mod key;
mod pem;
mod pkcs12;

use crate::{reference::CertificatePart, secret::SecretValue};
use chain::Chain;
use key::PrivateKey;
use zeroize::Zeroizing;

/// Why a value has no such part. Nothing of the value is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// Neither PEM nor PKCS#12.
    #[error("the value is neither PEM nor PKCS#12, so it is no certificate")]
    NotACertificate,
    /// A PEM block that does not parse.
    #[error("the PEM text is damaged")]
    DamagedPem,
    /// A PKCS#12 file that does not parse.
    #[error("the PKCS#12 file is damaged, or not in DER")]
    DamagedPkcs12,
    /// A PKCS#12 file that does not open.
    #[error(
        "the PKCS#12 file does not open without a password; store it without one, as Key Vault does itself"
    )]
    Password,
    /// A key in PEM that does not open.
    #[error("the private key is protected by a password; store it without one")]
    KeyPassword,
    /// A PKCS#12 file in a way of encryption that is not known.
    #[error(
        "the PKCS#12 file is encrypted in a way that is not known (AES and Triple DES in CBC mode and RC2 are, \
         with PBKDF2 or PKCS#12's own derivation)"
    )]
    UnknownEncryption,
    /// A PKCS#12 file that would take too long to open.
    #[error("the PKCS#12 file asks for too many iterations; without a password they protect nothing")]
    TooManyIterations,
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
    key: Option<PrivateKey>,
    chain: Chain,
}

/// Keys and certificates in DER.
type Ders = (Vec<Zeroizing<Vec<u8>>>, Vec<Vec<u8>>);

/// The keys (PKCS#8) and the certificates of a PKCS#12 file, in DER and in the order of the file.
pub(crate) fn open_pkcs12(file: &[u8], password: Option<&str>) -> Result<Ders, CertificateError> {
    let pkcs12::Contents { keys, certificates } = pkcs12::open(file, password)?;
    let keys = keys.into_iter().map(PrivateKey::into_der).collect();
    Ok((keys, certificates.into_iter().map(chain::Certificate::into_der).collect()))
}

/// Takes `part` out of `value`.
pub fn part(value: &SecretValue, part: CertificatePart) -> Result<SecretValue, CertificateError> {
    let value = value.expose();
    if part == CertificatePart::Pfx {
        return pkcs12::original(value);
    }
    let Bundle { key, chain } = if pem::is_pem(value) { pem::read(value)? } else { pkcs12::read(value)? };
    let key = key.as_ref().ok_or(CertificateError::NoPrivateKey);
    let mut text = pem::Text::default();
    match part {
        CertificatePart::Leaf => text.certificates([chain.leaf()]),
        CertificatePart::Chain => text.certificates(chain.without_root()),
        CertificatePart::FullChain => text.certificates(chain.all()),
        CertificatePart::Ca => {
            chain.issuers().next().ok_or(CertificateError::NoIssuer)?;
            text.certificates(chain.issuers());
        }
        CertificatePart::Key => text.key(key?),
        CertificatePart::Pem => {
            text.key(key?);
            text.certificates(chain.all());
        }
        CertificatePart::Pfx => {}
    }
    Ok(text.into_value())
}

#[cfg(test)]
mod tests;
