//! Keys.

use serde_json::{Value, json};

use super::links::Links;
use super::{Call, Resource, json_answer, properties};
use crate::api::{Answer, ApiError};
use crate::store::{Details, Found, ImportedKey, Key, NewKey, Shelf, Vault, Version};

impl Resource for Key {
    fn shelf(vault: &mut Vault) -> &mut Shelf<Self> {
        &mut vault.keys
    }

    fn item(id: String, version: &Version<Self>) -> Value {
        let mut item = properties(version);
        item["kid"] = json!(id);
        item
    }

    fn bundle(links: &Links<'_>, found: &Found<Self>) -> Value {
        let mut bundle = properties(&found.version);
        let content = &found.version.content;
        let mut key = content.private.public_jwk();
        key["kid"] = json!(links.version(found));
        key["key_ops"] = json!(content.operations);
        bundle["key"] = key;
        bundle
    }

    fn special(call: &mut Call<'_>) -> Option<Result<Answer, ApiError>> {
        let answer = match (call.request.method.as_str(), call.path) {
            ("POST", [name, "create"]) => create(call, name),
            ("PUT", [name]) => import(call, name),
            ("PATCH", [name]) => update(call, name, None),
            ("PATCH", [name, version]) => update(call, name, Some(version)),
            _ => return None,
        };
        Some(answer.map(|body| json_answer(200, &body)))
    }
}

fn create(call: &mut Call<'_>, name: &str) -> Result<Value, ApiError> {
    call.vault.keys.check_free(name, false)?;
    put(call, name, call.request.json::<NewKey>()?.generate()?)
}

fn import(call: &mut Call<'_>, name: &str) -> Result<Value, ApiError> {
    put(call, name, call.request.json::<ImportedKey>()?.read()?)
}

fn put(call: &mut Call<'_>, name: &str, (key, details): (Key, Details)) -> Result<Value, ApiError> {
    let found = call.vault.keys.put(name, key, details)?;
    Ok(Key::bundle(&call.links, &found))
}

fn update(call: &mut Call<'_>, name: &str, version: Option<&str>) -> Result<Value, ApiError> {
    call.vault.keys.check_own(name)?;
    let found = call.vault.keys.update(name, version, call.request.json()?)?;
    Ok(Key::bundle(&call.links, &found))
}
