//! Tokens for managed identities: the instance metadata service, and the variant that App Service offers.

use serde_json::json;

use super::{Answer, ApiError, Form, Request, json_answer};
use crate::util::unix;
use crate::world::World;

const IMDS: &str = "/metadata/identity/oauth2/token";
const APP_SERVICE: &str = "/msi/token";

pub(crate) fn owns(path: &str) -> bool {
    [IMDS, APP_SERVICE].contains(&path)
}

pub(crate) fn answer(world: &World, request: &Request) -> Answer {
    if request.method != "GET" {
        return ApiError::method_not_allowed().into();
    }
    let permitted = if request.path == IMDS {
        request.header("metadata").is_some_and(|value| value.eq_ignore_ascii_case("true"))
    } else {
        request.header("x-identity-header") == Some(&world.identity.app_service_header)
    };
    if !permitted {
        return if request.path == IMDS {
            error(400, "invalid_request", "Required metadata header not specified")
        } else {
            error(401, "unauthorized", "The header X-IDENTITY-HEADER is missing or wrong")
        };
    }
    let parameters = request.parameters();
    let Some(resource) = parameters.get("resource").filter(|resource| !resource.is_empty()) else {
        return error(400, "invalid_request", "Required query variable 'resource' is missing");
    };
    if !identity_exists(world, &parameters) {
        return error(400, "invalid_request", "Identity not found");
    }
    let token = world.issue_token(resource);
    let expires_on = unix(token.expires);
    let lifetime = i64::try_from(token.lifetime.as_secs()).unwrap_or(i64::MAX);
    // Every number is a string here, unlike in the answer of Entra.
    json_answer(
        200,
        &json!({
            "access_token": token.value,
            "client_id": world.identity.client_id,
            "expires_in": lifetime.to_string(),
            "expires_on": expires_on.to_string(),
            "ext_expires_in": lifetime.to_string(),
            "not_before": (expires_on - lifetime).to_string(),
            "resource": resource,
            "token_type": "Bearer",
        }),
    )
}

/// Without any identifier the machine's only identity is meant.
fn identity_exists(world: &World, parameters: &Form) -> bool {
    let identity = &world.identity;
    [
        ("client_id", &identity.client_id),
        ("object_id", &identity.object_id),
        ("principal_id", &identity.object_id),
        ("msi_res_id", &identity.resource_id),
        ("mi_res_id", &identity.resource_id),
    ]
    .iter()
    .all(|(name, known)| parameters.get(*name).is_none_or(|value| value.eq_ignore_ascii_case(known)))
}

/// The answer to a fault which asks for a status without giving a body.
pub(crate) fn answer_for_status(status: u16) -> Answer {
    match status {
        404 => error(404, "not_found", "The identity endpoint is not ready yet"),
        410 => error(410, "gone", "The service is being updated"),
        429 => error(429, "too_many_requests", "Too many requests"),
        400..500 => error(status, "invalid_request", "The request was refused"),
        _ => error(status, "unknown", "The identity service failed"),
    }
}

fn error(status: u16, code: &str, description: &str) -> Answer {
    json_answer(status, &json!({"error": code, "error_description": description}))
}
