//! Certificates in a seed file: given as PEM, or made anew at every start.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::OneOrMany;
use crate::crypto::{CertificateFormat, KeyType};
use crate::store::{Attributes, CertificateSpec, Details, Vault};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Certificate {
    pem: Option<String>,
    subject: Option<String>,
    dns_names: Option<Vec<String>>,
    key: Option<KeyType>,
    days: Option<i64>,
    self_signed: Option<bool>,
    format: Option<CertificateFormat>,
    exportable: Option<bool>,
    leaf_last: Option<bool>,
    version: Option<String>,
    enabled: Option<bool>,
    tags: Option<BTreeMap<String, String>>,
    #[serde(default)]
    versions: Vec<Certificate>,
}

impl OneOrMany for Certificate {
    const CONTENT: &'static str = "subject or pem";

    fn has_content(&self) -> bool {
        self.pem.is_some() || self.subject.is_some()
    }

    fn versions(&mut self) -> &mut Vec<Self> {
        &mut self.versions
    }
}

impl Certificate {
    pub(super) fn put(self, name: &str, vault: &mut Vault) -> Result<(), String> {
        let usual = CertificateSpec::default();
        let spec = CertificateSpec {
            pem: self.pem,
            subject: self.subject.unwrap_or(usual.subject),
            dns_names: self.dns_names.unwrap_or_default(),
            key: self.key.unwrap_or(usual.key),
            days: self.days.unwrap_or(usual.days),
            self_signed: self.self_signed.unwrap_or(usual.self_signed),
            format: self.format.unwrap_or(usual.format),
            exportable: self.exportable.unwrap_or(usual.exportable),
            leaf_last: self.leaf_last.unwrap_or(usual.leaf_last),
        };
        let attributes = Attributes { enabled: self.enabled, ..Attributes::default() };
        let details = Details { attributes: Some(attributes), tags: self.tags, version: self.version };
        vault.add_certificate(name, &spec, details).map(drop).map_err(|error| error.to_string())
    }
}
