//! The HTTP interfaces, each a plain function from a request to an answer: no sockets, no waiting.

pub(crate) mod control;
pub(crate) mod entra;
mod error;
pub(crate) mod imds;
pub(crate) mod vault;

use std::collections::BTreeMap;
use std::net::IpAddr;

use bytes::Bytes;
use hyper::HeaderMap;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) use self::error::ApiError;
use crate::store::DEFAULT_VAULT;

/// A request with its whole body.
pub(crate) struct Request {
    pub(crate) method: String,
    /// Host name and port as the client wrote them.
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The vault that the host name stands for: its first label, as in `https://NAME.vault.azure.net`.
    pub(crate) fn vault(&self) -> &str {
        let name = self.host.rsplit_once(':').map_or(self.host.as_str(), |(name, _)| name);
        let address = name.starts_with('[') || name.parse::<IpAddr>().is_ok();
        match name.split_once('.') {
            Some((label, _)) if !address => label,
            _ => DEFAULT_VAULT,
        }
    }

    pub(crate) fn parameters(&self) -> Form {
        form(self.query.as_bytes())
    }

    /// The path's components; a slash at the end adds none.
    pub(crate) fn segments(&self) -> Vec<&str> {
        let path = self.path.strip_prefix('/').unwrap_or(&self.path);
        path.strip_suffix('/').unwrap_or(path).split('/').collect()
    }

    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| ApiError::bad_parameter(format!("the body cannot be read: {error}")))
    }
}

/// The names and values of a query string or of a form; of a repeated name the last one counts.
pub(crate) type Form = BTreeMap<String, String>;

pub(crate) fn form(encoded: &[u8]) -> Form {
    url::form_urlencoded::parse(encoded).into_owned().collect()
}

/// An answer before any fault has touched it.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

pub(crate) fn json_answer(status: u16, body: &Value) -> Answer {
    Answer {
        status,
        content_type: "application/json; charset=utf-8".to_owned(),
        headers: Vec::new(),
        body: Bytes::from(body.to_string()),
    }
}

pub(crate) fn empty_answer(status: u16) -> Answer {
    Answer { status, content_type: String::new(), headers: Vec::new(), body: Bytes::new() }
}
