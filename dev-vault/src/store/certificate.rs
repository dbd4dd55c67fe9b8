//! Certificates. Each version has a key and a secret of the same name and version behind it, which belong to it.

use x509_cert::der::Decode as _;

use super::model::{Attributes, Content, Details, Kind, Version};
use super::shelf::{Deleted, Found};
use super::{Key, Secret, Vault};
use crate::api::ApiError;
use crate::crypto::{Bundle, CertificateFormat, KeyType, Subject, issue};

/// What is public of a certificate, and how it was made.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    pub(crate) der: Vec<u8>,
    pub(crate) subject: String,
    pub(crate) kind: KeyType,
    pub(crate) format: CertificateFormat,
    pub(crate) exportable: bool,
    pub(crate) issuer: &'static str,
}

impl Content for Certificate {
    const KIND: Kind = Kind::Certificate;
}

/// How a certificate is made, and how the secret behind it looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateSpec {
    /// The private key and the certificates in PEM, in any order. Everything is made if this is missing.
    pub pem: Option<String>,
    /// The type of the key that is made: RSA, P-256 or P-384.
    pub key: KeyType,
    /// The subject of the certificate that is made, as `CN=app.example, O=Example`.
    pub subject: String,
    /// DNS names in the certificate that is made.
    pub dns_names: Vec<String>,
    /// For how many days the certificate that is made is valid; it has expired if that is 0.
    pub days: i64,
    /// The certificate that is made signs itself. Otherwise an intermediate and a root authority are made too.
    pub self_signed: bool,
    /// The form of the secret.
    pub format: CertificateFormat,
    /// Whether the secret has the private key in it.
    pub exportable: bool,
    /// Whether the leaf comes after the authorities in the secret.
    pub leaf_last: bool,
}

impl Default for CertificateSpec {
    fn default() -> Self {
        Self {
            pem: None,
            key: KeyType::P256,
            subject: "CN=app.example".to_owned(),
            dns_names: vec!["app.example".to_owned()],
            days: 365,
            self_signed: false,
            format: CertificateFormat::Pkcs12,
            exportable: true,
            leaf_last: false,
        }
    }
}

impl CertificateSpec {
    fn bundle(&self) -> Result<Bundle, String> {
        if let Some(pem) = &self.pem {
            return Bundle::from_pem(pem.as_bytes());
        }
        let subject =
            Subject { name: self.subject.clone(), dns_names: self.dns_names.clone(), days: self.days };
        issue(&subject, self.key, !self.self_signed)
    }
}

impl Vault {
    /// Makes what the description asks for.
    pub(crate) fn add_certificate(
        &mut self,
        name: &str,
        spec: &CertificateSpec,
        details: Details,
    ) -> Result<Found<Certificate>, ApiError> {
        self.check_certificate(name)?;
        let bundle = spec.bundle().map_err(ApiError::bad_parameter)?;
        self.put_certificate(name, &bundle, spec, details)
    }

    /// Adds a version made of this bundle, whatever the description says of its own.
    pub(crate) fn put_certificate(
        &mut self,
        name: &str,
        bundle: &Bundle,
        spec: &CertificateSpec,
        details: Details,
    ) -> Result<Found<Certificate>, ApiError> {
        self.check_certificate(name)?;
        let secret =
            bundle.secret(spec.format, spec.exportable, spec.leaf_last).map_err(ApiError::bad_parameter)?;
        let parsed = x509_cert::Certificate::from_der(bundle.leaf())
            .map_err(|_| ApiError::bad_parameter("the certificate cannot be read"))?;
        let to_unix = |time: x509_cert::time::Time| {
            i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
        };
        let certificate = Certificate {
            der: bundle.leaf().to_vec(),
            subject: parsed.tbs_certificate().subject().to_string(),
            kind: bundle.key.kind().map_err(ApiError::bad_parameter)?,
            format: spec.format,
            exportable: spec.exportable,
            issuer: if spec.self_signed { "Self" } else { "Unknown" },
        };
        let validity = parsed.tbs_certificate().validity();
        let attributes = Attributes {
            enabled: details.attributes.and_then(|attributes| attributes.enabled),
            nbf: Some(to_unix(validity.not_before)),
            exp: Some(to_unix(validity.not_after)),
        };
        let version = Version::new(certificate, Details { attributes: Some(attributes), ..details })?;
        let content_type = Some(spec.format.content_type().to_owned());
        let secret = version.behind(Secret { value: secret, content_type });
        let key = version.behind(Key::new(bundle.key.clone(), None));
        let found = self.certificates.add(name, version)?;
        self.secrets.add(name, secret)?;
        self.keys.add(name, key)?;
        Ok(found)
    }

    /// What is behind a certificate is enabled as long as the certificate is.
    pub(crate) fn update_certificate(
        &mut self,
        name: &str,
        version: Option<&str>,
        details: Details,
    ) -> Result<Found<Certificate>, ApiError> {
        let behind = details.clone();
        let found = self.certificates.change(name, version, |found| found.apply(details))?;
        let id = Some(found.version.id.as_str());
        self.secrets.change(name, id, |secret| secret.apply(behind.clone()))?;
        self.keys.change(name, id, |key| key.apply(behind))?;
        Ok(found)
    }

    pub(crate) fn delete_certificate(&mut self, name: &str) -> Result<Deleted<Certificate>, ApiError> {
        let deleted = self.certificates.delete(name)?;
        self.secrets.delete(name)?;
        self.keys.delete(name)?;
        Ok(deleted)
    }

    pub(crate) fn recover_certificate(&mut self, name: &str) -> Result<Found<Certificate>, ApiError> {
        let found = self.certificates.recover(name)?;
        self.secrets.recover(name)?;
        self.keys.recover(name)?;
        Ok(found)
    }

    pub(crate) fn purge_certificate(&mut self, name: &str) -> Result<(), ApiError> {
        self.certificates.purge(name)?;
        self.secrets.purge(name)?;
        self.keys.purge(name)
    }

    fn check_certificate(&self, name: &str) -> Result<(), ApiError> {
        self.certificates.check_free(name, false)?;
        self.secrets.check_free(name, true)?;
        self.keys.check_free(name, true)
    }
}
