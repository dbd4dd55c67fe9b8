//! Everything the endpoints share: the vaults, the identity and its tokens, the faults, the limit, the record of requests.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::api::Request;
use crate::api::vault::Permissions;
use crate::client_certificate::ClientCertificate;
use crate::faults::Faults;
use crate::log::RequestLog;
use crate::store::Store;
use crate::throttle::Gate;
use crate::util::{lock, random, unix};

/// The one identity that exists, under all its names.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) tenant_id: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) object_id: String,
    pub(crate) resource_id: String,
    /// What App Service hands its apps as `IDENTITY_HEADER`.
    pub(crate) app_service_header: String,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) identity: Identity,
    /// Registered with the one application.
    pub(crate) client_certificate: Mutex<ClientCertificate>,
    /// Whom the service account's token is for.
    pub(crate) audience: &'static str,
    pub(crate) authority: String,
    pub(crate) challenge_resource: String,
    pub(crate) token_lifetime: Duration,
    pub(crate) dir: PathBuf,
    pub(crate) faults: Faults,
    pub(crate) permissions: Permissions,
    pub(crate) gate: Gate,
    pub(crate) log: RequestLog,
    pub(crate) store: Mutex<Store>,
    pub(crate) tokens: Mutex<HashMap<String, Issued>>,
}

/// What is remembered of a token.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    resource: String,
    expires: SystemTime,
}

/// A token as it is handed out.
pub(crate) struct Token {
    pub(crate) value: String,
    pub(crate) expires: SystemTime,
    pub(crate) lifetime: Duration,
}

impl World {
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        lock(&self.store)
    }

    pub(crate) fn federated_token_file(&self) -> PathBuf {
        federated_token_file(&self.dir)
    }

    /// The header that sends a client to the token endpoint.
    pub(crate) fn challenge(&self) -> String {
        format!(
            "Bearer authorization=\"{}/{}\", resource=\"{}\"",
            self.authority, self.identity.tenant_id, self.challenge_resource
        )
    }

    /// A token looks like those of Entra, so that tools can show what is in it; what counts is that it was issued here.
    pub(crate) fn issue_token(&self, resource: &str) -> Token {
        let resource = resource.trim_end_matches('/');
        let issued = SystemTime::now();
        let expires = issued + self.token_lifetime;
        let value = jwt(&json!({
            "aud": resource,
            "iss": format!("{}/{}/", self.authority, self.identity.tenant_id),
            "iat": unix(issued),
            "nbf": unix(issued),
            "exp": unix(expires),
            "appid": self.identity.client_id,
            "oid": self.identity.object_id,
            "tid": self.identity.tenant_id,
        }));
        lock(&self.tokens).insert(value.clone(), Issued { resource: resource.to_owned(), expires });
        Token { value, expires, lifetime: self.token_lifetime }
    }

    /// Takes `other` for as good as `token`.
    pub(crate) fn also_accept(&self, other: &str, token: &str) {
        let mut tokens = lock(&self.tokens);
        if let Some(issued) = tokens.get(token).cloned() {
            tokens.insert(other.to_owned(), issued);
        }
    }

    pub(crate) fn revoke_tokens(&self) {
        lock(&self.tokens).clear();
    }

    /// Whether a request carries a token that was issued here for the vaults' resource and still counts.
    pub(crate) fn authenticated(&self, request: &Request) -> bool {
        let Some((scheme, token)) = request.header("authorization").and_then(|value| value.split_once(' '))
        else {
            return false;
        };
        scheme.eq_ignore_ascii_case("bearer")
            && lock(&self.tokens).get(token.trim()).is_some_and(|issued| {
                issued.resource == self.challenge_resource.trim_end_matches('/')
                    && SystemTime::now() < issued.expires
            })
    }
}

pub(crate) fn federated_token_file(dir: &Path) -> PathBuf {
    dir.join("federated-token")
}

/// A JSON Web Token with a random signature: nobody here verifies one.
pub(crate) fn jwt(claims: &serde_json::Value) -> String {
    let header = json!({"alg": "RS256", "typ": "JWT"});
    let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    format!(
        "{}.{}.{}",
        encode(header.to_string().as_bytes()),
        encode(claims.to_string().as_bytes()),
        encode(&random::<32>())
    )
}
