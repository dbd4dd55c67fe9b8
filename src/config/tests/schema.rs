//! The JSON Schema and the parser know the same keys, defaults and examples.
//!
//! Which keys the parser knows is asked of the parser: for an unknown one, it lists them.

use super::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// No key is near enough to be suggested instead.
const UNKNOWN: &str = "??????????";

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("JSON")
}

/// One step on the way to a place in a configuration.
#[derive(Debug)]
struct Step {
    /// A key, or [`ITEM`].
    key: String,
    /// What the mapping cannot do without, beside this key.
    beside: Map<String, Value>,
}

/// Stands for an item of a list.
const ITEM: &str = "[]";

/// Stands for a key that its user chooses: as a variable, a vault and a tag can be called.
const ANY: &str = "abc";

/// The configuration with `value` at this place, and nothing else.
fn alone(place: &[Step], value: Value) -> Value {
    place.iter().rev().fold(value, |inner, step| match step.key.as_str() {
        ITEM => json!([inner]),
        key => json!({ key: inner }),
    })
}

/// The same, with what the mappings around it cannot do without.
fn surrounded(place: &[Step], value: Value) -> Value {
    place.iter().rev().fold(value, |inner, step| match step.key.as_str() {
        ITEM => json!([inner]),
        key => {
            let mut mapping = step.beside.clone();
            mapping.insert(key.to_owned(), inner);
            Value::Object(mapping)
        }
    })
}

fn name(place: &[Step]) -> String {
    place.iter().map(|step| step.key.as_str()).collect::<Vec<_>>().join(".")
}

/// JSON is YAML, but only with a space after each colon.
fn yaml(value: &Value) -> String {
    serde_json::to_string_pretty(value).expect("text")
}

/// The keys that the parser takes at this place, if a mapping with known keys can stand there.
fn known_to_parser(place: &[Step]) -> Option<BTreeSet<String>> {
    let report = load_with(&yaml(&alone(place, json!({ UNKNOWN: 1 }))), &Environment::new()).err()?;
    let listed = report.lines().find_map(|line| line.split_once("??: unknown key; known here: "))?.1;
    Some(listed.split(", ").map(str::to_owned).collect())
}

/// A schema without references to others, and everything that it lets stand in the same place.
fn alternatives<'s>(root: &'s Value, schema: &'s Value) -> Vec<&'s Value> {
    let mut found = vec![schema];
    if let Some(name) = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/")) {
        let referred = &root["$defs"][name];
        assert!(referred.is_object(), "no {name}");
        found.extend(alternatives(root, referred));
    }
    for alternative in schema["anyOf"].as_array().into_iter().flatten() {
        found.extend(alternatives(root, alternative));
    }
    found
}

/// Calls `visit` with each place, and the schemas that are good for it.
fn walk(mut visit: impl FnMut(&[Step], &[&Value])) {
    let root = schema();
    go(&root, &root, &mut Vec::new(), &mut visit);
}

fn go(root: &Value, schema: &Value, place: &mut Vec<Step>, visit: &mut impl FnMut(&[Step], &[&Value])) {
    let alternatives = alternatives(root, schema);
    visit(place, &alternatives);
    for schema in alternatives {
        let named = schema["properties"].as_object().into_iter().flatten();
        let named = named.map(|(key, schema)| (key.as_str(), schema));
        let others = [(ANY, &schema["additionalProperties"]), (ITEM, &schema["items"])];
        for (key, below) in named.chain(others).filter(|(_, schema)| schema.is_object()) {
            // Of several keys that exclude each other, this one is chosen.
            let is_chosen = schema["oneOf"].to_string().contains(&format!("\"{key}\""));
            let example = schema["examples"][0].as_object().filter(|_| !is_chosen);
            place.push(Step { key: key.to_owned(), beside: example.cloned().unwrap_or_default() });
            go(root, below, place, visit);
            place.pop();
        }
    }
}

fn keys(alternatives: &[&Value]) -> Option<BTreeSet<String>> {
    let properties: Vec<_> =
        alternatives.iter().filter_map(|schema| schema["properties"].as_object()).collect();
    let keys = properties.iter().flat_map(|properties| properties.keys().cloned()).collect();
    (!properties.is_empty()).then_some(keys)
}

#[test]
fn every_key_of_the_parser_is_in_the_schema_and_the_other_way_round() {
    let mut places = BTreeSet::new();
    walk(|place, alternatives| {
        assert_eq!(known_to_parser(place), keys(alternatives), "{}", name(place));
        if keys(alternatives).is_some() {
            places.insert(name(place));
        }
    });
    // That the walk goes everywhere.
    for deep in ["", "vaults.abc.identity.workload", "onChange.[].verify.http", "probation.check.command"] {
        assert!(places.contains(deep), "{deep}: {places:?}");
    }
}

#[test]
fn every_mapping_with_known_keys_is_closed() {
    walk(|place, alternatives| {
        for schema in alternatives.iter().filter(|schema| schema["properties"].is_object()) {
            assert_eq!(schema["additionalProperties"], json!(false), "{}", name(place));
        }
    });
}

/// What the configuration says with `value` at this place.
fn read_at(place: &[Step], value: &Value) -> Config {
    let yaml = yaml(&surrounded(place, value.clone()));
    read(&yaml, &[("AKV_AGENT_VAULT", "myvault")])
}

#[test]
fn a_default_that_is_written_out_changes_nothing() {
    let mut compared = BTreeSet::new();
    walk(|place, alternatives| {
        let Some(default) = alternatives.iter().find_map(|schema| schema.get("default")) else { return };
        assert_eq!(read_at(place, default), read_at(place, &Value::Null), "{}: {default}", name(place));
        compared.insert(name(place));
    });
    for deep in ["timeout", "settle.max", "onChange.[].http.timeout", "probation.check.http.method"] {
        assert!(compared.contains(deep), "{deep}: {compared:?}");
    }
}

#[test]
fn every_example_in_the_schema_is_taken_by_the_parser() {
    let mut seen = 0;
    walk(|place, alternatives| {
        for example in alternatives.iter().filter_map(|schema| schema["examples"].as_array()).flatten() {
            read_at(place, example);
            seen += 1;
        }
    });
    assert!(seen > 10, "{seen}");
}

const MANUAL: &str = include_str!("../../../docs/configuration.md");

/// The text between the fences of each block in that language.
fn blocks<'m>(manual: &'m str, language: &str) -> Vec<&'m str> {
    let fence = format!("```{language}\n");
    manual.split(fence.as_str()).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[test]
fn every_example_in_the_manual_is_taken_by_the_parser() {
    let blocks = blocks(MANUAL, "yaml");
    assert!(blocks.len() >= 3, "{}", blocks.len());
    for block in blocks {
        read(block, &[("AKV_AGENT_VAULT", "myvault"), ("AKV_AGENT_MOUNT", "/mnt")]);
    }
}

#[test]
fn every_key_is_in_the_manual() {
    // Code only: between backquotes, or in a block.
    let code = MANUAL.split('`').skip(1).step_by(2).collect::<Vec<_>>().join(" ");
    let words: BTreeSet<&str> = code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
    walk(|place, alternatives| {
        // Those of identities have a page of their own.
        let here = keys(alternatives).filter(|_| !place.iter().any(|step| step.key == "identity"));
        for key in here.into_iter().flatten() {
            assert!(words.contains(key.as_str()), "{}.{key}", name(place));
        }
    });
    // The tables leave the prefix out.
    for name in super::super::environment::NAMES {
        let short = name.strip_prefix(value::OWN_PREFIX).expect("the prefix");
        assert!(words.contains(name) || words.contains(short), "{name}");
    }
}
