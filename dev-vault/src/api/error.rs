//! Key Vault's error answers.

use std::fmt;

use serde_json::{Value, json};

use super::{Answer, json_answer};
use crate::store::Kind;

/// An error as the service words it: a code, a message, and at times an inner code that says what really happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    pub(crate) inner: Option<&'static str>,
}

impl ApiError {
    fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), inner: None }
    }

    pub(crate) fn bad_parameter(message: impl Into<String>) -> Self {
        Self::new(400, "BadParameter", message)
    }

    pub(crate) fn not_found(kind: Kind, name: &str) -> Self {
        let (code, article) = match kind {
            Kind::Secret => ("SecretNotFound", "A secret"),
            Kind::Key => ("KeyNotFound", "A key"),
            Kind::Certificate => ("CertificateNotFound", "A certificate"),
        };
        Self::new(404, code, format!("{article} with (name/id) {name} was not found in this key vault."))
    }

    pub(crate) fn disabled() -> Self {
        Self {
            inner: Some("SecretDisabled"),
            ..Self::new(403, "Forbidden", "Operation get is not allowed on a disabled secret.")
        }
    }

    pub(crate) fn deleted_but_recoverable(kind: Kind, name: &str) -> Self {
        Self {
            inner: Some("ObjectIsDeletedButRecoverable"),
            ..Self::new(
                409,
                "Conflict",
                format!(
                    "The {} {name} is deleted but recoverable; its name is taken until it is purged.",
                    kind.noun()
                ),
            )
        }
    }

    /// A certificate and an object of one's own cannot share a name.
    pub(crate) fn taken(kind: Kind, name: &str) -> Self {
        Self::new(409, "Conflict", format!("There is another {} of the name {name}.", kind.noun()))
    }

    /// What belongs to a certificate is changed through it.
    pub(crate) fn managed(kind: Kind, name: &str) -> Self {
        Self::new(
            403,
            "Forbidden",
            format!("The {} {name} belongs to a certificate and is changed only with it.", kind.noun()),
        )
    }

    /// The role that the caller has lacks a data action. The service's message has line ends in it, which some
    /// clients stumble over.
    pub(crate) fn forbidden(action: &str) -> Self {
        Self {
            inner: Some("ForbiddenByRbac"),
            ..Self::new(
                403,
                "Forbidden",
                format!(
                    "Caller is not authorized to perform action on resource.\r\nAction: \
                     'Microsoft.KeyVault/vaults/{action}'\r\nAssignment: (not found)"
                ),
            )
        }
    }

    pub(crate) fn unauthorized(message: &str) -> Self {
        Self::new(401, "Unauthorized", message)
    }

    pub(crate) fn no_such_resource() -> Self {
        Self::new(404, "NotFound", "There is nothing at this path.")
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(405, "MethodNotAllowed", "This path does not take this method.")
    }

    /// The error that goes with a status which a fault asks for without giving a body.
    pub(crate) fn for_status(status: u16) -> Self {
        match status {
            400 => Self::bad_parameter("The request is malformed."),
            401 => Self::unauthorized("AKV10032: Invalid issuer."),
            403 => Self::forbidden("secrets/getSecret/action"),
            404 => Self::new(404, "SecretNotFound", "The secret was not found in this key vault."),
            409 => Self::new(409, "Conflict", "There was a conflict with another operation."),
            429 => Self::new(
                429,
                "Throttled",
                "Request was not processed because too many requests were received. Reason: \
                 VaultRequestTypeLimitReached",
            ),
            503 => Self::new(503, "ServiceUnavailable", "The service is not available for now."),
            _ => Self::new(status, "InternalServerError", "Something went wrong in the service."),
        }
    }

    pub(crate) fn json(&self) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(inner) = self.inner {
            error["innererror"] = json!({"code": inner});
        }
        json!({"error": error})
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl From<ApiError> for Answer {
    fn from(error: ApiError) -> Self {
        json_answer(error.status, &error.json())
    }
}
