//! The private key: PKCS#8 (RFC 5958), whatever it came as.

use super::asn1::{Elements, Malformed, element, numbered};
use der::{Encode as _, Tag, asn1::ObjectIdentifier};
use zeroize::Zeroizing;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

/// DER of the version that both PKCS#8 and RFC 5208 start with, and of no parameters.
const VERSION: &[u8] = &[2, 1, 0];
const NULL: &[u8] = &[5, 0];

/// A private key that can be opened by everybody.
pub(super) struct PrivateKey(Zeroizing<Vec<u8>>);

impl PrivateKey {
    pub(super) fn from_pkcs8(der: &[u8]) -> Result<Self, Malformed> {
        let key = Self(Zeroizing::new(der.to_vec()));
        key.parts()?;
        Ok(key)
    }

    /// An RSA key (RFC 8017, A.1.2).
    pub(super) fn from_pkcs1(der: &[u8]) -> Result<Self, Malformed> {
        rsa_public(der)?;
        Self::wrap(RSA, NULL, der)
    }

    /// A key on an elliptic curve (RFC 5915), which must name its curve.
    pub(super) fn from_sec1(der: &[u8]) -> Result<Self, Malformed> {
        let curve = EcKey::read(der)?.curve.ok_or(Malformed)?;
        Self::wrap(EC, curve, der)
    }

    fn wrap(algorithm: ObjectIdentifier, parameters: &[u8], key: &[u8]) -> Result<Self, Malformed> {
        let algorithm = element(Tag::Sequence, &[&algorithm.to_der()?, parameters].concat())?;
        let key = element(Tag::OctetString, key)?;
        let contents = Zeroizing::new([VERSION, &algorithm, &key].concat());
        element(Tag::Sequence, &contents).map(Self)
    }

    pub(super) fn der(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn into_der(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    fn parts(&self) -> Result<(ObjectIdentifier, &[u8]), Malformed> {
        let mut parts = Elements::of_sequence(&self.0)?;
        parts.next(Tag::Integer)?;
        let algorithm = parts.sequence()?.oid()?;
        Ok((algorithm, parts.next(Tag::OctetString)?))
    }

    /// The public half as a certificate holds it. A kind that Key Vault does not have, or a key that does not
    /// bring it along, has none.
    pub(super) fn public(&self) -> Option<Vec<u8>> {
        let (algorithm, key) = self.parts().ok()?;
        match algorithm {
            RSA => rsa_public(key).ok(),
            EC => EcKey::read(key).ok()?.public.map(<[u8]>::to_vec),
            _ => None,
        }
    }
}

/// Modulus and public exponent, which follow the version.
fn rsa_public(key: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut parts = Elements::of_sequence(key)?;
    parts.next(Tag::Integer)?;
    let (modulus, exponent) = (parts.raw_number()?, parts.raw_number()?);
    Ok(element(Tag::Sequence, &[modulus, exponent].concat())?.to_vec())
}

struct EcKey<'a> {
    curve: Option<&'a [u8]>,
    public: Option<&'a [u8]>,
}

impl<'a> EcKey<'a> {
    fn read(der: &'a [u8]) -> Result<Self, Malformed> {
        let mut parts = Elements::of_sequence(der)?;
        parts.next(Tag::Integer)?;
        parts.next(Tag::OctetString)?;
        let curve = parts.optional(numbered(0))?;
        let public = parts.optional(numbered(1))?.map(|bits| Elements::of(bits)?.bits()).transpose()?;
        Ok(Self { curve, public })
    }
}
