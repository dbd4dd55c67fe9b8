//! All that is wrong with a configuration, collected so that one run reports everything.
//!
//! A problem names a place, a key and a remedy, and never a value: what stands where a reference or a path
//! belongs may be the secret itself.

use crate::failure::{Class, Failure};
use std::{cell::RefCell, fmt::Display, path::Path};

/// Where a setting is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// In this line of the file, the first being 1.
    Line(usize),
    /// In this environment variable.
    Variable(&'static str),
}

/// Collects problems. Shared by reference while settings are read, hence the cell.
#[derive(Debug, Default)]
pub(super) struct Problems(RefCell<Vec<(Place, String)>>);

/// Order is the order of the report.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    File,
    Line(usize),
    Environment,
}

impl Problems {
    /// `key` is the path of the setting in the file, or empty for the file as a whole.
    pub(super) fn add(&self, at: At, key: &str, what: impl Display) {
        match at {
            At::Variable(name) => self.variable(name, what),
            At::Line(line) if key.is_empty() => self.push(Place::Line(line), what.to_string()),
            At::Line(line) => self.push(Place::Line(line), format!("{key}: {what}")),
        }
    }

    /// A problem of the file that no line has.
    pub(super) fn file(&self, what: impl Display) {
        self.push(Place::File, what.to_string());
    }

    /// A problem of an environment variable.
    pub(super) fn variable(&self, name: &str, what: impl Display) {
        self.push(Place::Environment, format!("{name}: {what}"));
    }

    fn push(&self, place: Place, text: String) {
        self.0.borrow_mut().push((place, text));
    }

    /// `value` if nothing was found, else every problem: first those of `file`, by line, then those of the
    /// environment.
    pub(super) fn or<T>(self, value: T, file: &Path) -> Result<T, Failure> {
        let found = self.0.into_inner();
        if found.is_empty() { Ok(value) } else { Err(Self::failure(found, file)) }
    }

    fn failure(mut found: Vec<(Place, String)>, file: &Path) -> Failure {
        found.sort_by(|(a, _), (b, _)| a.cmp(b));
        let file = quoted_key(&file.to_string_lossy(), usize::MAX);
        let lines: Vec<String> = found
            .into_iter()
            .map(|(place, text)| match place {
                Place::File => format!("{file}: {text}"),
                Place::Line(line) => format!("{file}:{line}: {text}"),
                Place::Environment => text,
            })
            .collect();
        Failure::new(Class::Config, lines.join("\n"))
    }
}

/// A key as it may appear in a message: on one line, and no longer than `max` characters.
pub(super) fn quoted_key(key: &str, max: usize) -> String {
    let shown: String = key.chars().take(max).map(|c| if c.is_control() { '?' } else { c }).collect();
    if shown.len() < key.len() { shown + "..." } else { shown }
}

/// The one of `known` that was probably meant. Case, `_` and `-` do not count.
pub(super) fn suggestion(word: &str, known: &[&'static str]) -> Option<&'static str> {
    let fold = |text: &str| -> Vec<u8> {
        text.bytes()
            .filter(|byte| !matches!(byte, b'_' | b'-'))
            .map(|byte| byte.to_ascii_lowercase())
            .collect()
    };
    // Nobody mistypes a whole page, and the comparison is quadratic.
    let word = fold(word.get(..64).unwrap_or(word));
    known
        .iter()
        .map(|known| (distance(&word, &fold(known)), *known))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, known)| *distance <= known.len().div_ceil(4).min(3))
        .map(|(_, known)| known)
}

/// The Levenshtein distance.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_come_in_file_order_with_the_environment_last() {
        let file = Path::new("a.yaml");
        let problems = Problems::default();
        problems.variable("AKV_AGENT_VAULT", "bad");
        problems.add(At::Line(9), "mount", "bad");
        problems.add(At::Line(2), "vault", "bad");
        problems.add(At::Line(2), "", "worse");
        let failure = problems.or((), file).expect_err("problems");
        let expected = "a.yaml:2: vault: bad\na.yaml:2: worse\na.yaml:9: mount: bad\nAKV_AGENT_VAULT: bad";
        assert_eq!((failure.class, failure.message.as_str()), (Class::Config, expected));
        assert_eq!(Problems::default().or(1, file), Ok(1));
    }

    #[test]
    fn a_key_in_a_message_is_one_short_line() {
        assert_eq!(quoted_key("a\nb\u{1b}", 64), "a?b?");
        assert_eq!(quoted_key("aaaaa", 3), "aaa...");
    }

    #[test]
    fn a_suggestion_needs_a_small_distance() {
        let known = &["vault", "pollInterval", "onChange", "env", "mode"];
        for (word, expected) in [
            ("valut", Some("vault")),
            ("Vault", Some("vault")),
            ("poll_interval", Some("pollInterval")),
            ("pollIntervall", Some("pollInterval")),
            ("on-change", Some("onChange")),
            ("evn", None),
            ("envs", Some("env")),
            ("secretProviderClass", None),
            ("", None),
        ] {
            assert_eq!(suggestion(word, known), expected, "{word}");
        }
        assert_eq!(suggestion(&"v".repeat(100_000), known), None);
    }
}
