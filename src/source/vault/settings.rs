//! What the vault source must know, taken from the configuration and the few variables that other Azure
//! programs read as well.

use super::{
    identity::{Chosen, Identity, Variables},
    transport::{Routes, Target, tls},
};
use crate::{
    config::{self, Cloud, Config},
    failure::{Class, Failure},
    ordered::Ordered as _,
    reference::VaultUrl,
};
use rustls::pki_types::CertificateDer;
use std::{collections::BTreeMap, path::PathBuf, time::Duration};

/// Additional roots, for every program that uses OpenSSL's conventions.
const ENV_SSL_CERT_FILE: &str = "SSL_CERT_FILE";
/// Where IMDS is, for the Azure SDKs of other languages.
const ENV_IMDS_HOST: &str = "AZURE_POD_IDENTITY_AUTHORITY_HOST";
/// Where App Service and its like announce their token endpoint.
const ENV_IDENTITY_ENDPOINT: &str = "IDENTITY_ENDPOINT";

/// Everything that [`super::VaultSource::start`] needs besides the secrets.
#[derive(Debug, Clone)]
pub struct VaultSettings {
    /// Who asks the vaults.
    identity: config::Identity,
    /// Who asks single vaults instead.
    identities: BTreeMap<VaultUrl, config::Identity>,
    /// What else decides who that is.
    variables: Variables,
    /// Which cloud.
    pub(super) cloud: Cloud,
    /// Additional roots that must be readable.
    pub(super) ca_file: Option<PathBuf>,
    /// Additional roots that may be unreadable: the variable is not ours alone.
    pub(super) ssl_cert_file: Option<PathBuf>,
    /// Replaces the well-known address of IMDS.
    pub(super) imds: Option<String>,
    /// The platform's own token endpoint for managed identities.
    pub(super) identity_endpoint: Option<String>,
    /// How often everything is asked again; `None` is never.
    pub(super) poll_interval: Option<Duration>,
}

impl VaultSettings {
    /// Takes what is needed from `config`; `lookup` reads an environment variable.
    pub fn new(config: &Config, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Self, Failure> {
        // An empty variable counts as unset: a manifest can only blank what an image sets.
        let lookup = |name: &str| lookup(name).filter(|value| !value.is_empty());
        Ok(Self {
            identity: config.identity.clone(),
            identities: config
                .vaults
                .iter()
                .filter_map(|(vault, options)| Some((vault.clone(), options.identity.clone()?)))
                .into_map(),
            variables: Variables::new(&lookup),
            cloud: config.cloud.clone(),
            ca_file: config.ca_file.clone(),
            ssl_cert_file: lookup(ENV_SSL_CERT_FILE).map(PathBuf::from),
            imds: lookup(ENV_IMDS_HOST),
            identity_endpoint: lookup(ENV_IDENTITY_ENDPOINT),
            poll_interval: config.poll_interval,
        })
    }

    /// Who asks `vault`. Looked at only for vaults that are in use: an identity that nobody needs may be
    /// incomplete.
    pub(super) fn identity(&self, vault: &VaultUrl) -> Result<Chosen, Failure> {
        Identity::resolve(self.identities.get(vault).unwrap_or(&self.identity), &self.variables)
    }

    /// The hosts that may be reached.
    pub(super) fn routes<'a>(&self, vaults: impl Iterator<Item = &'a VaultUrl>) -> Result<Routes, Failure> {
        let authority = target("cloud: the authority", &self.cloud.authority)?;
        if !authority.is_tls() {
            return Err(config(format!("cloud: the authority {} must be https", self.cloud.authority)));
        }
        Ok(Routes {
            vaults: vaults.map(|vault| target("vault", vault.as_str())).collect::<Result<_, _>>()?,
            authority,
            imds: self.imds.as_deref().map(|url| target(ENV_IMDS_HOST, url)).transpose()?,
            identity_endpoint: self
                .identity_endpoint
                .as_deref()
                .map(|url| target(ENV_IDENTITY_ENDPOINT, url))
                .transpose()?,
        })
    }

    /// The roots to trust in addition to the embedded ones.
    pub(super) fn roots(&self) -> Result<Vec<CertificateDer<'static>>, Failure> {
        let mut roots = match &self.ca_file {
            Some(path) => tls::read_pem("caFile", path)?,
            None => Vec::new(),
        };
        if let Some(path) = &self.ssl_cert_file {
            match tls::read_pem(ENV_SSL_CERT_FILE, path) {
                Ok(more) => roots.extend(more),
                Err(failure) => tracing::warn!("ignored: {failure}"),
            }
        }
        Ok(roots)
    }

    /// The one scope that is ever asked for.
    pub(super) fn scope(&self) -> String {
        format!("https://{}/.default", self.cloud.vault_suffix)
    }
}

fn target(what: &str, url: &str) -> Result<Target, Failure> {
    Target::parse(url).ok_or_else(|| config(format!("{what} {url} is not an http or https URL")))
}

fn config(message: String) -> Failure {
    Failure::new(Class::Config, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Args, load};
    use std::{collections::BTreeMap, ffi::OsString, fs};

    fn settings(yaml: &str, variables: &[(&str, &str)]) -> VaultSettings {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("config.yaml");
        fs::write(&file, format!("{yaml}\nvault: myvault\nenv: {{A: a}}\n")).expect("a file");
        let variables: BTreeMap<OsString, OsString> =
            variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let config = load(&Args { file: Some(file) }, &variables).expect("a configuration");
        VaultSettings::new(&config, &|_| None).expect("settings")
    }

    #[test]
    fn each_cloud_has_its_authority_and_its_scope() {
        let custom = "cloud: {custom: {authorityHost: 'https://login.example', vaultSuffix: vault.example}}";
        for (yaml, authority, scope) in [
            ("", "https://login.microsoftonline.com", "https://vault.azure.net/.default"),
            (
                "cloud: usgovernment",
                "https://login.microsoftonline.us",
                "https://vault.usgovcloudapi.net/.default",
            ),
            ("cloud: china", "https://login.partner.microsoftonline.cn", "https://vault.azure.cn/.default"),
            (custom, "https://login.example", "https://vault.example/.default"),
        ] {
            let settings = settings(yaml, &[]);
            assert_eq!((settings.cloud.authority.as_str(), settings.scope().as_str()), (authority, scope));
        }
    }

    #[test]
    fn azure_authority_host_wins_and_changes_no_scope() {
        let settings = settings("cloud: china", &[("AZURE_AUTHORITY_HOST", "https://login.example/")]);
        assert_eq!(settings.cloud.authority, "https://login.example");
        assert_eq!(settings.scope(), "https://vault.azure.cn/.default");
    }
}
