//! Key Vault's REST interface for secrets.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::{Answer, ApiError, Form, Request, empty_answer, json_answer};
use crate::store::{Deleted, Found, Page, Vault, Version};
use crate::world::World;

const API_VERSIONS: [&str; 5] = ["7.4", "7.5", "7.6", "2025-07-01", "2026-04-01"];
const MAX_PAGE: usize = 25;
const RECOVERABLE_DAYS: i64 = 90;
const DAY: i64 = 24 * 60 * 60;

/// Whether the path belongs to this interface.
pub(crate) fn owns(path: &str) -> bool {
    ["/secrets", "/deletedsecrets"]
        .iter()
        .any(|root| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// The secret that a path is about.
pub(crate) fn name_in(path: &str) -> Option<&str> {
    let mut segments = path.split('/').skip(1);
    matches!(segments.next(), Some("secrets" | "deletedsecrets")).then_some(())?;
    segments.next().filter(|name| !name.is_empty())
}

/// Answers a request whose token has been checked: without a valid one there is nothing but the challenge.
pub(crate) fn answer(world: &World, request: &Request, authenticated: bool) -> Answer {
    if !authenticated {
        return challenge(world, request);
    }
    dispatch(world, request).unwrap_or_else(Answer::from)
}

/// The 401 that tells a client where to get a token and for which resource.
fn challenge(world: &World, request: &Request) -> Answer {
    let error = match request.header("authorization") {
        None => ApiError::unauthorized("AKV10000: Request is missing a Bearer or PoP token."),
        Some(_) => ApiError::unauthorized("AKV10022: The token is not, or no longer, valid for this vault."),
    };
    let mut answer = Answer::from(error);
    answer.headers.push(("www-authenticate", world.challenge()));
    answer
}

fn dispatch(world: &World, request: &Request) -> Result<Answer, ApiError> {
    let parameters = request.parameters();
    match parameters.get("api-version").map(String::as_str) {
        None => return Err(ApiError::bad_parameter("the query parameter api-version is required")),
        Some(version) if !API_VERSIONS.contains(&version) => {
            return Err(ApiError::bad_parameter(format!("api-version {version} is not supported")));
        }
        Some(_) => {}
    }
    let links = Links { base: format!("https://{}", request.host), parameters: &parameters };
    let mut store = world.store();
    let vault = store.vault(request.vault());
    let segments = request.segments();
    let (root, rest) = segments.split_first().ok_or_else(ApiError::no_such_resource)?;
    match *root {
        "secrets" => live(vault, request, &links, rest),
        _ => deleted(vault, request, &links, rest),
    }
}

fn live(vault: &mut Vault, request: &Request, links: &Links<'_>, path: &[&str]) -> Result<Answer, ApiError> {
    let body = match (request.method.as_str(), path) {
        ("GET", []) => {
            let page = vault.list(links.after()?.as_deref(), links.limit()?);
            links.list(&request.path, page, |found| links.item(&found, None))
        }
        ("GET", [name, "versions"]) => {
            let page = vault.versions(name, links.after()?.as_deref(), links.limit()?)?;
            links.list(&request.path, page, |found| links.item(&found, Some(&found.version.id)))
        }
        ("GET", [name]) => links.bundle(&vault.get(name, None)?),
        ("GET", [name, version]) => links.bundle(&vault.get(name, Some(version))?),
        ("PUT", [name]) => links.bundle(&vault.set(name, request.json()?)?),
        ("PATCH", [name]) => links.versioned_item(&vault.update(name, None, request.json()?)?),
        ("PATCH", [name, version]) => {
            links.versioned_item(&vault.update(name, Some(version), request.json()?)?)
        }
        ("DELETE", [name]) => links.deleted(&vault.delete(name)?),
        (_, [] | [_] | [_, _]) => return Err(ApiError::method_not_allowed()),
        _ => return Err(ApiError::no_such_resource()),
    };
    Ok(json_answer(200, &body))
}

fn deleted(
    vault: &mut Vault,
    request: &Request,
    links: &Links<'_>,
    path: &[&str],
) -> Result<Answer, ApiError> {
    let body = match (request.method.as_str(), path) {
        ("GET", []) => {
            let page = vault.list_deleted(links.after()?.as_deref(), links.limit()?);
            links.list(&request.path, page, |deleted| links.deleted(&deleted))
        }
        ("GET", [name]) => links.deleted(vault.deleted(name)?),
        ("POST", [name, "recover"]) => links.versioned_item(&vault.recover(name)?),
        ("DELETE", [name]) => {
            vault.purge(name)?;
            return Ok(empty_answer(204));
        }
        (_, [] | [_] | [_, "recover"]) => return Err(ApiError::method_not_allowed()),
        _ => return Err(ApiError::no_such_resource()),
    };
    Ok(json_answer(200, &body))
}

/// Writes the JSON, whose identifiers repeat the address that the client used.
struct Links<'a> {
    base: String,
    parameters: &'a Form,
}

impl Links<'_> {
    fn limit(&self) -> Result<usize, ApiError> {
        let Some(text) = self.parameters.get("maxresults") else { return Ok(MAX_PAGE) };
        text.parse()
            .ok()
            .filter(|limit| (1..=MAX_PAGE).contains(limit))
            .ok_or_else(|| ApiError::bad_parameter(format!("maxresults must be 1 to {MAX_PAGE}")))
    }

    fn after(&self) -> Result<Option<String>, ApiError> {
        let Some(token) = self.parameters.get("$skiptoken") else { return Ok(None) };
        URL_SAFE_NO_PAD
            .decode(token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .map(Some)
            .ok_or_else(|| ApiError::bad_parameter("the $skiptoken is not one of ours"))
    }

    fn list<T>(&self, path: &str, page: Page<T>, render: impl Fn(T) -> Value) -> Value {
        let next = page.next.map(|key| {
            let mut query = url::form_urlencoded::Serializer::new(String::new());
            for (name, value) in self.parameters.iter().filter(|(name, _)| *name != "$skiptoken") {
                query.append_pair(name, value);
            }
            query.append_pair("$skiptoken", &URL_SAFE_NO_PAD.encode(key));
            format!("{}{path}?{}", self.base, query.finish())
        });
        let value: Vec<_> = page.items.into_iter().map(render).collect();
        json!({"value": value, "nextLink": next})
    }

    fn bundle(&self, found: &Found) -> Value {
        let mut bundle = self.versioned_item(found);
        bundle["value"] = json!(found.version.value);
        bundle
    }

    fn versioned_item(&self, found: &Found) -> Value {
        self.item(found, Some(&found.version.id))
    }

    /// A secret without its value; the entries of a list of secrets carry no version in their identifier.
    fn item(&self, found: &Found, version: Option<&str>) -> Value {
        let mut id = format!("{}/secrets/{}", self.base, found.name);
        if let Some(version) = version {
            id = format!("{id}/{version}");
        }
        properties(id, &found.version)
    }

    fn deleted(&self, deleted: &Deleted) -> Value {
        let name = &deleted.secret.name;
        let latest = deleted.secret.latest();
        let mut item = properties(format!("{}/secrets/{name}/{}", self.base, latest.id), latest);
        item["recoveryId"] = json!(format!("{}/deletedsecrets/{name}", self.base));
        item["deletedDate"] = json!(deleted.at);
        item["scheduledPurgeDate"] = json!(deleted.at + RECOVERABLE_DAYS * DAY);
        item
    }
}

/// Members without a value are left out, as the service does.
fn properties(id: String, version: &Version) -> Value {
    let mut attributes = json!({
        "enabled": version.enabled,
        "created": version.created,
        "updated": version.updated,
        "recoveryLevel": "Recoverable+Purgeable",
        "recoverableDays": RECOVERABLE_DAYS,
    });
    for (name, time) in [("nbf", version.nbf), ("exp", version.exp)] {
        if let Some(time) = time {
            attributes[name] = json!(time);
        }
    }
    let mut item = Map::new();
    item.insert("id".to_owned(), Value::String(id));
    item.insert("attributes".to_owned(), attributes);
    item.insert("tags".to_owned(), json!(version.tags));
    if let Some(content_type) = &version.content_type {
        item.insert("contentType".to_owned(), json!(content_type));
    }
    Value::Object(item)
}
