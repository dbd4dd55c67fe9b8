//! The control interface under `/dev-vault/`, for programs that cannot use the library.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::vault::Operation;
use super::{Answer, ApiError, Request, empty_answer, json_answer};
use crate::faults::Fault;
use crate::world::World;

pub(crate) fn owns(path: &str) -> bool {
    path.starts_with("/dev-vault/")
}

/// One fault or several: both can be put.
#[derive(Deserialize)]
#[serde(untagged)]
enum Faults {
    Many(Vec<Value>),
    One(Value),
}

pub(crate) fn answer(world: &World, request: &Request) -> Answer {
    dispatch(world, request).unwrap_or_else(Answer::from)
}

fn dispatch(world: &World, request: &Request) -> Result<Answer, ApiError> {
    match (request.path.as_str(), request.method.as_str()) {
        ("/dev-vault/faults", "GET") => Ok(json_answer(200, &json!(world.faults.list()))),
        ("/dev-vault/faults", "PUT") => {
            world.faults.replace(faults(request.json()?)?);
            Ok(empty_answer(204))
        }
        ("/dev-vault/faults", "DELETE") => {
            world.faults.clear();
            Ok(empty_answer(204))
        }
        ("/dev-vault/forbidden", "GET") => Ok(json_answer(200, &json!(world.permissions.forbidden()))),
        ("/dev-vault/forbidden", "PUT") => {
            world.permissions.replace(operations(request.json()?)?);
            Ok(empty_answer(204))
        }
        ("/dev-vault/throttle", "GET") => Ok(json_answer(200, &throttle(world))),
        ("/dev-vault/throttle", "DELETE") => {
            world.gate.clear();
            Ok(empty_answer(204))
        }
        ("/dev-vault/requests", "GET") => Ok(json_answer(200, &json!(world.log.records()))),
        ("/dev-vault/requests", "DELETE") => {
            world.log.clear();
            Ok(empty_answer(204))
        }
        ("/dev-vault/revoke", "POST") => {
            world.revoke_tokens();
            Ok(empty_answer(204))
        }
        (
            "/dev-vault/faults"
            | "/dev-vault/forbidden"
            | "/dev-vault/throttle"
            | "/dev-vault/requests"
            | "/dev-vault/revoke",
            _,
        ) => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::no_such_resource()),
    }
}

/// The limit, and how much each vault was asked.
fn throttle(world: &World) -> Value {
    let limit = world.gate.throttle().map(|limit| {
        json!({
            "transactions": limit.transactions,
            "windowMillis": u64::try_from(limit.window.as_millis()).unwrap_or(u64::MAX),
            "retryAfter": limit.retry_after,
        })
    });
    json!({"limit": limit, "vaults": world.gate.traffic()})
}

/// The forbidden operations of each vault, from their names.
fn operations(
    names: BTreeMap<String, Vec<String>>,
) -> Result<BTreeMap<String, BTreeSet<Operation>>, ApiError> {
    let known = |name: &String| {
        Operation::named(name).ok_or_else(|| ApiError::bad_parameter(format!("there is no operation {name}")))
    };
    names
        .into_iter()
        .map(|(vault, names)| Ok((vault, names.iter().map(known).collect::<Result<_, _>>()?)))
        .collect()
}

/// Read one by one, because an untagged enum would swallow the message that says what is wrong.
fn faults(faults: Faults) -> Result<Vec<Fault>, ApiError> {
    let values = match faults {
        Faults::Many(values) => values,
        Faults::One(value) => vec![value],
    };
    values
        .into_iter()
        .map(|value| {
            serde_json::from_value(value)
                .map_err(|error| ApiError::bad_parameter(format!("a fault cannot be read: {error}")))
        })
        .collect()
}
