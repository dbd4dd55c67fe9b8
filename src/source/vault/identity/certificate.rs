//! An assertion signed with the key of a certificate, made by ourselves: the SDK's own way needs OpenSSL.
//!
//! <https://learn.microsoft.com/entra/identity-platform/certificate-credentials>

use super::{Held, LocalError, local};
use crate::certificate::{self, CertificateError};
use async_trait::async_trait;
use azure_core::{base64, http::ClientMethodOptions};
use azure_identity::ClientAssertion;
use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
    signature::{RSA_PSS_SHA256, RsaKeyPair},
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::json;
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// How long an assertion may be used. It is used at once; this leaves room for clocks that differ.
const LIFE: Duration = Duration::from_secs(10 * 60);

const WHAT: &str = "the client certificate";

/// Signs an assertion for each exchange. The file is read anew each time, so that its rotation works.
#[derive(Debug)]
pub(super) struct CertificateAssertion {
    pub(super) file: PathBuf,
    pub(super) password: Option<Held>,
    /// Whether to send the certificates along, for applications that trust a name and an issuer.
    pub(super) send_chain: bool,
    pub(super) client_id: String,
    /// The token endpoint.
    pub(super) audience: String,
}

#[async_trait]
impl ClientAssertion for CertificateAssertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        Ok(self.assertion(SystemTime::now())?)
    }
}

impl CertificateAssertion {
    fn assertion(&self, now: SystemTime) -> Result<String, LocalError> {
        let password = self.password.as_ref().map(|held| held.text("the password of the client certificate"));
        let Credentials { key, chain } =
            Credentials::read(&self.file, password.transpose()?.as_ref().map(|text| text.as_str()))?;
        let random = SystemRandom::new();
        let mut id = [0; 16];
        random.fill(&mut id).map_err(|_| LocalError::lasting("there is no randomness"))?;

        let mut header = json!({
            "alg": "PS256",
            "typ": "JWT",
            "x5t#S256": base64::encode_url_safe(digest(&SHA256, &chain[0])),
        });
        if self.send_chain {
            header["x5c"] = chain.iter().map(base64::encode).collect();
        }
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let claims = json!({
            "aud": self.audience,
            "iss": self.client_id,
            "sub": self.client_id,
            "jti": base64::encode_url_safe(id),
            "iat": now,
            "nbf": now,
            "exp": now + LIFE.as_secs(),
        });
        let part = |value: &serde_json::Value| base64::encode_url_safe(value.to_string());
        let mut assertion = format!("{}.{}", part(&header), part(&claims));
        let mut signature = vec![0; key.public().modulus_len()];
        key.sign(&RSA_PSS_SHA256, &random, assertion.as_bytes(), &mut signature)
            .map_err(|_| LocalError::file(WHAT, &self.file, "has a key that cannot sign"))?;
        let _ = write!(assertion, ".{}", base64::encode_url_safe(signature));
        Ok(assertion)
    }
}

/// What was in the file.
#[derive(Debug)]
struct Credentials {
    key: RsaKeyPair,
    /// The key's own certificate first; never empty.
    chain: Vec<Vec<u8>>,
}

impl Credentials {
    /// A PEM file, or else PKCS#12.
    fn read(path: &Path, password: Option<&str>) -> Result<Self, LocalError> {
        let file = local::bytes(WHAT, path)?;
        let is_pem = file.windows(11).any(|window| window == b"-----BEGIN ");
        let read = if is_pem { pem(&file) } else { pkcs12(&file, password) };
        let credentials = read.and_then(|(key, certificates)| Self::new(key, certificates));
        credentials.map_err(|problem| LocalError::file(WHAT, path, problem))
    }

    /// Whatever the order in the file, the certificate that counts is the one with the key's public half.
    fn new(key: RsaKeyPair, mut certificates: Vec<Vec<u8>>) -> Result<Self, String> {
        if certificates.is_empty() {
            return Err("holds no certificate; it must hold the certificate and its key".into());
        }
        let public = key.public().as_ref();
        let is_of_key = |certificate: &Vec<u8>| certificate.windows(public.len()).any(|part| part == public);
        let Some(leaf) = certificates.iter().position(is_of_key) else {
            return Err("holds a key and a certificate that do not belong together".into());
        };
        certificates[..=leaf].rotate_right(1);
        Ok(Self { key, chain: certificates })
    }
}

type Parts = (RsaKeyPair, Vec<Vec<u8>>);

fn pem(file: &[u8]) -> Result<Parts, String> {
    let damaged = |_| "is damaged: it is PEM that cannot be read".to_owned();
    let certificates = CertificateDer::pem_slice_iter(file)
        .map(|certificate| certificate.map(|certificate| certificate.to_vec()))
        .collect::<Result<_, _>>()
        .map_err(damaged)?;
    let key = match PrivateKeyDer::from_pem_slice(file) {
        Ok(PrivateKeyDer::Pkcs8(key)) => pkcs8(key.secret_pkcs8_der())?,
        Ok(PrivateKeyDer::Pkcs1(key)) => {
            RsaKeyPair::from_der(key.secret_pkcs1_der()).map_err(|error| refused(&error))?
        }
        Ok(_) => return Err(NOT_RSA.into()),
        Err(_) if file.windows(17).any(|part| part == b"BEGIN ENCRYPTED P") => {
            return Err(
                "has an encrypted key; keep it unencrypted in a Secret, or use PKCS#12 with a password"
                    .into(),
            );
        }
        Err(_) => return Err("holds no key; it must hold the certificate and its key".into()),
    };
    Ok((key, certificates))
}

fn pkcs12(file: &[u8], password: Option<&str>) -> Result<Parts, String> {
    let opened = certificate::open_pkcs12(file, password);
    let (keys, certificates) = opened.map_err(|error| match error {
        CertificateError::Password => {
            "cannot be opened: the password is wrong or missing; set AZURE_CLIENT_CERTIFICATE_PASSWORD or \
             clientCertificatePasswordFile"
        }
        _ => "cannot be read: it is neither PEM nor PKCS#12",
    })?;
    let key = keys.first().ok_or("holds no key; it must hold the certificate and its key")?;
    Ok((pkcs8(key)?, certificates))
}

fn pkcs8(der: &[u8]) -> Result<RsaKeyPair, String> {
    RsaKeyPair::from_pkcs8(der).map_err(|error| refused(&error))
}

const NOT_RSA: &str = "has a key that is not RSA; Microsoft Entra takes RSA keys of 2048 bits and more";

fn refused(error: &ring::error::KeyRejected) -> String {
    match error.to_string().as_str() {
        "WrongAlgorithm" => NOT_RSA.into(),
        reason => format!("has a key that cannot be used ({reason}); it must be RSA of 2048 to 4096 bits"),
    }
}

#[cfg(test)]
#[path = "certificate_tests.rs"]
mod tests;
