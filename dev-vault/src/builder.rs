//! How a dev vault is set up and started.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{fs, io, path, thread};

use nix::sys::socket::{Backlog, listen as listen_again};
use tempfile::TempDir;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use crate::api::vault::{Operation, Permissions};
use crate::client_certificate::ClientCertificate;
use crate::crypto::{KeyType, PrivateKey};
use crate::faults::Faults;
use crate::log::RequestLog;
use crate::server::{Side, serve};
use crate::store::{CertificateSpec, DEFAULT_VAULT, Details, Key, NewSecret, Store};
use crate::throttle::{Gate, Throttle};
use crate::token_proxy::{self, TokenProxy};
use crate::util::guid;
use crate::vault::{DevVault, Dir, Proxy, Running, write};
use crate::world::{Identity, World};
use crate::{seed, tls};

/// How a dev vault is set up; made by [`DevVault::builder`].
#[derive(Debug)]
pub struct Builder {
    store: Store,
    identity: Identity,
    certificate: tls::Profile,
    challenge_resource: String,
    token_lifetime: Duration,
    throttle: Option<Throttle>,
    permissions: Permissions,
    token_proxy: bool,
    listen: SocketAddr,
    plain: SocketAddr,
    dir: Option<PathBuf>,
}

impl Default for Builder {
    fn default() -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Self {
            store: Store::default(),
            identity: Identity {
                tenant_id: "72f0d5ce-0000-4000-8000-0000000d3a07".to_owned(),
                client_id: "c11e0000-0000-4000-8000-0000000d3a07".to_owned(),
                client_secret: guid(),
                object_id: "0b1ec700-0000-4000-8000-0000000d3a07".to_owned(),
                resource_id:
                    "/subscriptions/5ab50000-0000-4000-8000-0000000d3a07/resourceGroups/dev/providers/\
                              Microsoft.ManagedIdentity/userAssignedIdentities/dev-vault"
                        .to_owned(),
                app_service_header: guid(),
            },
            certificate: tls::Profile::default(),
            challenge_resource: "https://vault.azure.net".to_owned(),
            token_lifetime: Duration::from_secs(60 * 60),
            throttle: None,
            permissions: Permissions::default(),
            token_proxy: false,
            listen: any,
            plain: any,
            dir: None,
        }
    }
}

impl Builder {
    /// A secret in the default vault.
    ///
    /// # Panics
    /// If the name or the value is one that Key Vault refuses.
    #[must_use]
    pub fn secret(self, name: &str, value: &str) -> Self {
        self.secret_in(DEFAULT_VAULT, name, value)
    }

    /// A secret in the vault that is addressed by this first label of a host name.
    ///
    /// # Panics
    /// If the name or the value is one that Key Vault refuses.
    #[must_use]
    pub fn secret_in(mut self, vault: &str, name: &str, value: &str) -> Self {
        let new = NewSecret { value: Some(value.to_owned()), ..NewSecret::default() };
        if let Err(error) = self.store.vault(vault).secrets.set(name, new) {
            panic!("{error}");
        }
        self
    }

    /// A key in the default vault.
    ///
    /// # Panics
    /// If the name is one that Key Vault refuses.
    #[must_use]
    pub fn key(mut self, name: &str, kind: KeyType) -> Self {
        let added = PrivateKey::generate(kind).map(|private| {
            self.store.vault(DEFAULT_VAULT).keys.put(name, Key::new(private, None), Details::default())
        });
        match added {
            Ok(Ok(_)) => self,
            Ok(Err(error)) => panic!("{error}"),
            Err(error) => panic!("{error}"),
        }
    }

    /// A certificate in the default vault.
    ///
    /// # Panics
    /// If the name or the description is one that Key Vault refuses.
    #[must_use]
    pub fn certificate(mut self, name: &str, spec: &CertificateSpec) -> Self {
        let vault = self.store.vault(DEFAULT_VAULT);
        if let Err(error) = vault.add_certificate(name, spec, Details::default()) {
            panic!("{error}");
        }
        self
    }

    /// An operation, as `secrets/list` or `certificates/get`, that the identity may not do in the default vault.
    ///
    /// # Panics
    /// If there is no such operation.
    #[must_use]
    pub fn forbid(self, operation: &str) -> Self {
        let found = Operation::named(operation).unwrap_or_else(|| panic!("no operation {operation}"));
        self.permissions.forbid(DEFAULT_VAULT, found);
        self
    }

    /// Objects from YAML text; the form is described by `dev-vault --help`.
    pub fn seed(mut self, yaml: &str) -> io::Result<Self> {
        seed::load(yaml, &mut self.store).map(|()| self)
    }

    /// A further name (or address) in the server's certificate.
    #[must_use]
    pub fn san(mut self, name: &str) -> Self {
        self.certificate.names.push(name.to_owned());
        self
    }

    /// The server's certificate is one that has expired; its authority's has not.
    #[must_use]
    pub fn expired(mut self) -> Self {
        self.certificate.expired = true;
        self
    }

    /// The name of the authority that signs the server's certificate, which all dev vaults share otherwise.
    #[must_use]
    pub fn authority_name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.certificate.authority);
        self
    }

    /// The resource for which the challenge demands a token; `https://vault.azure.net` if not set.
    #[must_use]
    pub fn challenge_resource(mut self, url: &str) -> Self {
        url.clone_into(&mut self.challenge_resource);
        self
    }

    /// How long a token is valid; one hour if not set.
    #[must_use]
    pub fn token_lifetime(mut self, lifetime: Duration) -> Self {
        self.token_lifetime = lifetime;
        self
    }

    /// A limit on the transactions of each vault; none if not set.
    #[must_use]
    pub fn throttle(mut self, throttle: Throttle) -> Self {
        self.throttle = Some(throttle);
        self
    }

    /// The service account's token is for an identity binding, so only the token proxy takes it.
    #[must_use]
    pub fn identity_binding(mut self) -> Self {
        self.token_proxy = true;
        self
    }

    /// The tenant that exists.
    #[must_use]
    pub fn tenant_id(mut self, tenant: &str) -> Self {
        tenant.clone_into(&mut self.identity.tenant_id);
        self
    }

    /// The client that exists.
    #[must_use]
    pub fn client_id(mut self, client: &str) -> Self {
        client.clone_into(&mut self.identity.client_id);
        self
    }

    /// The client's secret; a random one if not set.
    #[must_use]
    pub fn client_secret(mut self, secret: &str) -> Self {
        secret.clone_into(&mut self.identity.client_secret);
        self
    }

    /// Where the vaults and the token endpoint listen; any free port of 127.0.0.1 if not set.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Where the identity endpoints and the control interface listen, without TLS.
    #[must_use]
    pub fn plain(mut self, address: SocketAddr) -> Self {
        self.plain = address;
        self
    }

    /// A directory for the files, which stays; a temporary one that goes with the vault if not set.
    #[must_use]
    pub fn dir(mut self, dir: &Path) -> Self {
        self.dir = Some(dir.to_owned());
        self
    }

    /// Starts serving on a thread of its own. Connections are accepted when this returns.
    pub fn start(self) -> io::Result<DevVault> {
        let dir = match self.dir {
            Some(dir) => {
                fs::create_dir_all(&dir)?;
                Dir::Kept(path::absolute(dir)?)
            }
            None => Dir::Temporary(TempDir::with_prefix("dev-vault-")?),
        };
        let credentials = tls::credentials(&self.certificate)?;
        write(&dir.path().join("ca.pem"), &credentials.ca_pem)?;

        let listener = listen(self.listen)?;
        let plain = listen(self.plain)?;
        let address = listener.local_addr()?;
        let plain_address = plain.local_addr()?;
        let proxy = if self.token_proxy { Some(proxy(dir.path())?) } else { None };
        let world = Arc::new(World {
            identity: self.identity,
            client_certificate: Mutex::new(ClientCertificate::new()?),
            audience: if proxy.is_some() { token_proxy::AUDIENCE } else { "api://AzureADTokenExchange" },
            authority: format!("https://localhost:{}", address.port()),
            challenge_resource: self.challenge_resource,
            token_lifetime: self.token_lifetime,
            dir: dir.path().to_owned(),
            faults: Faults::default(),
            permissions: self.permissions,
            gate: Gate::new(self.throttle),
            log: RequestLog::default(),
            store: Mutex::new(self.store),
            tokens: Mutex::default(),
        });

        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let secure = Side::Tls(TlsAcceptor::from(credentials.server));
        let (proxy, proxy_listener) = proxy.unzip();
        let (listener, plain, proxy_side) = {
            let _guard = runtime.enter();
            let proxy_side = match (&proxy, proxy_listener) {
                (Some(proxy), Some(listener)) => {
                    let server = Arc::clone(&proxy.certificate).server()?;
                    let side = Side::TokenProxy(TlsAcceptor::from(server));
                    Some((tokio::net::TcpListener::from_std(listener)?, side))
                }
                _ => None,
            };
            (
                tokio::net::TcpListener::from_std(listener)?,
                tokio::net::TcpListener::from_std(plain)?,
                proxy_side,
            )
        };
        let shared = Arc::clone(&world);
        let thread = thread::Builder::new().name("dev-vault".to_owned()).spawn(move || {
            runtime.spawn(serve(listener, secure, Arc::clone(&shared)));
            if let Some((listener, side)) = proxy_side {
                runtime.spawn(serve(listener, side, Arc::clone(&shared)));
            }
            runtime.spawn(serve(plain, Side::Plain, shared));
            // The sender is only ever dropped; the runtime goes with this thread and takes every connection along.
            let _ = runtime.block_on(stopped);
        })?;

        let vault = DevVault {
            world,
            address,
            plain_address,
            ca_pem: credentials.ca_pem,
            proxy,
            dir,
            running: Some(Running { stop, thread }),
        };
        vault.rotate_federated_token()?;
        vault.write_client_certificate()?;
        Ok(vault)
    }
}

fn proxy(dir: &Path) -> io::Result<(Proxy, TcpListener)> {
    let (certificate, ca_pem) = TokenProxy::new()?;
    write(&dir.join("token-proxy-ca.pem"), &ca_pem)?;
    let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    Ok((Proxy { certificate, address: listener.local_addr()? }, listener))
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    // The standard library lets 128 connections wait, which is few for a fleet that starts at once.
    listen_again(&listener, Backlog::MAXCONN)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}
