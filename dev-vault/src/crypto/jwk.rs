//! Keys as JSON (RFC 7517, RFC 7518).

use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use rsa::traits::PublicKeyParts as _;
use rsa::{BoxedUint, RsaPrivateKey};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{KeyType, PrivateKey};

/// A private key as a client sends it for import.
#[derive(Debug, Deserialize)]
pub(crate) struct Jwk {
    pub(crate) kty: String,
    pub(crate) crv: Option<String>,
    pub(crate) n: Option<String>,
    pub(crate) e: Option<String>,
    pub(crate) d: Option<String>,
    pub(crate) p: Option<String>,
    pub(crate) q: Option<String>,
    pub(crate) key_ops: Option<Vec<String>>,
}

impl Jwk {
    pub(crate) fn private_key(&self) -> Result<PrivateKey, String> {
        let private = bytes("d", self.d.as_deref())?;
        let mismatch = || "the members of the key do not fit together".to_owned();
        if self.kty == "RSA" {
            let member =
                |name, text: &Option<String>| bytes(name, text.as_deref()).map(|found| number(&found));
            let primes = vec![member("p", &self.p)?, member("q", &self.q)?];
            let key = RsaPrivateKey::from_components(
                member("n", &self.n)?,
                member("e", &self.e)?,
                number(&private),
                primes,
            )
            .map_err(|_| mismatch())?;
            let key = PrivateKey::Rsa(Box::new(key));
            return key.kind().map(|_| key);
        }
        match KeyType::from_parts(&self.kty, None, self.crv.as_deref())? {
            KeyType::P384 => p384::SecretKey::from_slice(&private).map(PrivateKey::P384),
            KeyType::P521 => p521::SecretKey::from_slice(&private).map(PrivateKey::P521),
            KeyType::P256K => k256::SecretKey::from_slice(&private).map(PrivateKey::P256K),
            _ => p256::SecretKey::from_slice(&private).map(PrivateKey::P256),
        }
        .map_err(|_| mismatch())
    }
}

impl PrivateKey {
    /// The members of the public half.
    pub(crate) fn public_jwk(&self) -> Value {
        let (curve, length) = match self {
            Self::Rsa(key) => {
                return json!({
                    "kty": "RSA",
                    "n": text(&key.n().to_be_bytes_trimmed_vartime()),
                    "e": text(&key.e().to_be_bytes_trimmed_vartime()),
                });
            }
            Self::P256(_) => ("P-256", 32),
            Self::P384(_) => ("P-384", 48),
            Self::P521(_) => ("P-521", 66),
            Self::P256K(_) => ("P-256K", 32),
        };
        // The encoding ends with the uncompressed point.
        let spki = self.spki();
        let (x, y) = spki[spki.len() - 2 * length..].split_at(length);
        json!({"kty": "EC", "crv": curve, "x": text(x), "y": text(y)})
    }
}

fn number(bytes: &[u8]) -> BoxedUint {
    BoxedUint::from_be_slice_vartime(bytes)
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn bytes(name: &str, text: Option<&str>) -> Result<Vec<u8>, String> {
    let text = text.ok_or_else(|| format!("the key has no member {name}"))?;
    URL_SAFE_NO_PAD
        .decode(text)
        .or_else(|_| URL_SAFE.decode(text))
        .map_err(|_| format!("the key's member {name} is not base64url"))
}
