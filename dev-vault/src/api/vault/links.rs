//! Identifiers and lists, which repeat the address that the client used.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{ApiError, Request};
use crate::api::Form;
use crate::store::{Content, Found, Kind, Page};

const MAX_PAGE: usize = 25;

pub(super) struct Links<'a> {
    base: String,
    path: &'a str,
    parameters: &'a Form,
}

impl<'a> Links<'a> {
    pub(super) fn new(request: &'a Request, parameters: &'a Form) -> Self {
        Self { base: format!("https://{}", request.host), path: &request.path, parameters }
    }

    pub(super) fn limit(&self) -> Result<usize, ApiError> {
        let Some(text) = self.parameters.get("maxresults") else { return Ok(MAX_PAGE) };
        text.parse()
            .ok()
            .filter(|limit| (1..=MAX_PAGE).contains(limit))
            .ok_or_else(|| ApiError::bad_parameter(format!("maxresults must be 1 to {MAX_PAGE}")))
    }

    pub(super) fn after(&self) -> Result<Option<String>, ApiError> {
        let Some(token) = self.parameters.get("$skiptoken") else { return Ok(None) };
        URL_SAFE_NO_PAD
            .decode(token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .map(Some)
            .ok_or_else(|| ApiError::bad_parameter("the $skiptoken is not one of ours"))
    }

    pub(super) fn list<T>(&self, page: Page<T>, render: impl Fn(T) -> Value) -> Value {
        let next = page.next.map(|key| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            for (name, value) in self.parameters.iter().filter(|(name, _)| *name != "$skiptoken") {
                query.append_pair(name, value);
            }
            query.append_pair("$skiptoken", &URL_SAFE_NO_PAD.encode(key));
            format!("{}{}?{}", self.base, self.path, query.finish())
        });
        let value: Vec<_> = page.items.into_iter().map(render).collect();
        json!({"value": value, "nextLink": next})
    }

    /// The identifier of an object in a list, which has no version.
    pub(super) fn object<T: Content>(&self, name: &str) -> String {
        self.under(T::KIND, name)
    }

    pub(super) fn version<T: Content>(&self, found: &Found<T>) -> String {
        self.sibling(T::KIND, found)
    }

    /// The version of another kind that has the same name and version.
    pub(super) fn sibling<T>(&self, kind: Kind, found: &Found<T>) -> String {
        format!("{}/{}", self.under(kind, &found.name), found.version.id)
    }

    pub(super) fn deleted<T: Content>(&self, name: &str) -> String {
        format!("{}/deleted{}/{name}", self.base, T::KIND.collection())
    }

    fn under(&self, kind: Kind, name: &str) -> String {
        format!("{}/{}/{name}", self.base, kind.collection())
    }
}
