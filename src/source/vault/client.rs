//! One vault: an SDK client that is authorised by us, and the reading of one secret.

use super::{
    VaultSecret,
    credential::Credential,
    transport::{Problem, Role, TransportError},
};
use crate::{
    reference::{ObjectId, ObjectVersion, VaultUrl},
    secret::SecretValue,
};
use async_trait::async_trait;
use azure_core::http::{
    ClientOptions, Context, Request, RetryOptions, Transport,
    headers::AUTHORIZATION,
    policies::{Policy, PolicyResult},
};
use azure_security_keyvault_secrets::{
    ResourceExt, SecretClient, SecretClientOptions,
    models::{Secret, SecretClientGetSecretOptions},
};
use std::{sync::Arc, time::SystemTime};

/// Reads secrets of one vault.
pub(super) struct VaultClient(SecretClient);

/// An answer came, and it is not the secret that was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("the answer has no value")]
    NoValue,
    #[error("the answer names no version")]
    NoVersion,
    #[error("the answer is about another secret")]
    Another,
}

impl VaultClient {
    pub(super) fn new(
        vault: &VaultUrl,
        credential: &Credential,
        transport: Transport,
    ) -> azure_core::Result<Self> {
        let options = SecretClientOptions {
            client_options: ClientOptions {
                transport: Some(transport),
                retry: RetryOptions::none(),
                per_try_policies: vec![Arc::new(Authorize(credential.clone()))],
                ..ClientOptions::default()
            },
            // The credential knows its only scope, so a vault of any name can be used, also a local one.
            verify_challenge_resource: Some(false),
            ..SecretClientOptions::default()
        };
        SecretClient::new(vault.as_str(), Arc::new(credential.clone()), Some(options)).map(Self)
    }

    /// Asks for one secret. Needs the right to get, not to list.
    pub(super) async fn get(&self, id: &ObjectId) -> azure_core::Result<VaultSecret> {
        let options = SecretClientGetSecretOptions {
            secret_version: id.version.as_ref().map(ToString::to_string),
            ..SecretClientGetSecretOptions::default()
        };
        let secret = self.0.get_secret(id.name.as_str(), Some(options)).await?.into_model()?;
        read(id, secret).map_err(|error| azure_core::Error::new(azure_core::error::ErrorKind::Other, error))
    }
}

/// Takes the value over without a copy, once it is sure that it is the right one.
///
/// From here on the value is wiped when it goes. The body it was parsed from, the SDK's copy of that, and the
/// token are not: their buffers belong to libraries that free them as they are.
fn read(id: &ObjectId, secret: Secret) -> Result<VaultSecret, Unusable> {
    let resource = secret.resource_id().map_err(|_| Unusable::NoVersion)?;
    let version = resource.version.ok_or(Unusable::NoVersion)?.to_ascii_lowercase();
    if version.len() != 32 || !version.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Unusable::NoVersion);
    }
    let version = ObjectVersion(version.into());
    let pinned_to_another = id.version.as_ref().is_some_and(|pinned| *pinned != version);
    if !resource.name.eq_ignore_ascii_case(id.name.as_str()) || pinned_to_another {
        return Err(Unusable::Another);
    }
    let attributes = secret.attributes.unwrap_or_default();
    Ok(VaultSecret {
        value: SecretValue::new(secret.value.ok_or(Unusable::NoValue)?),
        version,
        expires: attributes.expires.map(SystemTime::from),
        not_before: attributes.not_before.map(SystemTime::from),
        read: SystemTime::now(),
    })
}

/// Puts the token on every request.
///
/// The SDK would send the first request of a client without one, to learn from the refusal what the token
/// must be for. That costs a round trip, lets the network choose the scope, and with several first requests
/// at once it can lose the token again. The scope is known here, so no request needs to be refused.
#[derive(Debug)]
struct Authorize(Credential);

#[async_trait]
impl Policy for Authorize {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let token = self.0.token().await?;
        request.insert_header(AUTHORIZATION, format!("Bearer {}", token.token.secret()));
        let result = next[0].send(ctx, request, &next[1..]).await;
        match &result {
            Err(error) if is_unauthorized(error) => {}
            _ => return result,
        }
        // The token was revoked, or the vault has begun to ask for newer claims.
        self.0.invalidate(&token);
        let token = self.0.token().await?;
        request.insert_header(AUTHORIZATION, format!("Bearer {}", token.token.secret()));
        next[0].send(ctx, request, &next[1..]).await
    }
}

fn is_unauthorized(error: &azure_core::Error) -> bool {
    let unauthorized = |error: &TransportError| {
        error.role == Some(Role::Vault)
            && matches!(&error.problem, Problem::Refused(refusal) if refusal.status == 401)
    };
    super::error::find(error).is_some_and(unauthorized)
}
