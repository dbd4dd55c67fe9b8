//! The token endpoint of Microsoft Entra, and the two documents from which client libraries learn where it is.

use std::fs;

use serde_json::json;

use super::{Answer, ApiError, Form, Request, form, json_answer};
use crate::client_certificate::ClientCertificate;
use crate::token_proxy;
use crate::util::{guid, lock, now};
use crate::world::World;

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub(crate) fn owns(path: &str) -> bool {
    matches!(split(path), Some((_, endpoint)) if endpoint != Endpoint::Other)
}

/// `by_proxy` is whether the token proxy of an identity binding was asked, which has a prefix before its paths.
pub(crate) fn answer(world: &World, request: &Request, by_proxy: bool) -> Answer {
    let path = if by_proxy { request.path.strip_prefix(token_proxy::PREFIX) } else { Some(&*request.path) };
    let Some((tenant, endpoint)) = path.and_then(split) else {
        return ApiError::no_such_resource().into();
    };
    match (endpoint, request.method.as_str()) {
        (Endpoint::Token, "POST") => {
            token(world, tenant, &form(&request.body), by_proxy).unwrap_or_else(Answer::from)
        }
        (Endpoint::Configuration, "GET") => match check_tenant(world, tenant) {
            Ok(()) => configuration(&world.authority, tenant),
            Err(error) => error.into(),
        },
        (Endpoint::Instance, "GET") => instance(world),
        (Endpoint::Other, _) => ApiError::no_such_resource().into(),
        _ => ApiError::method_not_allowed().into(),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    Token,
    Configuration,
    Instance,
    Other,
}

fn split(path: &str) -> Option<(&str, Endpoint)> {
    let (tenant, rest) = path.strip_prefix('/')?.split_once('/')?;
    let endpoint = match rest {
        "oauth2/v2.0/token" => Endpoint::Token,
        "v2.0/.well-known/openid-configuration" => Endpoint::Configuration,
        "discovery/instance" => Endpoint::Instance,
        _ => Endpoint::Other,
    };
    Some((tenant, endpoint))
}

fn token(world: &World, tenant: &str, form: &Form, by_proxy: bool) -> Result<Answer, EntraError> {
    let field = |name: &str| form.get(name).map(String::as_str);
    check_tenant(world, tenant)?;
    if field("grant_type") != Some("client_credentials") {
        return Err(EntraError::new(
            400,
            "unsupported_grant_type",
            70003,
            "The grant type is not supported.",
        ));
    }
    let client = field("client_id").unwrap_or_default();
    if client != world.identity.client_id {
        return Err(EntraError::new(
            400,
            "unauthorized_client",
            700_016,
            format!("Application with identifier '{client}' was not found in the directory '{tenant}'."),
        ));
    }
    check_credential(world, tenant, form, by_proxy)?;
    let scope = field("scope").unwrap_or_default();
    let Some(resource) = scope.strip_suffix("/.default").filter(|resource| !resource.is_empty()) else {
        return Err(EntraError::new(
            400,
            "invalid_scope",
            1_002_012,
            format!("The value '{scope}' for scope is not valid: it must be a resource with /.default."),
        ));
    };
    let token = world.issue_token(resource);
    let lifetime = token.lifetime.as_secs();
    Ok(json_answer(
        200,
        &json!({
            "token_type": "Bearer",
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            "access_token": token.value,
        }),
    ))
}

fn check_tenant(world: &World, tenant: &str) -> Result<(), EntraError> {
    if tenant.eq_ignore_ascii_case(&world.identity.tenant_id) {
        return Ok(());
    }
    Err(EntraError::new(400, "invalid_request", 90002, format!("Tenant '{tenant}' not found.")))
}

/// The assertion is compared as it came: a client that sends the line end of its token file is refused.
fn check_credential(world: &World, tenant: &str, form: &Form, by_proxy: bool) -> Result<(), EntraError> {
    if let Some(assertion) = form.get("client_assertion") {
        if form.get("client_assertion_type").map(String::as_str) != Some(JWT_BEARER) {
            return Err(EntraError::new(
                400,
                "invalid_request",
                900_023,
                "The client_assertion_type is not supported.",
            ));
        }
        if ClientCertificate::signs(assertion) {
            let audience = format!("{}/{tenant}/oauth2/v2.0/token", world.authority);
            let certificate = lock(&world.client_certificate);
            return certificate
                .check(assertion, &world.identity.client_id, &audience)
                .map_err(|(code, message)| EntraError::new(401, "invalid_client", code, message));
        }
        if (world.audience == token_proxy::AUDIENCE) != by_proxy {
            let audience = world.audience;
            return Err(EntraError::new(
                401,
                "invalid_client",
                700_212,
                format!(
                    "No matching federated identity record found for presented assertion audience '{audience}'."
                ),
            ));
        }
        let present = fs::read_to_string(world.federated_token_file()).unwrap_or_default();
        let present = present.trim();
        if present.is_empty() || assertion != present {
            return Err(EntraError::new(
                401,
                "invalid_client",
                700_213,
                "No matching federated identity record found for presented assertion.",
            ));
        }
        return Ok(());
    }
    match form.get("client_secret") {
        Some(secret) if *secret == world.identity.client_secret => Ok(()),
        Some(_) => Err(EntraError::new(401, "invalid_client", 7_000_215, "Invalid client secret provided.")),
        None => Err(EntraError::new(
            401,
            "invalid_client",
            7_000_218,
            "The request body must contain 'client_assertion' or 'client_secret'.",
        )),
    }
}

fn configuration(authority: &str, tenant: &str) -> Answer {
    json_answer(
        200,
        &json!({
            "issuer": format!("{authority}/{tenant}/v2.0"),
            "authorization_endpoint": format!("{authority}/{tenant}/oauth2/v2.0/authorize"),
            "token_endpoint": format!("{authority}/{tenant}/oauth2/v2.0/token"),
            "device_authorization_endpoint": format!("{authority}/{tenant}/oauth2/v2.0/devicecode"),
            "jwks_uri": format!("{authority}/{tenant}/discovery/v2.0/keys"),
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        }),
    )
}

fn instance(world: &World) -> Answer {
    let host = world.authority.strip_prefix("https://").unwrap_or(&world.authority);
    json_answer(
        200,
        &json!({
            "tenant_discovery_endpoint":
                format!("{}/{}/v2.0/.well-known/openid-configuration", world.authority, world.identity.tenant_id),
            "api-version": "1.1",
            "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
        }),
    )
}

/// The answer to a fault which asks for a status without giving a body.
pub(crate) fn answer_for_status(status: u16) -> Answer {
    match status {
        429 => EntraError::new(429, "temporarily_unavailable", 90055, "The request was throttled.").into(),
        400..500 => EntraError::new(status, "invalid_request", 900_144, "The request was refused.").into(),
        _ => EntraError::new(status, "temporarily_unavailable", 90033, "A transient error has occurred.")
            .into(),
    }
}

struct EntraError {
    status: u16,
    error: &'static str,
    code: u32,
    message: String,
}

impl EntraError {
    fn new(status: u16, error: &'static str, code: u32, message: impl Into<String>) -> Self {
        Self { status, error, code, message: message.into() }
    }
}

impl From<EntraError> for Answer {
    /// The description spans lines, with CR and LF, as the real one does: some clients cannot read that.
    fn from(error: EntraError) -> Self {
        let (trace, correlation) = (guid(), guid());
        let timestamp = timestamp();
        let description = format!(
            "AADSTS{}: {}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {timestamp}",
            error.code, error.message
        );
        json_answer(
            error.status,
            &json!({
                "error": error.error,
                "error_description": description,
                "error_codes": [error.code],
                "timestamp": timestamp,
                "trace_id": trace,
                "correlation_id": correlation,
            }),
        )
    }
}

fn timestamp() -> String {
    let now = time::OffsetDateTime::from_unix_timestamp(now()).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    format!("{} {:02}:{:02}:{:02}Z", now.date(), now.hour(), now.minute(), now.second())
}
