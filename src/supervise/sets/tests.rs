use super::*;
use crate::{
    fingerprint::Key,
    secret::SecretValue,
    snapshot::{Entry, Provenance},
};

/// What happens, in order.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// A set that is the newest from now on.
    Comes(&'static str),
    /// A child is started; whether its set has proved itself.
    Starts(bool),
    /// The child is told; whether it has lived with the set already.
    IsTold(bool),
    /// Its probation is over.
    Lives,
    /// It fails within its probation.
    Fails,
    /// Nothing is done about the newest set.
    IsLeft,
}
use Step::{Comes, Fails, IsLeft, IsTold, Lives, Starts};

/// Each letter is the value of a variable of the same place.
fn snapshot(values: &str) -> Snapshot {
    let entry = |(place, value): (usize, char)| Entry {
        variable: variable(place),
        value: SecretValue::new(value.to_string()),
        provenance: Provenance::Mount { file: "file".into() },
    };
    Snapshot { entries: values.chars().enumerate().map(entry).collect(), skipped: Vec::new() }
}

fn variable(place: usize) -> EnvName {
    EnvName(format!("V{place}").as_str().into())
}

/// After a child was started with the first set, and `steps`.
fn after(what: &str, steps: &[Step]) -> (Sets, Key) {
    let key = Key::random();
    let adopt = |sets: &mut Sets, values: &str| {
        let snapshot = snapshot(values);
        sets.adopt(&snapshot, key.set(&snapshot));
    };
    let mut sets = Sets::default();
    adopt(&mut sets, "11");
    sets.trust();
    assert!(sets.start());
    for step in steps {
        match step {
            Comes(values) => adopt(&mut sets, values),
            Starts(is_proven) => assert_eq!(sets.start(), *is_proven, "{what}: {step:?}"),
            IsTold(has_lived) => assert_eq!(sets.tell(), *has_lived, "{what}: {step:?}"),
            Lives => sets.accept(),
            Fails => sets.reject(),
            IsLeft => sets.accept_beside(),
        }
    }
    (sets, key)
}

#[test]
fn the_way_back_leads_to_what_a_child_lived_with_and_then_to_what_one_was_started_with() {
    let told = [Comes("21"), IsTold(false), Lives];
    let left = [Comes("21"), IsLeft];
    let wrong = [Comes("22"), Starts(false), Fails];
    let back_in_vain = [Comes("21"), Starts(false), Fails];
    for (what, steps, back) in [
        ("the first set", vec![], "11"),
        ("a new one that the child has not got", vec![Comes("12")], "11"),
        ("one that it fails with", vec![Comes("12"), Starts(false), Fails], "11"),
        ("one that it lives with", vec![Comes("12"), Starts(false), Lives], "12"),
        ("two, of which the first is on trial", vec![Comes("12"), Starts(false), Comes("13"), Fails], "11"),
        (
            "two, of which the first has proved itself",
            vec![Comes("12"), Starts(false), Comes("13"), Lives, Starts(false), Fails],
            "12",
        ),
        ("one that it was told of", told.to_vec(), "21"),
        ("one that it fails with when it is told", vec![Comes("21"), IsTold(false), Fails], "11"),
        ("two that it was told of", [&told[..], &[Comes("31"), IsTold(false), Fails]].concat(), "21"),
        ("one to start with after one to be told of", [&told[..], &wrong].concat(), "21"),
        ("nor can a child be started with that one", [&told[..], &wrong, &back_in_vain].concat(), "11"),
        (
            "nor with that one, while there is a newer one",
            [&told[..], &wrong, &[Comes("21"), Starts(false), Comes("33"), Fails]].concat(),
            "11",
        ),
        (
            "but one can",
            [&told[..], &wrong, &[Comes("21"), Starts(false), Lives, Comes("23"), Starts(false), Fails]]
                .concat(),
            "21",
        ),
        ("one to start with after one that led to nothing", [&left[..], &wrong].concat(), "21"),
        ("nor can a child be started with that", [&left[..], &wrong, &back_in_vain].concat(), "11"),
        (
            "a child that died, after one that it was told of",
            [&told[..], &[Starts(false), Fails]].concat(),
            "11",
        ),
        (
            "a child that died, after one that led to nothing",
            [&left[..], &[Starts(false), Fails]].concat(),
            "11",
        ),
        (
            "one that a child was started with, after one that it was told of",
            [&told[..], &[Comes("11"), Starts(true), Comes("12"), Starts(false), Fails]].concat(),
            "11",
        ),
        (
            "an old one that it is told of again",
            [&told[..], &[Comes("11"), IsTold(false), Fails]].concat(),
            "21",
        ),
        ("one that comes back before its turn", vec![Comes("12"), Comes("11"), Starts(true), Fails], "11"),
        ("one that it is told of twice", [&told[..], &[IsTold(true)]].concat(), "21"),
    ] {
        let (sets, key) = after(what, &steps);
        let good = sets.good().map(|set| set.fingerprint);
        assert!(good == Some(key.set(&snapshot(back))), "{what}");
    }
}

#[test]
fn a_set_is_tried_by_a_start_or_by_telling_a_child_that_can_live() {
    for (what, steps, is_tried) in [
        ("a child was started with it", vec![Comes("12"), Starts(false)], true),
        ("it has not come to the child", vec![Comes("12"), Starts(false), Comes("13")], false),
        ("a good child was told of it", vec![Comes("21"), IsTold(false)], true),
        (
            "it was told of another before",
            vec![Comes("21"), IsTold(false), Comes("31"), IsTold(false)],
            false,
        ),
        (
            "it has lived with the one before",
            vec![Comes("21"), IsTold(false), Lives, Comes("31"), IsTold(false)],
            true,
        ),
        (
            "it was told to go back to what it lived with",
            vec![Comes("21"), IsTold(false), Lives, Comes("31"), IsTold(false), Comes("21"), IsTold(true)],
            false,
        ),
        (
            "and a child was started with that",
            vec![Comes("21"), IsTold(false), Comes("31"), IsTold(false), Fails, Starts(false)],
            true,
        ),
        ("one on probation was", vec![Comes("12"), Starts(false), Comes("22"), IsTold(false)], false),
        (
            "one that has been on probation was",
            vec![Comes("12"), Starts(false), Lives, Comes("22"), IsTold(false)],
            true,
        ),
    ] {
        assert_eq!(after(what, &steps).0.has_tried_newest(), is_tried, "{what}");
    }
}

#[test]
fn a_child_has_a_value_that_it_was_started_with_unless_it_was_told_of_another() {
    for (what, steps, first, second) in [
        ("nothing came", vec![], true, true),
        ("the same came", vec![Comes("11")], true, true),
        ("one that it has not got", vec![Comes("12")], true, false),
        ("that one was taken back", vec![Comes("12"), Comes("11")], true, true),
        ("it was told", vec![Comes("21"), IsTold(false)], false, true),
        ("it was told, and that is taken back", vec![Comes("21"), IsTold(false), Comes("11")], false, true),
        ("it was told of that too", vec![Comes("21"), IsTold(false), Comes("11"), IsTold(true)], true, true),
        ("it was started with it", vec![Comes("22"), Starts(false)], true, true),
        ("one that is gone", vec![Comes("1")], true, false),
    ] {
        let (sets, _) = after(what, &steps);
        let has = [0, 1].map(|place| sets.has_values(&BTreeSet::from([variable(place)])));
        assert_eq!(has, [first, second], "{what}");
    }
}

#[test]
fn a_set_that_nobody_may_go_back_to_is_let_go() {
    let weak = |sets: &Sets| sets.newest.as_ref().map(Rc::downgrade).unwrap();
    let (mut sets, key) = after("", &[]);
    let first = weak(&sets);
    let second = snapshot("12");
    sets.adopt(&second, key.set(&second));
    sets.start();
    assert!(first.upgrade().is_some());
    sets.accept();
    assert!(first.upgrade().is_none());
    // The same once more, as every pass finds it, is not kept twice.
    let newest = weak(&sets);
    sets.adopt(&second, key.set(&second));
    assert!(newest.ptr_eq(&weak(&sets)));
}
