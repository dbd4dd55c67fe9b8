//! Reads `onChange`.

use super::{
    super::{
        setting::{Setting, Written},
        signal, value,
    },
    Reaction, Rule, Stop,
};

const RESTART: Reaction = Reaction::Restart(Stop::DEFAULT);
const EXPECTED: &str = "unknown reaction; use restart, signal:NAME or none";
const PLANNED: [&str; 3] = ["http", "command", "exit"];
const NOT_YET: &str = "this reaction is not supported by this version; use restart, signal or none";

/// One rule or a list of them.
pub(in crate::config) fn rules(setting: Setting<'_>) -> Vec<Rule> {
    setting.items().iter().filter_map(rule).collect()
}

fn rule(setting: &Setting<'_>) -> Option<Rule> {
    if let Written::Text(_) = setting.written {
        return Some(Rule { when: Vec::new(), reaction: setting.parse(short_reaction)? });
    }
    let mut fields = setting.fields(&["when", "signal", "restart", "none"], &PLANNED)?;
    let when = fields.take("when").map(patterns).unwrap_or_default();
    let mut reactions = Vec::new();
    // Each one present counts, even where it is wrong, so that nothing is reported twice.
    if let Some(signal) = fields.take("signal") {
        reactions.push(signal.parse(signal::reload).map(Reaction::signal));
    }
    if let Some(restart) = fields.take_even_null("restart") {
        reactions.push(restart_reaction(&restart));
    }
    if let Some(none) = fields.take_even_null("none") {
        reactions.push(flag(&none).map(|()| Reaction::None));
    }
    let planned = PLANNED.iter().any(|key| fields.take_even_null(key).is_some());
    match reactions.len() {
        1 => {}
        0 if planned => return None,
        _ => setting.problem("a rule needs exactly one reaction; use signal, restart or none"),
    }
    Some(Rule { when, reaction: reactions.pop()?? })
}

fn patterns(setting: Setting<'_>) -> Vec<String> {
    let items = setting.items();
    items.iter().filter_map(|item| item.parse(value::glob)).collect()
}

/// `restart: true`, or a mapping with what differs from the defaults.
fn restart_reaction(setting: &Setting<'_>) -> Option<Reaction> {
    if !matches!(setting.written, Written::Map(_)) {
        return flag(setting).map(|()| RESTART);
    }
    let mut fields = setting.fields(&["signal", "grace"], &[])?;
    let signal =
        fields.take("signal").map_or(Some(Stop::DEFAULT.signal), |setting| setting.parse(signal::stop));
    let grace =
        fields.take("grace").map_or(Some(Stop::DEFAULT.grace), |setting| setting.parse(value::duration));
    Some(Reaction::Restart(Stop { signal: signal?, grace: grace? }))
}

/// A key that is there to be there.
fn flag(setting: &Setting<'_>) -> Option<()> {
    if let Written::Null = setting.written {
        return Some(());
    }
    setting.parse(
        |text| if text == "true" { Ok(()) } else { Err("only true can stand here; or remove the key") },
    )
}

/// `restart`, `signal:HUP` or `none`.
fn short_reaction(text: &str) -> Result<Reaction, &'static str> {
    let (kind, argument) =
        text.split_once(':').map_or((text, None), |(kind, rest)| (kind, Some(rest.trim())));
    match (kind.trim(), argument) {
        ("none", None) => Ok(Reaction::None),
        ("restart", None) => Ok(RESTART),
        ("signal", Some(name)) => signal::reload(name).map(Reaction::signal),
        (planned, Some(_)) if PLANNED.contains(&planned) => Err(NOT_YET),
        ("exit", None) => Err(NOT_YET),
        _ => Err(EXPECTED),
    }
}
