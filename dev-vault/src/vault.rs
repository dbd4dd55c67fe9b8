//! The running dev vault.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use std::{fs, io};

use serde_json::json;
use tempfile::TempDir;
use tokio::sync::oneshot;

use crate::api::vault::Operation;
use crate::builder::Builder;
use crate::client::Client;
use crate::client_certificate::ClientCertificate;
use crate::crypto::{KeyType, PrivateKey};
use crate::faults::Faults;
use crate::log::RequestRecord;
use crate::store::{Attributes, CertificateSpec, DEFAULT_VAULT, Details, Key, NewSecret, SecretPatch};
use crate::throttle::Traffic;
use crate::token_proxy::{self, TokenProxy};
use crate::util::{guid, lock, now};
use crate::world::{World, federated_token_file, jwt};

/// A Key Vault and Entra look-alike that serves until it is dropped.
#[derive(Debug)]
pub struct DevVault {
    pub(crate) world: Arc<World>,
    pub(crate) address: SocketAddr,
    pub(crate) plain_address: SocketAddr,
    pub(crate) ca_pem: String,
    pub(crate) proxy: Option<Proxy>,
    pub(crate) dir: Dir,
    pub(crate) running: Option<Running>,
}

#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) thread: JoinHandle<()>,
}

/// The token proxy of an identity binding, where there is one.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) certificate: Arc<TokenProxy>,
    pub(crate) address: SocketAddr,
}

#[derive(Debug)]
pub(crate) enum Dir {
    Kept(PathBuf),
    Temporary(TempDir),
}

impl Dir {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(dir) => dir.path(),
        }
    }
}

impl Drop for DevVault {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            drop(running.stop);
            let _ = running.thread.join();
        }
    }
}

impl DevVault {
    /// Sets one up.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The default vault's address.
    pub fn url(&self) -> String {
        self.world.authority.clone()
    }

    /// The address of a vault under a name that is in the certificate; it resolves where `*.localhost` does.
    pub fn vault_url(&self, vault: &str) -> String {
        format!("https://{vault}.vault.localhost:{}", self.address.port())
    }

    /// The port of vaults and token endpoint.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What `AZURE_AUTHORITY_HOST` is set to.
    pub fn authority(&self) -> String {
        self.world.authority.clone()
    }

    /// What `AZURE_POD_IDENTITY_AUTHORITY_HOST` is set to. The control interface is here too.
    pub fn imds_url(&self) -> String {
        format!("http://{}", self.plain_address)
    }

    /// What `IDENTITY_ENDPOINT` is set to, for the variant of App Service.
    pub fn identity_endpoint(&self) -> String {
        format!("{}/msi/token", self.imds_url())
    }

    /// What `IDENTITY_HEADER` is set to, for the variant of App Service.
    pub fn identity_header(&self) -> &str {
        &self.world.identity.app_service_header
    }

    /// The certificate of the authority that signed the server's.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// The file with the authority's certificate.
    pub fn ca_file(&self) -> PathBuf {
        self.dir().join("ca.pem")
    }

    /// The directory of the files `ca.pem` and `federated-token`.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The file whose content the token endpoint takes as assertion.
    pub fn federated_token_file(&self) -> PathBuf {
        self.world.federated_token_file()
    }

    /// Puts a new token into the file, as the kubelet does; the old one is refused from now on.
    pub fn rotate_federated_token(&self) -> io::Result<()> {
        let token = jwt(&json!({
            "aud": [self.world.audience],
            "iss": "https://issuer.example/",
            "sub": "system:serviceaccount:default:app",
            "iat": now(),
            "jti": guid(),
        }));
        write(&federated_token_file(self.dir()), &token)
    }

    /// The file with the application's certificate and its key, PEM.
    pub fn client_certificate_file(&self) -> PathBuf {
        self.dir().join("client-certificate.pem")
    }

    /// Registers a new certificate and puts it into the file; the old one is refused from now on.
    pub fn rotate_client_certificate(&self) -> io::Result<()> {
        *lock(&self.world.client_certificate) = ClientCertificate::new()?;
        self.write_client_certificate()
    }

    pub(crate) fn write_client_certificate(&self) -> io::Result<()> {
        write(&self.client_certificate_file(), &lock(&self.world.client_certificate).pem)
    }

    /// What `AZURE_KUBERNETES_TOKEN_PROXY` is set to, with [`Builder::identity_binding`].
    ///
    /// # Panics
    /// Without it.
    pub fn token_proxy_url(&self) -> String {
        format!("https://{}{}", self.proxy().address, token_proxy::PREFIX)
    }

    /// What `AZURE_KUBERNETES_SNI_NAME` is set to: the only name that the token proxy answers to.
    pub fn token_proxy_name(&self) -> &'static str {
        token_proxy::NAME
    }

    /// What `AZURE_KUBERNETES_CA_FILE` is set to; nobody else signs the token proxy's certificate.
    pub fn token_proxy_ca_file(&self) -> PathBuf {
        self.dir().join("token-proxy-ca.pem")
    }

    /// Gives the token proxy a certificate from a new authority, whose own is in the file from now on.
    ///
    /// # Panics
    /// Without [`Builder::identity_binding`].
    pub fn rotate_token_proxy_ca(&self) -> io::Result<()> {
        write(&self.token_proxy_ca_file(), &self.proxy().certificate.rotate()?)
    }

    fn proxy(&self) -> &Proxy {
        self.proxy.as_ref().expect("the builder was told of an identity binding")
    }

    /// The tenant that exists.
    pub fn tenant_id(&self) -> &str {
        &self.world.identity.tenant_id
    }

    /// The client that exists.
    pub fn client_id(&self) -> &str {
        &self.world.identity.client_id
    }

    /// The client's secret.
    pub fn client_secret(&self) -> &str {
        &self.world.identity.client_secret
    }

    /// The managed identity's object identifier.
    pub fn object_id(&self) -> &str {
        &self.world.identity.object_id
    }

    /// The managed identity's resource identifier.
    pub fn resource_id(&self) -> &str {
        &self.world.identity.resource_id
    }

    /// A valid token for the vaults, as the token endpoint would issue it.
    pub fn issue_token(&self) -> String {
        self.world.issue_token(&self.world.challenge_resource).value
    }

    /// Makes every token that has been issued invalid.
    pub fn revoke_tokens(&self) {
        self.world.revoke_tokens();
    }

    /// A client that trusts this server.
    pub fn client(&self) -> io::Result<Client> {
        Client::trusting(&self.ca_pem)
    }

    /// Adds a version to a secret of the default vault and returns its identifier.
    ///
    /// # Panics
    /// If Key Vault would refuse it.
    pub fn set_secret(&self, name: &str, value: &str) -> String {
        self.vault(DEFAULT_VAULT).set_secret(name, value)
    }

    /// Changes the attributes of the latest version of a secret of the default vault.
    ///
    /// # Panics
    /// If Key Vault would refuse it.
    pub fn set_attributes(&self, name: &str, attributes: Attributes) {
        self.vault(DEFAULT_VAULT).set_attributes(name, attributes);
    }

    /// Deletes a secret of the default vault, softly.
    ///
    /// # Panics
    /// If Key Vault would refuse it.
    pub fn delete_secret(&self, name: &str) {
        self.vault(DEFAULT_VAULT).delete_secret(name);
    }

    /// Adds a version to a key of the default vault and returns its identifier.
    ///
    /// # Panics
    /// If Key Vault would refuse it.
    pub fn create_key(&self, name: &str, kind: KeyType) -> String {
        self.vault(DEFAULT_VAULT).create_key(name, kind)
    }

    /// Adds a version to a certificate of the default vault and returns its identifier.
    ///
    /// # Panics
    /// If Key Vault would refuse it.
    pub fn create_certificate(&self, name: &str, spec: &CertificateSpec) -> String {
        self.vault(DEFAULT_VAULT).create_certificate(name, spec)
    }

    /// The vault addressed by this first label of a host name.
    pub fn vault<'a>(&'a self, name: &'a str) -> Vault<'a> {
        Vault { world: &self.world, name }
    }

    /// The faults that wait for requests.
    pub fn faults(&self) -> &Faults {
        &self.world.faults
    }

    /// How much the default vault was asked.
    pub fn traffic(&self) -> Traffic {
        self.vault(DEFAULT_VAULT).traffic()
    }

    /// Begins to count what the vaults are asked anew. What is used up of a limit stays so.
    pub fn clear_traffic(&self) {
        self.world.gate.clear();
    }

    /// Every request so far, in the order in which they were decided on.
    pub fn requests(&self) -> Vec<RequestRecord> {
        self.world.log.records()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.world.log.clear();
    }

    /// Waits for a request that matches, those since the last clearing included. `None` if there is none in time.
    pub fn wait_for_request(
        &self,
        matches: impl Fn(&RequestRecord) -> bool,
        timeout: Duration,
    ) -> Option<RequestRecord> {
        self.world.log.wait_for(matches, timeout)
    }
}

/// One vault of a [`DevVault`].
#[derive(Debug, Clone, Copy)]
pub struct Vault<'a> {
    world: &'a World,
    name: &'a str,
}

impl Vault<'_> {
    /// Adds a version to a secret and returns its identifier.
    ///
    /// # Panics
    /// If Key Vault would refuse it.
    pub fn set_secret(&self, name: &str, value: &str) -> String {
        let new = NewSecret { value: Some(value.to_owned()), ..NewSecret::default() };
        accepted(lock(&self.world.store).vault(self.name).secrets.set(name, new)).version.id
    }

    /// Changes the attributes of a secret's latest version.
    ///
    /// # Panics
    /// If Key Vault would refuse it.
    pub fn set_attributes(&self, name: &str, attributes: Attributes) {
        self.update(name, Details { attributes: Some(attributes), ..Details::default() });
    }

    /// Puts these tags in place of those of a secret's latest version.
    ///
    /// # Panics
    /// If Key Vault would refuse it.
    pub fn set_tags(&self, name: &str, tags: &[(&str, &str)]) {
        let tags = tags.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        self.update(name, Details { tags: Some(tags), ..Details::default() });
    }

    /// Deletes a secret softly.
    ///
    /// # Panics
    /// If Key Vault would refuse it.
    pub fn delete_secret(&self, name: &str) {
        accepted(lock(&self.world.store).vault(self.name).secrets.delete(name));
    }

    /// Brings a deleted secret back.
    ///
    /// # Panics
    /// If Key Vault would refuse it.
    pub fn recover_secret(&self, name: &str) {
        accepted(lock(&self.world.store).vault(self.name).secrets.recover(name));
    }

    /// Removes a deleted secret for good.
    ///
    /// # Panics
    /// If Key Vault would refuse it.
    pub fn purge_secret(&self, name: &str) {
        accepted(lock(&self.world.store).vault(self.name).secrets.purge(name));
    }

    /// Adds a version, with a key made for it, to a key and returns its identifier.
    ///
    /// # Panics
    /// If Key Vault would refuse it.
    pub fn create_key(&self, name: &str, kind: KeyType) -> String {
        let key = Key::new(accepted(PrivateKey::generate(kind)), None);
        accepted(lock(&self.world.store).vault(self.name).keys.put(name, key, Details::default())).version.id
    }

    /// Adds a version to a certificate, and to the key and the secret behind it, and returns its identifier.
    ///
    /// # Panics
    /// If Key Vault would refuse it.
    pub fn create_certificate(&self, name: &str, spec: &CertificateSpec) -> String {
        let mut store = lock(&self.world.store);
        accepted(store.vault(self.name).add_certificate(name, spec, Details::default())).version.id
    }

    /// Forbids the identity an operation, as `secrets/list` or `certificates/get`.
    ///
    /// # Panics
    /// If there is no such operation.
    pub fn forbid(&self, operation: &str) {
        self.world.permissions.forbid(self.name, named(operation));
    }

    /// Allows a forbidden operation again.
    ///
    /// # Panics
    /// If there is no such operation.
    pub fn allow(&self, operation: &str) {
        self.world.permissions.allow(self.name, named(operation));
    }

    /// How much this vault was asked.
    pub fn traffic(&self) -> Traffic {
        self.world.gate.traffic().remove(&self.name.to_ascii_lowercase()).unwrap_or_default()
    }

    fn update(&self, name: &str, details: Details) {
        let patch = SecretPatch { details, ..SecretPatch::default() };
        accepted(lock(&self.world.store).vault(self.name).secrets.update(name, None, patch));
    }
}

fn named(operation: &str) -> Operation {
    Operation::named(operation).unwrap_or_else(|| panic!("no operation {operation}"))
}

fn accepted<T>(result: Result<T, impl Display>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// A reader sees the old content or the new one, never half of it.
pub(crate) fn write(path: &Path, content: &str) -> io::Result<()> {
    let fresh = path.with_extension("new");
    fs::write(&fresh, content)?;
    fs::rename(fresh, path)
}
