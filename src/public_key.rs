//! A public key as PEM: from the JSON Web Key (RFC 7517) that Key Vault shows to the `SubjectPublicKeyInfo`
//! (RFC 5280) that other programs read.

use crate::secret::SecretValue;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use der::{
    Encode, EncodePem, Sequence,
    asn1::{AnyRef, BitString, Null, ObjectIdentifier, UintRef},
    pem::LineEnding,
};
use serde::Deserialize;
use spki::{AlgorithmIdentifier, SubjectPublicKeyInfo};

/// Why a key has no public half as PEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    /// A symmetric key, or a kind that is newer than this program.
    #[error("the key is of a kind that has no public half in PEM (RSA and EC have)")]
    NoPublicHalf,
    /// An elliptic curve that is newer than this program.
    #[error("the key is on a curve that is not known (P-256, P-256K, P-384 and P-521 are)")]
    UnknownCurve,
    /// Not what Key Vault sends.
    #[error("the key is not a JSON Web Key")]
    NotAKey,
}

/// The members that matter here, in base64url.
#[derive(Deserialize)]
struct WebKey<'a> {
    kty: &'a str,
    n: Option<&'a str>,
    e: Option<&'a str>,
    crv: Option<&'a str>,
    x: Option<&'a str>,
    y: Option<&'a str>,
}

#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    public_exponent: UintRef<'a>,
}

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// Object identifier and bytes of a coordinate, by the curve's name.
const CURVES: [(&str, ObjectIdentifier, usize); 4] = [
    ("P-256", ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"), 32),
    ("P-256K", ObjectIdentifier::new_unwrap("1.3.132.0.10"), 32),
    ("P-384", ObjectIdentifier::new_unwrap("1.3.132.0.34"), 48),
    ("P-521", ObjectIdentifier::new_unwrap("1.3.132.0.35"), 66),
];

/// The PEM of a JSON Web Key. Keys in hardware (`RSA-HSM`, `EC-HSM`) have the same public half as others.
pub fn to_pem(key: &SecretValue) -> Result<SecretValue, PublicKeyError> {
    let key: WebKey<'_> = serde_json::from_slice(key.expose()).map_err(|_| PublicKeyError::NotAKey)?;
    match key.kty {
        "RSA" | "RSA-HSM" => rsa(&key),
        "EC" | "EC-HSM" => ec(&key),
        _ => Err(PublicKeyError::NoPublicHalf),
    }
}

fn rsa(key: &WebKey<'_>) -> Result<SecretValue, PublicKeyError> {
    let (modulus, exponent) = (member(key.n)?, member(key.e)?);
    let uint = |bytes| UintRef::new(bytes).map_err(|_| PublicKeyError::NotAKey);
    let key = RsaPublicKey { modulus: uint(&modulus)?, public_exponent: uint(&exponent)? };
    let key = key.to_der().map_err(|_| PublicKeyError::NotAKey)?;
    pem(RSA, Some(AnyRef::from(Null)), &key)
}

fn ec(key: &WebKey<'_>) -> Result<SecretValue, PublicKeyError> {
    let name = key.crv.unwrap_or_default();
    let (_, curve, size) =
        CURVES.iter().find(|(known, ..)| *known == name).ok_or(PublicKeyError::UnknownCurve)?;
    // An uncompressed point: both coordinates in full.
    let mut point = vec![4];
    for coordinate in [member(key.x)?, member(key.y)?] {
        let padding = size.checked_sub(coordinate.len()).ok_or(PublicKeyError::NotAKey)?;
        point.extend(std::iter::repeat_n(0, padding));
        point.extend(coordinate);
    }
    pem(EC, Some(AnyRef::from(curve)), &point)
}

fn member(text: Option<&str>) -> Result<Vec<u8>, PublicKeyError> {
    let text = text.filter(|text| !text.is_empty()).ok_or(PublicKeyError::NotAKey)?;
    Base64UrlUnpadded::decode_vec(text).map_err(|_| PublicKeyError::NotAKey)
}

fn pem(
    oid: ObjectIdentifier,
    parameters: Option<AnyRef<'_>>,
    key: &[u8],
) -> Result<SecretValue, PublicKeyError> {
    let info = SubjectPublicKeyInfo {
        algorithm: AlgorithmIdentifier { oid, parameters },
        subject_public_key: BitString::from_bytes(key).map_err(|_| PublicKeyError::NotAKey)?,
    };
    info.to_pem(LineEnding::LF).map(SecretValue::new).map_err(|_| PublicKeyError::NotAKey)
}

#[cfg(test)]
mod tests;
