//! The token proxy of an AKS identity binding: Entra's token endpoint behind a server name and an authority of its own.

use std::io;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::tls;
use crate::util::lock;

/// The only name under which it shakes hands. It is in no DNS: a client connects to the address in the URL.
pub(crate) const NAME: &str = "token-proxy.dev-vault.test";
/// What comes before the path of a token request.
pub(crate) const PREFIX: &str = "/dev-vault/proxy";
/// Whom a service account's token is for when a binding is used; Entra itself refuses it.
pub(crate) const AUDIENCE: &str = "api://AKSIdentityBinding";

/// The proxy's certificate, which can be replaced while it serves.
#[derive(Debug)]
pub(crate) struct TokenProxy(Mutex<Arc<CertifiedKey>>);

impl TokenProxy {
    /// Also gives the authority's certificate.
    pub(crate) fn new() -> io::Result<(Arc<Self>, String)> {
        let (key, ca_pem) = tls::single(NAME)?;
        Ok((Arc::new(Self(Mutex::new(Arc::new(key)))), ca_pem))
    }

    /// Takes a certificate from a new authority, and gives that authority's.
    pub(crate) fn rotate(&self) -> io::Result<String> {
        let (key, ca_pem) = tls::single(NAME)?;
        *lock(&self.0) = Arc::new(key);
        Ok(ca_pem)
    }

    pub(crate) fn server(self: Arc<Self>) -> io::Result<Arc<ServerConfig>> {
        tls::server(self)
    }
}

impl ResolvesServerCert for TokenProxy {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        (hello.server_name() == Some(NAME)).then(|| Arc::clone(&lock(&self.0)))
    }
}
