//! The environment variables that say who the agent is, read once.

use crate::ordered::Ordered as _;
use std::{collections::BTreeMap, env, fmt};
use zeroize::Zeroizing;

pub(super) const TENANT_ID: &str = "AZURE_TENANT_ID";
pub(super) const CLIENT_ID: &str = "AZURE_CLIENT_ID";
pub(super) const TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";
pub(super) const CLIENT_SECRET: &str = "AZURE_CLIENT_SECRET";
pub(super) const CERTIFICATE: &str = "AZURE_CLIENT_CERTIFICATE_PATH";
pub(super) const CERTIFICATE_PASSWORD: &str = "AZURE_CLIENT_CERTIFICATE_PASSWORD";
pub(super) const SEND_CHAIN: &str = "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN";
pub(super) const TOKEN_PROXY: &str = "AZURE_KUBERNETES_TOKEN_PROXY";
pub(super) const PROXY_NAME: &str = "AZURE_KUBERNETES_SNI_NAME";
pub(super) const PROXY_CA_FILE: &str = "AZURE_KUBERNETES_CA_FILE";
pub(super) const PROXY_CA_DATA: &str = "AZURE_KUBERNETES_CA_DATA";
pub(super) const IDENTITY_ENDPOINT: &str = "IDENTITY_ENDPOINT";
pub(super) const IDENTITY_HEADER: &str = "IDENTITY_HEADER";
pub(super) const THUMBPRINT: &str = "IDENTITY_SERVER_THUMBPRINT";
pub(super) const ARC_ENDPOINT: &str = "IMDS_ENDPOINT";
pub(super) const MSI_ENDPOINT: &str = "MSI_ENDPOINT";
pub(super) const IN_KUBERNETES: &str = "KUBERNETES_SERVICE_HOST";
const PATH: &str = "PATH";

const ALL: [&str; 18] = [
    TENANT_ID,
    CLIENT_ID,
    TOKEN_FILE,
    CLIENT_SECRET,
    CERTIFICATE,
    CERTIFICATE_PASSWORD,
    SEND_CHAIN,
    TOKEN_PROXY,
    PROXY_NAME,
    PROXY_CA_FILE,
    PROXY_CA_DATA,
    IDENTITY_ENDPOINT,
    IDENTITY_HEADER,
    THUMBPRINT,
    ARC_ENDPOINT,
    MSI_ENDPOINT,
    IN_KUBERNETES,
    PATH,
];

/// Those that are set. Some of them are secret, so none can be shown.
#[derive(Clone)]
pub(in super::super) struct Variables(BTreeMap<&'static str, Zeroizing<String>>);

impl Variables {
    /// `lookup` reads a variable.
    pub(in super::super) fn new(lookup: &dyn Fn(&str) -> Option<String>) -> Self {
        Self(ALL.into_iter().filter_map(|name| Some((name, lookup(name)?.into()))).into_map())
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|value| String::clone(value))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether a command of this name can be executed.
    pub(super) fn finds_command(&self, name: &str) -> bool {
        let is_command = |directory: std::path::PathBuf| {
            directory.is_absolute()
                && nix::unistd::access(&directory.join(name), nix::unistd::AccessFlags::X_OK).is_ok()
        };
        self.0.get(PATH).is_some_and(|path| env::split_paths(&**path).any(is_command))
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
