//! The token, got once for everyone who needs it.
//!
//! The SDK's credentials keep a token of their own that cannot be dropped, so a revoked one would be sent
//! until it expires, and near its end every request waits for the refresh. Here
//!
//! - one exchange runs at a time, and whoever needs its result waits for the same one;
//! - a token that still works is used while its successor is fetched beside it;
//! - a token that a vault refused is forgotten ([`Credential::invalidate`]), and the next exchange starts
//!   with a new credential of the SDK.

use super::{
    error::no_token,
    identity::{Chosen, Claims, Identity},
    settings::VaultSettings,
    transport::Transport,
};
use crate::{failure::Failure, reference::VaultUrl};
use async_trait::async_trait;
use azure_core::{
    cloud::CustomConfiguration,
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    http::{ClientOptions, RetryOptions, Transport as SdkTransport},
    time::OffsetDateTime,
};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use std::{
    fmt,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long before its end a token is replaced. Long enough for several attempts, and as other Azure SDKs do.
const REFRESH_BEFORE_END: Duration = Duration::from_secs(300);

/// Entra gives tokens for a day at most; what claims more is a mistake.
const LONGEST_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// Distance between attempts to replace a token that still works.
const REFRESH_RETRY: Duration = Duration::from_secs(30);

/// One identity's token for the vaults of one cloud. Clones share it.
#[derive(Clone)]
pub(super) struct Credential(Arc<Inner>);

struct Inner {
    identity: Identity,
    scope: String,
    options: ClientOptions,
    authority: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    current: Option<Current>,
    exchange: Option<Exchange>,
}

struct Current {
    token: AccessToken,
    refresh_at: Instant,
    end: Instant,
}

type Exchange = Shared<BoxFuture<'static, Result<AccessToken, NoToken>>>;

/// No token could be got. Cheap to clone, as many requests may have waited for it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("no token")]
pub(super) struct NoToken {
    #[source]
    pub(super) cause: Arc<azure_core::Error>,
    /// Of the assertion that was presented, if one was.
    pub(super) claims: Option<Claims>,
}

impl From<NoToken> for azure_core::Error {
    fn from(error: NoToken) -> Self {
        Self::new(ErrorKind::Other, error)
    }
}

impl Credential {
    /// A credential for `identity`, whose requests go out through `transport`.
    pub(super) fn new(
        identity: Identity,
        authority: String,
        scope: String,
        transport: &Arc<Transport>,
    ) -> Self {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host.clone_from(&authority);
        let way = identity.way(Arc::clone(transport));
        let options = ClientOptions {
            cloud: Some(Arc::new(cloud.into())),
            transport: Some(SdkTransport::new(Arc::new(way))),
            retry: RetryOptions::none(),
            ..ClientOptions::default()
        };
        Self(Arc::new(Inner { identity, scope, options, authority, state: Mutex::default() }))
    }

    /// Whose tokens these are.
    pub(super) fn identity(&self) -> &Identity {
        &self.0.identity
    }

    /// A token that has not expired. Waits only if there is none at hand.
    pub(super) async fn token(&self) -> Result<AccessToken, NoToken> {
        let exchange = {
            let mut state = self.0.state();
            let now = Instant::now();
            match &state.current {
                Some(current) if now < current.end => {
                    let token = current.token.clone();
                    if now >= current.refresh_at && state.exchange.is_none() {
                        drop(self.start(&mut state));
                    }
                    return Ok(token);
                }
                _ => match &state.exchange {
                    Some(exchange) => exchange.clone(),
                    None => self.start(&mut state),
                },
            }
        };
        exchange.await
    }

    /// Forgets `token`, unless it has been replaced already.
    pub(super) fn invalidate(&self, token: &AccessToken) {
        let mut state = self.0.state();
        if state.current.as_ref().is_some_and(|current| current.token.token == token.token) {
            state.current = None;
        }
    }

    /// Starts an exchange as a task of its own, so that it goes on when those who wait for it give up.
    fn start(&self, state: &mut State) -> Exchange {
        let inner = Arc::clone(&self.0);
        let exchange = async move {
            // The SDK parses what the network sends, and not all of it with care.
            let result = AssertUnwindSafe(inner.exchange()).catch_unwind().await.unwrap_or_else(|_| {
                let bug = "reading the token endpoint's answer failed (a bug)";
                Err(azure_core::Error::with_message(ErrorKind::Other, bug))
            });
            let result =
                result.map_err(|error| NoToken { cause: Arc::new(error), claims: inner.identity.claims() });
            inner.finish(&result);
            result
        }
        .boxed()
        .shared();
        state.exchange = Some(exchange.clone());
        tokio::spawn(exchange.clone().map(drop));
        exchange
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn exchange(&self) -> azure_core::Result<AccessToken> {
        let credential = self.identity.credential(&self.authority, self.options.clone())?;
        credential.get_token(&[&self.scope], None).await
    }

    fn finish(&self, result: &Result<AccessToken, NoToken>) {
        let now = Instant::now();
        let mut state = self.state();
        state.exchange = None;
        match result {
            Ok(token) => {
                let life = Duration::try_from(token.expires_on - OffsetDateTime::now_utc());
                let life = life.unwrap_or_default().min(LONGEST_LIFE);
                state.current = Some(Current {
                    token: token.clone(),
                    refresh_at: now + refresh_after(life),
                    end: now + life,
                });
            }
            Err(error) => {
                if let Some(current) = &mut state.current {
                    let reason = no_token(&self.identity, error).message;
                    tracing::warn!("the token could not be renewed yet: {reason}");
                    current.refresh_at = now + REFRESH_RETRY;
                }
            }
        }
    }
}

/// The credentials in use. Vaults with the same identity share one, and so its token.
pub(super) struct Credentials<'s> {
    settings: &'s VaultSettings,
    transport: Arc<Transport>,
    all: Vec<Credential>,
}

impl<'s> Credentials<'s> {
    pub(super) fn new(settings: &'s VaultSettings, transport: Arc<Transport>) -> Self {
        Self { settings, transport, all: Vec::new() }
    }

    /// The credential for `vault`. Tells once of each identity, and because of what it was chosen.
    pub(super) fn of(&mut self, vault: &VaultUrl) -> Result<Credential, Failure> {
        let Chosen { identity, because } = self.settings.identity(vault)?;
        if let Some(credential) = self.all.iter().find(|credential| *credential.identity() == identity) {
            return Ok(credential.clone());
        }
        let because = because.unwrap_or("it is configured");
        tracing::info!("vaults are asked by the {identity}: {because}");
        let (authority, scope) = (self.settings.cloud.authority.clone(), self.settings.scope());
        let credential = Credential::new(identity, authority, scope, &self.transport);
        self.all.push(credential.clone());
        Ok(credential)
    }
}

/// When to replace a token that lives for `life`: a short one at half its life, so that it is not replaced
/// at every request.
fn refresh_after(life: Duration) -> Duration {
    life.saturating_sub(REFRESH_BEFORE_END.min(life / 2))
}

/// For the SDK's constructors. What asks for a token through this has learnt the scope from a vault's
/// challenge; a token for anyone else must not be had that way.
#[async_trait]
impl TokenCredential for Credential {
    async fn get_token(
        &self,
        scopes: &[&str],
        _: Option<TokenRequestOptions<'_>>,
    ) -> azure_core::Result<AccessToken> {
        if scopes != [self.0.scope.as_str()] {
            return Err(azure_core::Error::with_message(
                ErrorKind::Credential,
                format!("tokens are for {} only", self.0.scope),
            ));
        }
        Ok(self.token().await?)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Credential").field(&self.0.identity).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_replaced_before_its_end() {
        for (life, after) in [(3600, 3300), (600, 300), (200, 100), (0, 0)] {
            assert_eq!(refresh_after(Duration::from_secs(life)), Duration::from_secs(after), "{life}");
        }
    }
}
