//! `env`: which variable gets which secret.

use super::{
    Binding, Config, EnvName, Lookup,
    problem::{Problems, quoted_key},
    setting::{Setting, Written},
    value,
};
use crate::{
    failure::Failure,
    reference::{Collection, Origin, Reference, ReferenceError, Scope, is_inline},
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
        let target = target(&setting, scope, &is_relevant);
        if let (Ok(name), Some(target)) = (name, target) {
            bindings.insert(name, target);
        }
    }
    if let Some(setting) = variable {
        from_variable(setting, scope, is_relevant, &mut bindings);
    }
    let mut all: Vec<Binding> = Vec::new();
    for (variable, (reference, history)) in &bindings {
        for place in 1..=*history {
            let previous = variable.previous(place);
            if let Some(setting) = file.filter(|_| bindings.contains_key(&previous)) {
                setting.problem(format_args!(
                    "{previous} is a variable of its own and a previous version of {variable}; rename one"
                ));
            }
        }
        all.push(Binding { variable: variable.clone(), reference: reference.clone(), history: *history });
    }
    all
}

/// What a variable is set to, and how many previous versions come with it.
type Target = (Reference, u8);

/// A reference, or a mapping with one and what else is wanted.
fn target(
    setting: &Setting<'_>,
    scope: &Scope<'_>,
    is_relevant: impl Fn(&ReferenceError) -> bool,
) -> Option<Target> {
    let parse = |setting: &Setting<'_>| match Reference::parse(setting.text()?, scope) {
        Ok(reference) => Some(reference),
        Err(error) => {
            if is_relevant(&error) {
                setting.problem(error);
            }
            None
        }
    };
    if !matches!(setting.written, Written::Map(_)) {
        return Some((parse(setting)?, 0));
    }
    let mut fields = setting.fields(&["ref", "history"], &[])?;
    let history = fields.take("history").map_or(Some(0), |setting| setting.parse(value::history));
    let Some(reference) = fields.take("ref") else {
        setting.problem("a mapping needs the key ref, with the reference");
        return None;
    };
    let (mut reference, history) = (parse(&reference)?, history?);
    if history > 0 {
        // A mount does not tell which versions it holds.
        reference.origin = match reference.origin {
            Origin::Vault(id) | Origin::MountElseVault(_, id)
                if id.version.is_none() && id.collection == Collection::Secrets =>
            {
                Origin::Vault(id)
            }
            _ => {
                setting.problem("history is for the latest version of a secret or certificate of a vault");
                return None;
            }
        };
    }
    Some((reference, history))
}

/// `NAME=reference`, separated by line breaks or commas. A malformed entry is called by its number, since
/// its "name" may well be the first half of a secret.
fn from_variable(
    setting: &Setting<'_>,
    scope: &Scope<'_>,
    is_relevant: impl Fn(&ReferenceError) -> bool,
    bindings: &mut BTreeMap<EnvName, Target>,
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
                bindings.insert(name, (reference, 0));
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
    let mut variables = BTreeMap::new();
    for (name, value) in lookup.all() {
        // The first of two wins, as with getenv.
        variables.entry(name).or_insert(value);
    }
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
    let bindings =
        found.into_iter().map(|(variable, reference)| Binding { variable, reference, history: 0 }).collect();
    problems.or(bindings, Path::new(""))
}
