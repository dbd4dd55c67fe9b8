//! Secrets.

use serde_json::{Value, json};

use super::links::Links;
use super::{Call, Resource, json_answer, properties, without_value};
use crate::api::{Answer, ApiError};
use crate::store::{Found, Kind, Secret, Shelf, Vault, Version};

impl Resource for Secret {
    fn shelf(vault: &mut Vault) -> &mut Shelf<Self> {
        &mut vault.secrets
    }

    fn item(id: String, version: &Version<Self>) -> Value {
        let mut item = properties(version);
        item["id"] = json!(id);
        if let Some(content_type) = &version.content.content_type {
            item["contentType"] = json!(content_type);
        }
        item
    }

    fn bundle(links: &Links<'_>, found: &Found<Self>) -> Value {
        let mut bundle = Self::item(links.version(found), &found.version);
        bundle["value"] = json!(found.version.content.value);
        if found.version.managed {
            bundle["kid"] = json!(links.sibling(Kind::Key, found));
        }
        bundle
    }

    fn get(vault: &mut Vault, name: &str, version: Option<&str>) -> Result<Found<Self>, ApiError> {
        vault.secrets.get(name, version)
    }

    fn special(call: &mut Call<'_>) -> Option<Result<Answer, ApiError>> {
        let answer = match (call.request.method.as_str(), call.path) {
            ("PUT", [name]) => set(call, name),
            ("PATCH", [name]) => update(call, name, None),
            ("PATCH", [name, version]) => update(call, name, Some(version)),
            _ => return None,
        };
        Some(answer.map(|body| json_answer(200, &body)))
    }
}

fn set(call: &mut Call<'_>, name: &str) -> Result<Value, ApiError> {
    let found = call.vault.secrets.set(name, call.request.json()?)?;
    Ok(Secret::bundle(&call.links, &found))
}

fn update(call: &mut Call<'_>, name: &str, version: Option<&str>) -> Result<Value, ApiError> {
    call.vault.secrets.check_own(name)?;
    let found = call.vault.secrets.update(name, version, call.request.json()?)?;
    Ok(without_value(Secret::bundle(&call.links, &found)))
}
