//! Decides what a new snapshot asks for. Pure: no clock, no file, no process.

use crate::{
    config::{EnvName, Reaction, Rule},
    snapshot::Snapshot,
};
use std::{cmp::Ordering, collections::BTreeSet};

/// How one variable differs between two sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It was not there before.
    Added,
    /// It is not there any more.
    Removed,
    /// It has another value.
    Changed,
}

/// The variables that differ, by **value**: a new version with the same value is no change.
pub fn diff(old: &Snapshot, new: &Snapshot) -> Vec<(EnvName, Change)> {
    let (mut old, mut new) = (old.entries.iter().peekable(), new.entries.iter().peekable());
    let mut changes = Vec::new();
    loop {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return changes,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(before), Some(after)) => before.variable.cmp(&after.variable),
        };
        let before = if order.is_le() { old.next() } else { None };
        let after = if order.is_ge() { new.next() } else { None };
        match (before, after) {
            (Some(before), None) => changes.push((before.variable.clone(), Change::Removed)),
            (None, Some(after)) => changes.push((after.variable.clone(), Change::Added)),
            (Some(before), Some(after)) if before.value != after.value => {
                changes.push((after.variable.clone(), Change::Changed));
            }
            _ => (),
        }
    }
}

/// A reaction, and the variables for whose sake it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// What to do. Never [`Reaction::None`].
    pub reaction: Reaction,
    /// Which changed; sorted, at least one.
    pub variables: BTreeSet<EnvName>,
}

/// The reactions that the changed variables ask for: for each variable the first rule that matches, each
/// reaction once, in the order of the rules.
pub fn reactions<'a>(
    changed: impl IntoIterator<Item = &'a EnvName>,
    rules: &[Rule],
    default: &Reaction,
) -> Vec<Planned> {
    // Rules that leave a variable out leave it without a reaction; the default is for having no rules.
    let default = Rule { when: Vec::new(), reaction: default.clone() };
    let rules = if rules.is_empty() { std::slice::from_ref(&default) } else { rules };
    let mut hit: Vec<BTreeSet<EnvName>> = vec![BTreeSet::new(); rules.len()];
    for variable in changed {
        if let Some(index) = rules.iter().position(|rule| rule.matches(variable)) {
            hit[index].insert(variable.clone());
        }
    }
    let mut planned: Vec<Planned> = Vec::new();
    for (Rule { reaction, .. }, variables) in rules.iter().zip(hit) {
        if variables.is_empty() || *reaction == Reaction::None {
            continue;
        }
        match planned.iter_mut().find(|planned| planned.reaction == *reaction) {
            Some(planned) => planned.variables.extend(variables),
            None => planned.push(Planned { reaction: reaction.clone(), variables }),
        }
    }
    planned
}

impl Rule {
    fn matches(&self, variable: &EnvName) -> bool {
        self.when.is_empty()
            || self.when.iter().any(|glob| glob_matches(glob.as_bytes(), variable.as_str().as_bytes()))
    }
}

/// `*` matches any run of characters, `?` any one. Linear: after a mismatch only the last `*` is retried.
fn glob_matches(glob: &[u8], text: &[u8]) -> bool {
    let (mut g, mut t, mut retry) = (0, 0, None);
    while t < text.len() {
        match glob.get(g) {
            Some(b'*') => {
                retry = Some((g, t));
                g += 1;
            }
            Some(&c) if c == b'?' || c == text[t] => (g, t) = (g + 1, t + 1),
            _ => match retry {
                Some((star, from)) => {
                    retry = Some((star, from + 1));
                    (g, t) = (star + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    glob[g..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::Stop,
        secret::SecretValue,
        snapshot::{Entry, Provenance},
    };

    fn name(text: &str) -> EnvName {
        EnvName(text.into())
    }

    fn snapshot(entries: &[(&str, &str)]) -> Snapshot {
        let entry = |(variable, value): &(&str, &str)| Entry {
            variable: name(variable),
            value: SecretValue::new(*value),
            provenance: Provenance::Mount { file: "f".into() },
        };
        Snapshot { entries: entries.iter().map(entry).collect(), skipped: Vec::new() }
    }

    #[test]
    fn diff_names_what_was_added_removed_and_changed() {
        let old = snapshot(&[("A", "1"), ("B", "2"), ("C", "3")]);
        let new = snapshot(&[("B", "2"), ("C", "4"), ("D", "5")]);
        assert_eq!(
            diff(&old, &new),
            [(name("A"), Change::Removed), (name("C"), Change::Changed), (name("D"), Change::Added)]
        );
    }

    #[test]
    fn the_same_values_from_elsewhere_are_no_change() {
        let old = snapshot(&[("A", "1")]);
        let mut new = old.clone();
        new.entries[0].provenance = Provenance::Mount { file: "another".into() };
        assert_eq!(diff(&old, &new), []);
        assert_eq!(diff(&Snapshot::default(), &Snapshot::default()), []);
    }

    fn rule(when: &[&str], reaction: Reaction) -> Rule {
        Rule { when: when.iter().map(ToString::to_string).collect(), reaction }
    }

    const RESTART: Reaction = Reaction::Restart(Stop::DEFAULT);

    fn planned(reaction: &Reaction, variables: &[&str]) -> Planned {
        Planned { reaction: reaction.clone(), variables: variables.iter().map(|text| name(text)).collect() }
    }

    /// What it is about, what changed, the rules, the default, and the plan.
    type Case<'a> = (&'a str, &'a [&'a str], Vec<Rule>, Reaction, Vec<Planned>);

    #[test]
    fn reactions_by_rule() {
        let hup = Reaction::signal(1);
        let usr = Reaction::signal(10);
        let tls = || vec![rule(&["TLS_*"], hup.clone()), rule(&[], RESTART)];
        let cases: &[Case<'_>] = &[
            ("nothing changed", &[], vec![], RESTART, vec![]),
            ("no rules: the default", &["A"], vec![], RESTART, vec![planned(&RESTART, &["A"])]),
            ("no rules, default none", &["A"], vec![], Reaction::None, vec![]),
            ("first match wins", &["TLS_KEY"], tls(), RESTART, vec![planned(&hup, &["TLS_KEY"])]),
            ("the others fall through", &["A"], tls(), RESTART, vec![planned(&RESTART, &["A"])]),
            (
                "each variable has its own",
                &["A", "TLS_KEY", "B"],
                tls(),
                RESTART,
                vec![planned(&hup, &["TLS_KEY"]), planned(&RESTART, &["A", "B"])],
            ),
            (
                "each reaction once",
                &["A", "B"],
                vec![rule(&["A"], hup.clone()), rule(&["B"], hup.clone())],
                RESTART,
                vec![planned(&hup, &["A", "B"])],
            ),
            (
                "in the order of the rules",
                &["B", "A"],
                vec![rule(&["A"], hup.clone()), rule(&["B"], usr.clone())],
                RESTART,
                vec![planned(&hup, &["A"]), planned(&usr, &["B"])],
            ),
            ("rules that leave a variable out", &["B"], vec![rule(&["A"], hup.clone())], RESTART, vec![]),
            ("none by rule", &["A"], vec![rule(&["A"], Reaction::None), rule(&[], hup)], RESTART, vec![]),
        ];
        for (what, changed, rules, default, expected) in cases {
            let changed: Vec<_> = changed.iter().map(|text| name(text)).collect();
            assert_eq!(&reactions(&changed, rules, default), expected, "{what}");
        }
    }

    #[test]
    fn globs() {
        for (glob, text, expected) in [
            ("*", "", true),
            ("*", "ANY", true),
            ("TLS_*", "TLS_KEY", true),
            ("TLS_*", "ATLS_KEY", false),
            ("*_KEY", "TLS_KEY", true),
            ("*_KEY", "TLS_KEYS", false),
            ("A?C", "ABC", true),
            ("A?C", "AC", false),
            ("*A*B*", "xxAyyBzz", true),
            ("*A*B*", "xxByyAzz", false),
            ("", "", true),
            ("", "A", false),
        ] {
            assert_eq!(glob_matches(glob.as_bytes(), text.as_bytes()), expected, "{glob} on {text}");
        }
    }
}
