//! Private keys of every kind that Key Vault makes in software.

use std::fmt;

use getrandom::SysRng;
use p256::elliptic_curve::Generate as _;
use rsa::RsaPrivateKey;
use rsa::pkcs1::DecodeRsaPrivateKey as _;
use rsa::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, EncodePublicKey as _, LineEnding};
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

    /// The type without size or curve, as `kty` has it.
    pub(crate) fn kty(self) -> &'static str {
        if self.bits().is_some() { "RSA" } else { "EC" }
    }

    pub(crate) fn curve(self) -> Option<&'static str> {
        match self {
            Self::P256 => Some("P-256"),
            Self::P384 => Some("P-384"),
            Self::P521 => Some("P-521"),
            Self::P256K => Some("P-256K"),
            _ => None,
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

/// Does the same with the key inside, whatever its type.
macro_rules! each {
    ($key:expr, $inner:ident => $result:expr) => {
        match $key {
            PrivateKey::Rsa($inner) => $result,
            PrivateKey::P256($inner) => $result,
            PrivateKey::P384($inner) => $result,
            PrivateKey::P521($inner) => $result,
            PrivateKey::P256K($inner) => $result,
        }
    };
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

    pub(crate) fn from_pkcs8(der: &[u8]) -> Result<Self, String> {
        RsaPrivateKey::from_pkcs8_der(der)
            .map(|key| Self::Rsa(Box::new(key)))
            .or_else(|_| p256::SecretKey::from_pkcs8_der(der).map(Self::P256))
            .or_else(|_| p384::SecretKey::from_pkcs8_der(der).map(Self::P384))
            .or_else(|_| p521::SecretKey::from_pkcs8_der(der).map(Self::P521))
            .or_else(|_| k256::SecretKey::from_pkcs8_der(der).map(Self::P256K))
            .map_err(|_| "the private key is of no kind that a vault holds".to_owned())
    }

    /// From PKCS#1 (`RSA PRIVATE KEY`).
    pub(crate) fn from_pkcs1(der: &[u8]) -> Result<Self, String> {
        RsaPrivateKey::from_pkcs1_der(der)
            .map(|key| Self::Rsa(Box::new(key)))
            .map_err(|_| "the RSA private key cannot be read".to_owned())
    }

    /// From SEC 1 (`EC PRIVATE KEY`).
    pub(crate) fn from_sec1(der: &[u8]) -> Result<Self, String> {
        p256::SecretKey::from_sec1_der(der)
            .map(Self::P256)
            .or_else(|_| p384::SecretKey::from_sec1_der(der).map(Self::P384))
            .or_else(|_| p521::SecretKey::from_sec1_der(der).map(Self::P521))
            .or_else(|_| k256::SecretKey::from_sec1_der(der).map(Self::P256K))
            .map_err(|_| "the EC private key cannot be read".to_owned())
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

    pub(crate) fn pkcs8(&self) -> Vec<u8> {
        let der = each!(self, key => key.to_pkcs8_der());
        der.expect("a key that exists can be written").as_bytes().to_vec()
    }

    pub(crate) fn pkcs8_pem(&self) -> String {
        let pem = each!(self, key => key.to_pkcs8_pem(LineEnding::LF));
        pem.expect("a key that exists can be written").to_string()
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
