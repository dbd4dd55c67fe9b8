//! Key Vault's REST interface: what secrets, keys and certificates have in common, and the way to each of them.

mod certificates;
mod keys;
mod links;
mod permissions;
mod secrets;

use serde_json::{Value, json};

use self::links::Links;
pub(crate) use self::permissions::{Operation, Permissions};
use super::{Answer, ApiError, Request, empty_answer, json_answer};
use crate::store::{Certificate, Content, Deleted, Found, Key, Secret, Shelf, Vault, Version};
use crate::world::World;

const API_VERSIONS: [&str; 5] = ["7.4", "7.5", "7.6", "2025-07-01", "2026-04-01"];
const RECOVERABLE_DAYS: i64 = 90;
const DAY: i64 = 24 * 60 * 60;
const ROOTS: [&str; 6] =
    ["secrets", "keys", "certificates", "deletedsecrets", "deletedkeys", "deletedcertificates"];

/// Whether the path belongs to this interface.
pub(crate) fn owns(path: &str) -> bool {
    path.split('/').nth(1).is_some_and(|root| ROOTS.contains(&root))
}

/// The object that a path is about.
pub(crate) fn name_in(path: &str) -> Option<&str> {
    owns(path).then(|| path.split('/').nth(2)).flatten().filter(|name| !name.is_empty())
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
    let segments = request.segments();
    let (root, path) = segments.split_first().ok_or_else(ApiError::no_such_resource)?;
    let links = Links::new(request, &parameters);
    let mut store = world.store();
    let mut call = Call { vault: store.vault(request.vault()), request, links, path };
    let operation = Operation::of(&request.method, root, path);
    world.permissions.check(request.vault(), operation)?;
    match *root {
        "secrets" => call.live::<Secret>(),
        "keys" => call.live::<Key>(),
        "certificates" => call.live::<Certificate>(),
        "deletedsecrets" => call.deleted::<Secret>(),
        "deletedkeys" => call.deleted::<Key>(),
        "deletedcertificates" => call.deleted::<Certificate>(),
        _ => Err(ApiError::no_such_resource()),
    }
}

/// An authorized request to one vault.
struct Call<'a> {
    vault: &'a mut Vault,
    request: &'a Request,
    links: Links<'a>,
    /// What follows the collection.
    path: &'a [&'a str],
}

/// What differs between the kinds of objects.
trait Resource: Content {
    fn shelf(vault: &mut Vault) -> &mut Shelf<Self>;

    /// What everybody who may list sees of a version, under this identifier.
    fn item(id: String, version: &Version<Self>) -> Value;

    /// What everybody who may read sees of a version.
    fn bundle(links: &Links<'_>, found: &Found<Self>) -> Value;

    /// The requests that only this kind knows; `None` for others.
    fn special(call: &mut Call<'_>) -> Option<Result<Answer, ApiError>>;

    fn get(vault: &mut Vault, name: &str, version: Option<&str>) -> Result<Found<Self>, ApiError> {
        Self::shelf(vault).find(name, version)
    }

    fn delete(vault: &mut Vault, name: &str) -> Result<Deleted<Self>, ApiError> {
        let shelf = Self::shelf(vault);
        shelf.check_own(name)?;
        shelf.delete(name)
    }

    fn recover(vault: &mut Vault, name: &str) -> Result<Found<Self>, ApiError> {
        let shelf = Self::shelf(vault);
        shelf.check_own_deleted(name)?;
        shelf.recover(name)
    }

    fn purge(vault: &mut Vault, name: &str) -> Result<(), ApiError> {
        let shelf = Self::shelf(vault);
        shelf.check_own_deleted(name)?;
        shelf.purge(name)
    }
}

impl Call<'_> {
    fn live<T: Resource>(&mut self) -> Result<Answer, ApiError> {
        if let Some(answer) = T::special(self) {
            return answer;
        }
        let Self { vault, request, links, path } = self;
        let body = match (request.method.as_str(), *path) {
            ("GET", []) => {
                let page = T::shelf(vault).list(links.after()?.as_deref(), links.limit()?);
                links.list(page, |found| T::item(links.object::<T>(&found.name), &found.version))
            }
            ("GET", [name, "versions"]) => {
                let page = T::shelf(vault).versions(name, links.after()?.as_deref(), links.limit()?)?;
                links.list(page, |found| T::item(links.version(&found), &found.version))
            }
            ("GET", [name]) => T::bundle(links, &T::get(vault, name, None)?),
            ("GET", [name, version]) => T::bundle(links, &T::get(vault, name, Some(version))?),
            ("DELETE", [name]) => deleted_item(links, &T::delete(vault, name)?),
            (_, [] | [_] | [_, _]) => return Err(ApiError::method_not_allowed()),
            _ => return Err(ApiError::no_such_resource()),
        };
        Ok(json_answer(200, &body))
    }

    fn deleted<T: Resource>(&mut self) -> Result<Answer, ApiError> {
        let Self { vault, request, links, path } = self;
        let body = match (request.method.as_str(), *path) {
            ("GET", []) => {
                let page = T::shelf(vault).list_deleted(links.after()?.as_deref(), links.limit()?);
                links.list(page, |deleted| deleted_item(links, &deleted))
            }
            ("GET", [name]) => deleted_item(links, T::shelf(vault).deleted(name)?),
            ("POST", [name, "recover"]) => without_value(T::bundle(links, &T::recover(vault, name)?)),
            ("DELETE", [name]) => {
                T::purge(vault, name)?;
                return Ok(empty_answer(204));
            }
            (_, [] | [_] | [_, "recover"]) => return Err(ApiError::method_not_allowed()),
            _ => return Err(ApiError::no_such_resource()),
        };
        Ok(json_answer(200, &body))
    }
}

fn deleted_item<T: Resource>(links: &Links<'_>, deleted: &Deleted<T>) -> Value {
    let latest = deleted.latest();
    let mut item = without_value(T::bundle(links, &latest));
    item["recoveryId"] = json!(links.deleted::<T>(&latest.name));
    item["deletedDate"] = json!(deleted.at);
    item["scheduledPurgeDate"] = json!(deleted.at + RECOVERABLE_DAYS * DAY);
    item
}

/// Only a secret has one, and only reading it shows it.
fn without_value(mut bundle: Value) -> Value {
    if let Some(members) = bundle.as_object_mut() {
        members.remove("value");
    }
    bundle
}

/// The members that versions of all kinds have. Those without a value are left out, as the service does.
fn properties<T>(version: &Version<T>) -> Value {
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
    let mut item = json!({"attributes": attributes, "tags": version.tags});
    if version.managed {
        item["managed"] = json!(true);
    }
    item
}
