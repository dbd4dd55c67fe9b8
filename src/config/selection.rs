//! `envFrom`: which secrets of a vault become variables without being named.

use super::{
    Naming, Selection, naming,
    setting::{Setting, Written},
    value,
};
use crate::reference::{ReferenceError, Scope, VaultUrl};
use std::collections::BTreeMap;

/// One selection or a list of them.
pub(super) fn selections(
    setting: Setting<'_>,
    scope: &Scope<'_>,
    is_relevant: impl Fn(&ReferenceError) -> bool,
) -> Vec<Selection> {
    setting.items().iter().filter_map(|item| selection(item, scope, &is_relevant)).collect()
}

fn selection(
    setting: &Setting<'_>,
    scope: &Scope<'_>,
    is_relevant: impl Fn(&ReferenceError) -> bool,
) -> Option<Selection> {
    let mut fields = setting.fields(&["vault", "prefix", "tags", "all", "naming"], &[])?;
    let all = fields.take_even_null("all");
    let prefix = fields.take("prefix");
    let tags = fields.take("tags");
    let is_choice = [all.is_some(), prefix.is_some() || tags.is_some()];
    if is_choice == [false, false] {
        setting.problem("which secrets? Write prefix, tags, or all: true");
    } else if is_choice == [true, true] {
        setting.problem("all: true stands beside prefix or tags; keep one");
    }
    let all = all.is_none_or(|setting| setting.flag().is_some());
    let prefix = prefix.map_or(Some(String::new()), |setting| setting.parse(value::name_prefix));
    let tags = tags.map_or(Some(BTreeMap::new()), |setting| tag_map(&setting));
    let naming =
        fields.take("naming").map_or(Some(Naming::UpperSnake), |setting| setting.parse(naming::parse));
    let vault = if let Some(setting) = fields.take("vault") {
        let parsed = VaultUrl::parse(setting.text()?, scope.cloud);
        if let Err(error) = &parsed
            && is_relevant(error)
        {
            setting.problem(error);
        }
        parsed.ok()
    } else {
        let default = scope.default_vault.cloned();
        if default.is_none() && is_relevant(&ReferenceError::NoVault) {
            setting.problem("of which vault? Write vault here, or set the default `vault`");
        }
        default
    };
    if !all || is_choice[0] == is_choice[1] {
        return None;
    }
    Some(Selection { vault: vault?, prefix: prefix?, tags: tags?, naming: naming? })
}

/// All of these tags, each with this value.
fn tag_map(setting: &Setting<'_>) -> Option<BTreeMap<String, String>> {
    let entries = setting.entries()?;
    if entries.is_empty() {
        setting.problem("names no tag; write TAG: VALUE, or all: true");
        return None;
    }
    let mut tags = BTreeMap::new();
    let mut is_complete = true;
    // Each one is looked at, so that all problems are reported.
    for (tag, setting) in entries {
        let value = match setting.written {
            // A tag may be there to be there.
            Written::Null => Some(""),
            _ => setting.text(),
        };
        match value {
            Some(value) => drop(tags.insert((*tag).to_owned(), value.to_owned())),
            None => is_complete = false,
        }
    }
    is_complete.then_some(tags)
}
