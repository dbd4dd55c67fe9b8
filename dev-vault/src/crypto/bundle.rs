//! A private key with its certificates, and the two forms in which Key Vault keeps that as a secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p12_keystore::{
    Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, Pkcs12Archive, PrivateKeyChain,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::Deserialize;
use x509_cert::der::{Decode as _, Encode as _};

use super::PrivateKey;

/// Enough for tests, which have nothing to protect from guessing.
const ITERATIONS: u32 = 2_000;

/// The form of the secret behind a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum CertificateFormat {
    /// PKCS#12 without a password, with AES-256 and SHA-256.
    #[default]
    #[serde(rename = "pkcs12")]
    Pkcs12,
    /// PKCS#12 without a password, with triple DES and SHA-1.
    #[serde(rename = "pkcs12-3des")]
    Pkcs12TripleDes,
    /// PKCS#12 without a password, with RC2 of 40 bits and SHA-1.
    #[serde(rename = "pkcs12-rc2")]
    Pkcs12Rc2,
    /// PEM.
    #[serde(rename = "pem")]
    Pem,
}

impl CertificateFormat {
    pub(crate) fn from_content_type(content_type: &str) -> Option<Self> {
        match content_type {
            "application/x-pkcs12" => Some(Self::Pkcs12),
            "application/x-pem-file" => Some(Self::Pem),
            _ => None,
        }
    }

    pub(crate) fn content_type(self) -> &'static str {
        if self == Self::Pem { "application/x-pem-file" } else { "application/x-pkcs12" }
    }
}

/// A key and certificates in DER. The leaf, whose key it is, comes first.
#[derive(Debug, Clone)]
pub(crate) struct Bundle {
    pub(crate) key: PrivateKey,
    pub(crate) certificates: Vec<Vec<u8>>,
}

impl Bundle {
    pub(crate) fn from_pem(text: &[u8]) -> Result<Self, String> {
        let key = match PrivateKeyDer::from_pem_slice(text) {
            Ok(PrivateKeyDer::Pkcs8(der)) => PrivateKey::from_pkcs8(der.secret_pkcs8_der()),
            Ok(PrivateKeyDer::Pkcs1(der)) => PrivateKey::from_pkcs1(der.secret_pkcs1_der()),
            Ok(PrivateKeyDer::Sec1(der)) => PrivateKey::from_sec1(der.secret_sec1_der()),
            _ => Err("there is no private key in the PEM".to_owned()),
        }?;
        let certificates = CertificateDer::pem_slice_iter(text)
            .map(|one| {
                one.map(|der| der.to_vec()).map_err(|_| "a certificate in the PEM is damaged".to_owned())
            })
            .collect::<Result<_, _>>()?;
        Self::new(key, certificates)
    }

    pub(crate) fn from_pkcs12(der: &[u8], password: &str) -> Result<Self, String> {
        let archive = Pkcs12Archive::from_pkcs12(der, password)
            .map_err(|_| "the PKCS#12 cannot be read, or not with this password".to_owned())?;
        let [key] = archive.keys.as_slice() else {
            return Err("the PKCS#12 must have one private key".to_owned());
        };
        let key = PrivateKey::from_pkcs8(key.key.as_der())?;
        Self::new(key, archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect())
    }

    fn new(key: PrivateKey, mut certificates: Vec<Vec<u8>>) -> Result<Self, String> {
        key.kind()?;
        let spki = key.spki();
        for der in &certificates {
            x509_cert::Certificate::from_der(der).map_err(|_| "a certificate cannot be read".to_owned())?;
        }
        let leaf = certificates
            .iter()
            .position(|der| public_key(der).is_some_and(|found| found == spki))
            .ok_or("no certificate belongs to the private key")?;
        certificates[..=leaf].rotate_right(1);
        Ok(Self { key, certificates })
    }

    pub(crate) fn leaf(&self) -> &[u8] {
        &self.certificates[0]
    }

    /// The secret's value: without the private key if it may not leave the vault, and with the leaf behind the
    /// authorities if so asked.
    pub(crate) fn secret(
        &self,
        format: CertificateFormat,
        exportable: bool,
        leaf_last: bool,
    ) -> Result<String, String> {
        let mut certificates: Vec<_> = self.certificates.iter().collect();
        if leaf_last {
            certificates.rotate_left(1);
        }
        let (encryption, mac) = match format {
            CertificateFormat::Pem => {
                let key = if exportable { self.key.pkcs8_pem() } else { String::new() };
                let certificates = certificates.into_iter().map(|der| pem_certificate(der));
                return Ok(std::iter::once(key).chain(certificates).collect());
            }
            CertificateFormat::Pkcs12 => {
                (EncryptionAlgorithm::PbeWithHmacSha256AndAes256, MacAlgorithm::HmacSha256)
            }
            CertificateFormat::Pkcs12TripleDes => {
                (EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc, MacAlgorithm::HmacSha1)
            }
            CertificateFormat::Pkcs12Rc2 => {
                (EncryptionAlgorithm::PbeWithShaAnd40BitRc4Cbc, MacAlgorithm::HmacSha1)
            }
        };
        let store =
            self.key_store(&certificates, exportable, leaf_last).map_err(|error| error.to_string())?;
        let der = store
            .writer("")
            .encryption_algorithm(encryption)
            .encryption_iterations(ITERATIONS)
            .mac_algorithm(mac)
            .mac_iterations(ITERATIONS)
            .write()
            .map_err(|error| error.to_string())?;
        Ok(STANDARD.encode(der))
    }

    fn key_store(
        &self,
        certificates: &[&Vec<u8>],
        exportable: bool,
        leaf_last: bool,
    ) -> Result<KeyStore, p12_keystore::error::Error> {
        let mut store = KeyStore::new();
        let parsed =
            certificates.iter().map(|der| Certificate::from_der(der)).collect::<Result<Vec<_>, _>>()?;
        // What has no key is written first, in the order of the names.
        let mut add_alone = |certificates: &[Certificate]| {
            for (index, certificate) in certificates.iter().enumerate() {
                store.add_entry(&format!("{index:03}"), KeyStoreEntry::Certificate(certificate.clone()));
            }
        };
        let chain = match (exportable, leaf_last, parsed.split_last()) {
            (true, true, Some((leaf, authorities))) => {
                add_alone(authorities);
                vec![leaf.clone()]
            }
            (true, ..) => parsed,
            (false, ..) => {
                add_alone(&parsed);
                return Ok(store);
            }
        };
        let key = p12_keystore::PrivateKey::from_der(&self.key.pkcs8())?;
        store.add_entry("leaf", KeyStoreEntry::PrivateKeyChain(PrivateKeyChain::new("leaf", key, chain)));
        Ok(store)
    }
}

fn public_key(der: &[u8]) -> Option<Vec<u8>> {
    let certificate = x509_cert::Certificate::from_der(der).ok()?;
    certificate.tbs_certificate().subject_public_key_info().to_der().ok()
}

fn pem_certificate(der: &[u8]) -> String {
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    let encoded = STANDARD.encode(der);
    for start in (0..encoded.len()).step_by(64) {
        text += &encoded[start..encoded.len().min(start + 64)];
        text += "\n";
    }
    text + "-----END CERTIFICATE-----\n"
}
