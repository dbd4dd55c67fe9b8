//! Private keys of every kind that Key Vault makes in software.

use std::fmt;

use getrandom::SysRng;
use p256::elliptic_curve::Generate as _;
use rsa::RsaPrivateKey;
use rsa::pkcs8::EncodePublicKey as _;
use rsa::rand_core::UnwrapErr;
use serde::Deserialize;

/// A key's type together with its size or curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum KeyType {
    /// RSA of 2048 bits.
    #[serde(rename = "RSA-2048", alias = "RSA")]
    Rsa2048,
    /// RSA of 3072 bits.
    #[serde(rename = "RSA-3072")]
    Rsa3072,
    /// RSA of 4096 bits.
    #[serde(rename = "RSA-4096")]
    Rsa4096,
    /// The NIST curve of 256 bits.
    #[serde(rename = "P-256", alias = "EC")]
    P256,
    /// The NIST curve of 384 bits.
    #[serde(rename = "P-384")]
    P384,
    /// The NIST curve of 521 bits.
    #[serde(rename = "P-521")]
    P521,
    /// The curve that others call `secp256k1`.
    #[serde(rename = "P-256K")]
    P256K,
}

impl KeyType {
    /// The type that these members of a request ask for; the service's defaults where they are missing.
    pub(crate) fn from_parts(kty: &str, size: Option<u32>, curve: Option<&str>) -> Result<Self, String> {
        match (kty, size, curve) {
            ("RSA", None | Some(2048), None) => Ok(Self::Rsa2048),
            ("RSA", Some(3072), None) => Ok(Self::Rsa3072),
            ("RSA", Some(4096), None) => Ok(Self::Rsa4096),
            ("RSA", Some(size), None) => Err(format!("The key size {size} is not supported.")),
            ("EC", _, None | Some("P-256")) => Ok(Self::P256),
            ("EC", _, Some("P-384")) => Ok(Self::P384),
            ("EC", _, Some("P-521")) => Ok(Self::P521),
            ("EC", _, Some("P-256K")) => Ok(Self::P256K),
            ("EC", _, Some(curve)) => Err(format!("The curve {curve} is not supported.")),
            _ => Err(format!("The key type {kty} is not supported, or not with these members.")),
        }
    }

    pub(crate) fn bits(self) -> Option<usize> {
        match self {
            Self::Rsa2048 => Some(2048),
            Self::Rsa3072 => Some(3072),
            Self::Rsa4096 => Some(4096),
            _ => None,
        }
    }
}

/// A private key. What it shows of itself is only its type.
#[derive(Clone)]
pub(crate) enum PrivateKey {
    Rsa(Box<RsaPrivateKey>),
    P256(p256::SecretKey),
    P384(p384::SecretKey),
    P521(p521::SecretKey),
    P256K(k256::SecretKey),
}

impl PrivateKey {
    pub(crate) fn generate(kind: KeyType) -> Result<Self, String> {
        Ok(match kind {
            KeyType::Rsa2048 | KeyType::Rsa3072 | KeyType::Rsa4096 => {
                let bits = kind.bits().unwrap_or(2048);
                let key =
                    RsaPrivateKey::new(&mut UnwrapErr(SysRng), bits).map_err(|error| error.to_string())?;
                Self::Rsa(Box::new(key))
            }
            KeyType::P256 => Self::P256(p256::SecretKey::generate()),
            KeyType::P384 => Self::P384(p384::SecretKey::generate()),
            KeyType::P521 => Self::P521(p521::SecretKey::generate()),
            KeyType::P256K => Self::P256K(k256::SecretKey::generate()),
        })
    }

    pub(crate) fn kind(&self) -> Result<KeyType, String> {
        use rsa::traits::PublicKeyParts as _;
        match self {
            Self::Rsa(key) => {
                let bits = u32::try_from(key.size() * 8).unwrap_or(u32::MAX);
                KeyType::from_parts("RSA", Some(bits), None)
            }
            Self::P256(_) => Ok(KeyType::P256),
            Self::P384(_) => Ok(KeyType::P384),
            Self::P521(_) => Ok(KeyType::P521),
            Self::P256K(_) => Ok(KeyType::P256K),
        }
    }

    /// The public half as DER (`SubjectPublicKeyInfo`).
    pub(crate) fn spki(&self) -> Vec<u8> {
        let der = match self {
            Self::Rsa(key) => key.to_public_key().to_public_key_der(),
            Self::P256(key) => key.public_key().to_public_key_der(),
            Self::P384(key) => key.public_key().to_public_key_der(),
            Self::P521(key) => key.public_key().to_public_key_der(),
            Self::P256K(key) => key.public_key().to_public_key_der(),
        };
        der.expect("a key that exists can be written").as_bytes().to_vec()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("PrivateKey").field(&self.kind()).finish()
    }
}
