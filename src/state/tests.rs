use super::*;
use crate::{
    secret::SecretValue,
    snapshot::{Entry, Provenance},
};

/// `A=1 B=2`.
pub(super) fn set(text: &str) -> Snapshot {
    let entry = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap();
        Entry {
            variable: EnvName::parse(name).unwrap(),
            value: SecretValue::new(value),
            provenance: Provenance::Mount { file: "file".into() },
        }
    };
    Snapshot { entries: text.split_ascii_whitespace().map(entry).collect(), ..Snapshot::default() }
}

/// `A B`.
pub(super) fn names(text: &str) -> BTreeSet<EnvName> {
    text.split_ascii_whitespace().map(|name| EnvName::parse(name).unwrap()).collect()
}

/// That of an app that has this set.
pub(super) fn state(given: &str) -> State {
    let mut state = State::empty();
    state.give(&set(given), &BTreeSet::new());
    state
}

#[test]
fn what_the_app_has_missed() {
    for (what, given, now, missed) in [
        ("nothing at all", "", "", ""),
        ("the same", "A=1 B=2", "A=1 B=2", ""),
        ("one changed", "A=1 B=2", "A=1 B=3", "B"),
        ("all changed", "A=1 B=2", "A=2 B=1", "A B"),
        ("one is new", "B=2", "A=1 B=2", "A"),
        ("one is gone", "A=1 B=2", "A=1", "B"),
        ("renamed", "A=1", "B=1", "A B"),
        ("emptied", "A=1", "A=", "A"),
        ("given nothing", "", "A=1 B=2", "A B"),
        ("all gone", "A=1 B=2", "", "A B"),
    ] {
        assert_eq!(state(given).missed(&set(now)), names(missed), "{what}");
    }
}

#[test]
fn what_the_app_has_after_a_change_and_its_reactions() {
    // What the app had, the set that is out, what is still owed, what the app has missed of it then.
    for (what, given, now, owed, missed, is_news) in [
        ("no change", "A=1", "A=1", "", "", false),
        ("told", "A=1", "A=2", "", "", true),
        ("not told", "A=1", "A=2", "A", "A", false),
        ("told of one", "A=1 B=1", "A=2 B=2", "B", "B", true),
        ("not told of a new one", "A=1", "A=1 B=1", "B", "B", false),
        ("told of a new one", "A=1", "A=1 B=1", "", "", true),
        ("not told of one that is gone", "A=1 B=1", "A=1", "B", "B", false),
        ("told of one that is gone", "A=1 B=1", "A=1", "", "", true),
        ("taken back before it was told", "A=1 B=1", "A=1 B=1", "A", "A", true),
        ("owed though it never was", "A=1", "A=1", "Z", "", false),
    ] {
        let mut state = state(given);
        assert_eq!(state.give(&set(now), &names(owed)), is_news, "{what}");
        assert_eq!(state.missed(&set(now)), names(missed), "{what}");
    }
}

#[test]
fn what_is_owed_keeps_what_the_app_had_through_any_number_of_changes() {
    let mut state = state("A=1");
    for value in 2..10 {
        assert!(!state.give(&set(&format!("A={value}")), &names("A")));
    }
    assert_eq!(state.missed(&set("A=1")), names(""));
    assert_eq!(state.missed(&set("A=9")), names("A"));
    state.forget();
    assert_eq!(state.missed(&set("A=1")), names("A"));
}
