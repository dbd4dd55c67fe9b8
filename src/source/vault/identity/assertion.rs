//! The projected service account token as the assertion, and what it says about itself.

use super::{LocalError, local};
use crate::source::vault::transport::tidy;
use async_trait::async_trait;
use azure_core::{base64, http::ClientMethodOptions};
use azure_identity::ClientAssertion;
use serde_json::Value;
use std::{
    fmt,
    path::{Path, PathBuf},
};

/// The kubelet replaces the token well before it expires, so it is read anew for every exchange. Entra
/// refuses an assertion with the file's trailing newline.
#[derive(Debug)]
pub(super) struct TokenFile(pub(super) PathBuf);

#[async_trait]
impl ClientAssertion for TokenFile {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let token = local::text("the token file", &self.0).map_err(|error| LocalError {
            message: format!(
                "{error}; the workload identity webhook mounts it and names it in AZURE_FEDERATED_TOKEN_FILE"
            ),
            ..error
        })?;
        Ok(String::clone(&token))
    }
}

/// What a federated credential must name. None of it is secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Claims {
    pub(in super::super) subject: Option<String>,
    pub(in super::super) issuer: Option<String>,
    pub(in super::super) audience: Option<String>,
}

impl Claims {
    /// Of the token in a file; `None` if that cannot be read as a JSON Web Token.
    pub(super) fn of(file: &Path) -> Option<Self> {
        Self::parse(&local::text("the token file", file).ok()?)
    }

    fn parse(token: &str) -> Option<Self> {
        let payload = base64::decode_url_safe(token.split('.').nth(1)?).ok()?;
        let claims: Value = serde_json::from_slice(&payload).ok()?;
        let claim = |name: &str| match claims.get(name)? {
            Value::String(text) => Some(tidy(text)),
            Value::Array(all) => {
                let all: Vec<_> = all.iter().filter_map(Value::as_str).map(tidy).collect();
                Some(all.join(", ")).filter(|all| !all.is_empty())
            }
            _ => None,
        };
        let claims = Self { subject: claim("sub"), issuer: claim("iss"), audience: claim("aud") };
        (claims != Self::default()).then_some(claims)
    }
}

impl fmt::Display for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = [("subject", &self.subject), ("issuer", &self.issuer), ("audience", &self.audience)];
        let mut separator = "";
        for (name, value) in named {
            if let Some(value) = value {
                write!(f, "{separator}{name} {value}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(payload: &str) -> Option<String> {
        let token = format!("e30.{}.c2ln", base64::encode_url_safe(payload));
        Claims::parse(&token).map(|claims| claims.to_string())
    }

    #[test]
    fn the_claims_that_a_federated_credential_names_are_read() {
        let payload =
            r#"{"sub":"system:serviceaccount:a:b","iss":"https://issuer/","aud":["api://x"],"exp":1}"#;
        let expected = "subject system:serviceaccount:a:b, issuer https://issuer/, audience api://x";
        assert_eq!(claims(payload).as_deref(), Some(expected));
        assert_eq!(claims(r#"{"aud":"api://x"}"#).as_deref(), Some("audience api://x"));
        assert_eq!(claims(r#"{"aud":["a","b"],"sub":3}"#).as_deref(), Some("audience a, b"));
    }

    #[test]
    fn what_is_no_token_has_no_claims() {
        for payload in ["", "{}", "[]", "\"sub\"", r#"{"sub":{}}"#, r#"{"aud":[1]}"#] {
            assert_eq!(claims(payload), None, "{payload}");
        }
        for token in ["", "a", "a.b", "a.%.c", "..", "a..c"] {
            assert_eq!(Claims::parse(token), None, "{token}");
        }
    }

    #[test]
    fn a_claim_is_one_line_of_bounded_length() {
        let long = format!(r#"{{"sub":"a\n\u001b[31m {}"}}"#, "x".repeat(1000));
        let shown = claims(&long).expect("claims");
        assert!(shown.starts_with("subject a [31m xxx") && shown.len() < 330, "{shown}");
        assert!(!shown.contains(char::is_control));
    }
}
