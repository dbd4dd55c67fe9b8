//! The way of one identity's requests for tokens: the common one, a patient one, or through a token proxy.

use super::{
    REQUEST_LIMIT, Role, Target, Transport, TransportError,
    connect::Peer,
    exchange, outgoing,
    tls::{parse_pem, read_pem, trusting_only},
};
use crate::source::vault::identity::LocalError;
use async_trait::async_trait;
use azure_core::http::{AsyncRawResponse, HttpClient, Method, Request};
use std::{path::PathBuf, sync::Arc, time::Duration};
use tokio_rustls::TlsConnector;
use url::Url;

/// Bounds a request to AAD Pod Identity, whose NMI holds it for up to 80 seconds while the identity is being
/// assigned to the node.
const PATIENT_LIMIT: Duration = Duration::from_secs(90);

/// Sends one identity's requests for tokens.
#[derive(Debug)]
pub(in super::super) struct TokenTransport {
    shared: Arc<Transport>,
    limit: Duration,
    proxy: Option<TokenProxy>,
}

/// Where the token proxy of an AKS identity binding is, and how to know it. It takes Entra's place: the
/// same request, under its own path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct TokenProxy {
    /// Its base URL.
    pub(in super::super) url: Url,
    /// Its name in TLS; `None` is the host of the URL.
    pub(in super::super) server_name: Option<String>,
    /// Who may have signed its certificate.
    pub(in super::super) ca: ProxyCa,
}

/// Whom to trust at a token proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum ProxyCa {
    /// Whoever is trusted anyway.
    Known,
    /// Only these, PEM.
    Data(String),
    /// Only those of this file, which is read for every exchange, since the cluster replaces it.
    File(PathBuf),
}

impl TokenTransport {
    /// The way of all others.
    pub(in super::super) fn direct(shared: Arc<Transport>) -> Self {
        Self { shared, limit: REQUEST_LIMIT, proxy: None }
    }

    /// Waits for an answer for as long as AAD Pod Identity may take.
    pub(in super::super) fn patient(shared: Arc<Transport>) -> Self {
        Self { shared, limit: PATIENT_LIMIT, proxy: None }
    }

    /// Through `proxy`, and nowhere else.
    pub(in super::super) fn through(proxy: TokenProxy, shared: Arc<Transport>) -> Self {
        Self { shared, limit: REQUEST_LIMIT, proxy: Some(proxy) }
    }
}

#[async_trait]
impl HttpClient for TokenTransport {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        match &self.proxy {
            Some(proxy) => proxy.send(&self.shared, request, self.limit).await,
            None => self.shared.send(request, self.limit).await,
        }
    }
}

impl TokenProxy {
    async fn send(
        &self,
        shared: &Transport,
        request: &Request,
        limit: Duration,
    ) -> azure_core::Result<AsyncRawResponse> {
        let is_for_entra = matches!(
            shared.routes.route(request.method(), request.url()),
            Some((Role::Entra, _)) if request.method() == Method::Post
        );
        let target = Target::of(&self.url).filter(|target| is_for_entra && target.is_tls());
        let Some(target) = target else {
            return Err(TransportError::not_allowed(request.url()).into());
        };
        let tls = self.tls(shared)?;
        let outgoing = outgoing(&target, self.url.path().trim_end_matches('/'), request)
            .map_err(|problem| TransportError::new(Role::TokenProxy, &target, problem))?;
        let peer = Peer::new(target).called(self.server_name.clone());
        exchange(Role::TokenProxy, &peer, &tls, outgoing, limit).await
    }

    /// Made anew for each exchange: there is about one an hour, and none can be with an old authority.
    fn tls(&self, shared: &Transport) -> azure_core::Result<TlsConnector> {
        let roots = match &self.ca {
            ProxyCa::Known => return Ok(shared.tls.0.clone()),
            ProxyCa::Data(pem) => parse_pem("AZURE_KUBERNETES_CA_DATA", pem.as_bytes()),
            ProxyCa::File(path) => read_pem("the CA file of the token proxy", path),
        };
        let config = roots.and_then(trusting_only).map_err(LocalError::from)?;
        Ok(Arc::new(config).into())
    }
}
