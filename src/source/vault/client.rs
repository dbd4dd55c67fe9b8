//! One vault: SDK clients that are authorised by us, and what is read with them.

use super::{
    VaultSecret,
    credential::Credential,
    list::{List, Listed, Unusable as NotInUse},
    transport::{Problem, Role, TransportError},
};
use crate::{
    reference::{Collection, ObjectId, ObjectName, ObjectVersion, VaultUrl},
    secret::SecretValue,
};
use async_trait::async_trait;
use azure_core::{
    error::ErrorKind,
    http::{
        ClientOptions, Context, Request, RetryOptions, Transport,
        headers::AUTHORIZATION,
        policies::{Policy, PolicyResult},
    },
};
use azure_security_keyvault_keys::{
    KeyClient, KeyClientOptions, ResourceExt as _,
    models::{JsonWebKey, Key, KeyClientGetKeyOptions},
};
use azure_security_keyvault_secrets::{
    ResourceExt as _, SecretClient, SecretClientOptions,
    models::{Secret, SecretClientGetSecretOptions, SecretProperties},
};
use futures::TryStreamExt;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

/// Pages of a list. A vault gives 25 entries a page; more of them means that a list has no end.
const MOST_PAGES: usize = 4000;

/// Reads objects of one vault.
pub(super) struct VaultClient {
    secrets: SecretClient,
    keys: KeyClient,
}

/// An answer came, and it is not what was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    #[error("the answer has no value")]
    NoValue,
    #[error("the answer names no version")]
    NoVersion,
    #[error("the answer is about another object")]
    Another,
    #[error("the list has no end")]
    Endless,
}

impl From<Unusable> for azure_core::Error {
    fn from(unusable: Unusable) -> Self {
        Self::new(ErrorKind::Other, unusable)
    }
}

impl VaultClient {
    pub(super) fn new(
        vault: &VaultUrl,
        credential: &Credential,
        transport: Transport,
    ) -> azure_core::Result<Self> {
        let client_options = ClientOptions {
            transport: Some(transport),
            retry: RetryOptions::none(),
            per_try_policies: vec![Arc::new(Authorize(credential.clone()))],
            ..ClientOptions::default()
        };
        // The credential knows its only scope, so a vault of any name can be used, also a local one.
        let verify_challenge_resource = Some(false);
        let secrets = SecretClientOptions {
            client_options: client_options.clone(),
            verify_challenge_resource,
            ..SecretClientOptions::default()
        };
        let keys =
            KeyClientOptions { client_options, verify_challenge_resource, ..KeyClientOptions::default() };
        Ok(Self {
            secrets: SecretClient::new(vault.as_str(), Arc::new(credential.clone()), Some(secrets))?,
            keys: KeyClient::new(vault.as_str(), Arc::new(credential.clone()), Some(keys))?,
        })
    }

    /// Asks for one object. Needs the right to get, not to list.
    pub(super) async fn get(&self, id: &ObjectId) -> azure_core::Result<VaultSecret> {
        let version = id.version.as_ref().map(ToString::to_string);
        Ok(match id.collection {
            Collection::Secrets => {
                let options = SecretClientGetSecretOptions { secret_version: version, ..Default::default() };
                read_secret(
                    id,
                    self.secrets.get_secret(id.name.as_str(), Some(options)).await?.into_model()?,
                )?
            }
            Collection::Keys => {
                let options = KeyClientGetKeyOptions { key_version: version, ..Default::default() };
                read_key(id, self.keys.get_key(id.name.as_str(), Some(options)).await?.into_model()?)?
            }
        })
    }

    /// Asks for all entries of a list, page after page. Needs the right to list.
    pub(super) async fn list(&self, list: &List) -> azure_core::Result<Vec<Listed>> {
        let mut pages = match list {
            List::Secrets(_) => self.secrets.list_secret_properties(None)?,
            List::Versions(id) => self.secrets.list_secret_properties_versions(id.name.as_str(), None)?,
        }
        .into_pages();
        let mut entries = Vec::new();
        for _ in 0..MOST_PAGES {
            let Some(page) = pages.try_next().await? else { return Ok(entries) };
            entries.extend(page.into_model()?.value.into_iter().filter_map(listed));
        }
        Err(Unusable::Endless.into())
    }
}

/// Takes the value over without a copy, once it is sure that it is the right one.
fn read_secret(id: &ObjectId, secret: Secret) -> Result<VaultSecret, Unusable> {
    let resource = secret.resource_id().map_err(|_| Unusable::NoVersion)?;
    let version = expected(id, &resource.name, resource.version.as_deref())?;
    let attributes = secret.attributes.unwrap_or_default();
    Ok(VaultSecret {
        value: SecretValue::new(secret.value.ok_or(Unusable::NoValue)?),
        version,
        expires: attributes.expires.map(SystemTime::from),
        not_before: attributes.not_before.map(SystemTime::from),
        read: SystemTime::now(),
    })
}

/// Takes over the public members only, whatever else a far end may send.
fn read_key(id: &ObjectId, key: Key) -> Result<VaultSecret, Unusable> {
    let resource = key.resource_id().map_err(|_| Unusable::NoVersion)?;
    let version = expected(id, &resource.name, resource.version.as_deref())?;
    let attributes = key.attributes.unwrap_or_default();
    let JsonWebKey { kid, kty, key_ops, crv, e, n, x, y, .. } = key.key.ok_or(Unusable::NoValue)?;
    let public = JsonWebKey { kid, kty, key_ops, crv, e, n, x, y, ..JsonWebKey::default() };
    Ok(VaultSecret {
        value: SecretValue::new(serde_json::to_vec(&public).map_err(|_| Unusable::NoValue)?),
        version,
        expires: attributes.expires.map(SystemTime::from),
        not_before: attributes.not_before.map(SystemTime::from),
        read: SystemTime::now(),
    })
}

/// The version that an answer names, if the answer is about what was asked for.
fn expected(id: &ObjectId, name: &str, version: Option<&str>) -> Result<ObjectVersion, Unusable> {
    let version = version.map(ObjectVersion::parse);
    let Some(Ok(version)) = version else { return Err(Unusable::NoVersion) };
    let pinned_to_another = id.version.as_ref().is_some_and(|pinned| *pinned != version);
    if !name.eq_ignore_ascii_case(id.name.as_str()) || pinned_to_another {
        return Err(Unusable::Another);
    }
    Ok(version)
}

/// An entry of a list; `None` for one whose name no request could use.
fn listed(properties: SecretProperties) -> Option<Listed> {
    let resource = properties.resource_id().ok()?;
    let attributes = properties.attributes.unwrap_or_default();
    let now = SystemTime::now();
    let expires = attributes.expires.map(SystemTime::from);
    let not_before = attributes.not_before.map(SystemTime::from);
    let unusable = match attributes.enabled {
        Some(false) => Some(NotInUse::Disabled),
        _ if expires.is_some_and(|expires| expires <= now) => Some(NotInUse::Expired),
        _ if not_before.is_some_and(|start| start > now) => Some(NotInUse::NotYetValid),
        _ => None,
    };
    let second = |at| {
        SystemTime::from(at).duration_since(SystemTime::UNIX_EPOCH).as_ref().map_or(0, Duration::as_secs)
    };
    Some(Listed {
        name: ObjectName::parse(&resource.name).ok()?,
        version: resource.version.and_then(|version| ObjectVersion::parse(&version).ok()),
        tags: properties.tags.unwrap_or_default().into_iter().collect(),
        managed: properties.managed.unwrap_or_default(),
        created: attributes.created.map_or(0, second),
        updated: attributes.updated.map_or(0, second),
        unusable,
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
