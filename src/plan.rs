//! Decides what a new snapshot asks for. Pure: no clock, no file, no process.

use crate::{
    config::{EnvName, Reaction, Rule},
    snapshot::Snapshot,
};
use std::cmp::Ordering;

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

/// The reactions that the changed variables ask for: for each variable the first rule that matches, each
/// reaction once, in the order of the rules. A restart covers every signal, because the process that would
/// get it is replaced.
pub fn reactions<'a>(
    changed: impl IntoIterator<Item = &'a EnvName>,
    rules: &[Rule],
    default: &Reaction,
) -> Vec<Reaction> {
    let mut hit = vec![false; rules.len()];
    let mut by_default = false;
    for variable in changed {
        match rules.iter().position(|rule| rule.matches(variable)) {
            Some(index) => hit[index] = true,
            None => by_default = true,
        }
    }
    let chosen = rules.iter().zip(hit).filter(|(_, hit)| *hit).map(|(rule, _)| &rule.reaction);
    // Rules that leave a variable out leave it without a reaction; the default is for having no rules.
    let default = (by_default && rules.is_empty()).then_some(default);
    let mut reactions: Vec<Reaction> = Vec::new();
    for reaction in chosen.chain(default) {
        if *reaction != Reaction::None && !reactions.contains(reaction) {
            reactions.push(reaction.clone());
        }
    }
    if let Some(restart) = reactions.iter().position(|reaction| matches!(reaction, Reaction::Restart(_))) {
        // One restart, by the first rule that asks for one.
        let restart = reactions.swap_remove(restart);
        reactions.retain(|reaction| !matches!(reaction, Reaction::Restart(_) | Reaction::Signal { .. }));
        reactions.push(restart);
    }
    reactions
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

    /// What it is about, what changed, the rules, the default, and the reactions.
    type Case<'a> = (&'a str, &'a [&'a str], Vec<Rule>, Reaction, Vec<Reaction>);

    #[test]
    fn reactions_by_rule() {
        let hup = Reaction::signal(1);
        let usr = Reaction::signal(10);
        let cases: &[Case<'_>] = &[
            ("nothing changed", &[], vec![], RESTART, vec![]),
            ("no rules: the default", &["A"], vec![], RESTART, vec![RESTART]),
            ("no rules, default none", &["A"], vec![], Reaction::None, vec![]),
            (
                "first match wins",
                &["TLS_KEY"],
                vec![rule(&["TLS_*"], hup.clone()), rule(&[], RESTART)],
                RESTART,
                vec![hup.clone()],
            ),
            (
                "the others fall through",
                &["A"],
                vec![rule(&["TLS_*"], hup.clone()), rule(&[], RESTART)],
                RESTART,
                vec![RESTART],
            ),
            (
                "restart covers signal",
                &["A", "TLS_KEY"],
                vec![rule(&["TLS_*"], hup.clone()), rule(&[], RESTART)],
                RESTART,
                vec![RESTART],
            ),
            (
                "each reaction once",
                &["A", "B"],
                vec![rule(&["A"], hup.clone()), rule(&["B"], hup.clone())],
                RESTART,
                vec![hup.clone()],
            ),
            (
                "several signals, in order of the rules",
                &["B", "A"],
                vec![rule(&["A"], hup.clone()), rule(&["B"], usr.clone())],
                RESTART,
                vec![hup.clone(), usr],
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
