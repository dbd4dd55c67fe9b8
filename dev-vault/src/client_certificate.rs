//! The certificate of the one application that exists, and the check of what was signed with its key.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rcgen::{CertificateParams, DnType, KeyPair};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use ring::rsa;
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;

use crate::util::{now, random};

/// Nothing but tests relies on this key. It is kept because making RSA keys takes long.
const KEY: &str = include_str!("client-key.pem");

/// A certificate that is registered with the application.
#[derive(Debug)]
pub(crate) struct ClientCertificate {
    /// Certificate and key.
    pub(crate) pem: String,
    der: Vec<u8>,
}

/// Why an assertion is refused: Entra's number for it, and its words.
pub(crate) type Refused = (u32, &'static str);

const INVALID: Refused = (
    700_027,
    "The certificate with identifier used to sign the client assertion is not registered on application.",
);

impl ClientCertificate {
    /// A new one each time, though always with the same key.
    pub(crate) fn new() -> io::Result<Self> {
        let make = || {
            let mut params = CertificateParams::default();
            // All that tells two of them apart.
            params.serial_number = Some(random::<16>().to_vec().into());
            params.distinguished_name.push(DnType::CommonName, "dev-vault client");
            params.self_signed(&KeyPair::from_pem(KEY)?)
        };
        let certificate = make().map_err(io::Error::other)?;
        Ok(Self { pem: format!("{}{KEY}", certificate.pem()), der: certificate.der().to_vec() })
    }

    /// Whether an assertion claims to be signed with a certificate. Those of a service account name none.
    pub(crate) fn signs(assertion: &str) -> bool {
        part(assertion, 0)
            .is_some_and(|header| header.get("x5t").is_some() || header.get("x5t#S256").is_some())
    }

    /// Checks an assertion as Entra does: certificate, signature, whose it is, whom it is for, and when.
    pub(crate) fn check(&self, assertion: &str, client: &str, audience: &str) -> Result<(), Refused> {
        let (header, claims) = part(assertion, 0).zip(part(assertion, 1)).ok_or(INVALID)?;
        let thumbprints =
            [("x5t", digest(&SHA1_FOR_LEGACY_USE_ONLY, &self.der)), ("x5t#S256", digest(&SHA256, &self.der))];
        for (name, thumbprint) in thumbprints {
            // Some libraries leave the padding.
            let given =
                header.get(name).map(|given| given.as_str().unwrap_or_default().trim_end_matches('='));
            if given.is_some_and(|given| given != URL_SAFE_NO_PAD.encode(thumbprint)) {
                return Err(INVALID);
            }
        }
        if header.get("x5c").is_some_and(|chain| chain[0] != STANDARD.encode(&self.der)) {
            return Err(INVALID);
        }
        verify(assertion, header["alg"].as_str()).ok_or((700_027, "The signature is wrong."))?;
        if claims["aud"] != audience {
            return Err((700_023, "Client assertion audience claim does not match Realm issuer."));
        }
        if claims["iss"] != client
            || claims["sub"] != client
            || claims["jti"].as_str().is_none_or(str::is_empty)
        {
            return Err((
                700_021,
                "Client assertion application identifier doesn't match 'client_id' parameter.",
            ));
        }
        // Some libraries send fractions, and leave out the start.
        let time = |name: &str| {
            let time = &claims[name];
            time.as_i64().or_else(|| time.to_string().split('.').next()?.parse().ok())
        };
        let start = time("nbf").or(time("iat")).unwrap_or(now());
        match time("exp") {
            Some(end) if start <= now() && now() < end && end <= start + 24 * 60 * 60 => Ok(()),
            _ => Err((700_024, "Client assertion is not within its valid time range.")),
        }
    }
}

fn verify(assertion: &str, algorithm: Option<&str>) -> Option<()> {
    let algorithm: &'static dyn ring::signature::VerificationAlgorithm = match algorithm? {
        "RS256" => &RSA_PKCS1_2048_8192_SHA256,
        "PS256" => &RSA_PSS_2048_8192_SHA256,
        _ => return None,
    };
    let key = PrivatePkcs8KeyDer::from_pem_slice(KEY.as_bytes()).ok()?;
    let key = rsa::KeyPair::from_pkcs8(key.secret_pkcs8_der()).ok()?;
    let (signed, signature) = assertion.rsplit_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    UnparsedPublicKey::new(algorithm, key.public()).verify(signed.as_bytes(), &signature).ok()
}

fn part(assertion: &str, number: usize) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(assertion.split('.').nth(number)?).ok()?).ok()
}
