//! `env`: which variable gets which secret.

use super::{
    Binding, Config, EnvName, Lookup,
    problem::{Problems, quoted_key},
    setting::Setting,
};
use crate::{
    failure::Failure,
    reference::{Reference, ReferenceError, Scope, is_inline},
};
use std::{collections::BTreeMap, fmt::Display, path::Path};

/// The variables of the file, and over them those of `AKV_AGENT_ENV`; sorted by name.
///
/// `is_relevant` decides which errors of references are reported: an error that only follows from another
/// problem would send the reader after the wrong thing.
pub(super) fn bindings(
    file: Option<&Setting<'_>>,
    variable: Option<&Setting<'_>>,
    scope: &Scope<'_>,
    is_relevant: impl Fn(&ReferenceError) -> bool,
) -> Vec<Binding> {
    let mut bindings = BTreeMap::new();
    for (name, setting) in file.and_then(Setting::entries).unwrap_or_default() {
        let name = EnvName::parse(name).map_err(|error| setting.problem(error));
        let reference = setting.text().map(|text| Reference::parse(text, scope));
        match (name, reference) {
            (Ok(name), Some(Ok(reference))) => drop(bindings.insert(name, reference)),
            (_, Some(Err(error))) if is_relevant(&error) => setting.problem(error),
            _ => {}
        }
    }
    if let Some(setting) = variable {
        from_variable(setting, scope, is_relevant, &mut bindings);
    }
    bindings.into_iter().map(|(variable, reference)| Binding { variable, reference }).collect()
}

/// `NAME=reference`, separated by line breaks or commas. A malformed entry is called by its number, since
/// its "name" may well be the first half of a secret.
fn from_variable(
    setting: &Setting<'_>,
    scope: &Scope<'_>,
    is_relevant: impl Fn(&ReferenceError) -> bool,
    bindings: &mut BTreeMap<EnvName, Reference>,
) {
    let mut seen = Vec::new();
    let entries = setting.text().unwrap_or_default().split(['\n', ',']).map(str::trim);
    for (index, entry) in entries.filter(|entry| !entry.is_empty()).enumerate() {
        let number = index + 1;
        let Some((name, text)) = entry.split_once('=') else {
            setting.problem(format_args!("entry {number} is not NAME=reference; write it like that"));
            continue;
        };
        let name = match EnvName::parse(name.trim_end()) {
            Ok(name) => name,
            Err(error) => {
                setting.problem(format_args!("entry {number}: {error}"));
                continue;
            }
        };
        match Reference::parse(text, scope) {
            Ok(_) if seen.contains(&name) => {
                setting.problem(format_args!("entry {number}: {name} is given twice; keep one"));
            }
            Ok(reference) => {
                seen.push(name.clone());
                bindings.insert(name, reference);
            }
            Err(error) if !is_relevant(&error) => {}
            Err(error @ ReferenceError::Malformed { .. }) => {
                setting.problem(format_args!("entry {number}: {error}"));
            }
            Err(error) => setting.problem(format_args!("entry {number}: {name}: {error}")),
        }
    }
}

/// Bindings for the variables of the agent's own environment whose whole value is a reference, sorted by
/// name; for `exec`, which resolves them in place. Variables of `env` are left out: there they win.
pub fn inline(config: &Config, lookup: &dyn Lookup) -> Result<Vec<Binding>, Failure> {
    let problems = Problems::default();
    let scope = config.scope();
    let mut found = BTreeMap::new();
    let mut variables = lookup.all();
    // Stable, so that the first of two wins, as with getenv.
    variables.sort_by(|(a, _), (b, _)| a.cmp(b));
    variables.dedup_by(|(later, _), (first, _)| later == first);
    for (name, value) in variables {
        if !is_inline(&value.to_string_lossy()) {
            continue;
        }
        let shown = name.to_string_lossy();
        let report = |what: &dyn Display| problems.variable(&quoted_key(&shown, 64), what);
        let name = match EnvName::parse(&shown) {
            Ok(name) if config.env.iter().any(|binding| binding.variable == name) => continue,
            Ok(name) => name,
            Err(error) => {
                report(&error);
                continue;
            }
        };
        match value.to_str().map(|text| Reference::parse(text, &scope)) {
            Some(Ok(reference)) => drop(found.insert(name, reference)),
            Some(Err(error)) => report(&error),
            None => report(&"not UTF-8 text; write a reference in plain text"),
        }
    }
    let bindings = found.into_iter().map(|(variable, reference)| Binding { variable, reference }).collect();
    problems.or(bindings, Path::new(""))
}
