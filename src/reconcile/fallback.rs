//! What there is to go back to if a set turns out to be bad, and which one did. Pure.

use crate::{fingerprint::Fingerprint, snapshot::Snapshot, status};
use std::time::SystemTime;

/// The sets besides the one that is out.
#[derive(Debug, Default)]
pub(super) struct Fallback {
    /// The last good one, while the one that is out has still to prove itself.
    good: Option<Snapshot>,
    /// The one that the child has, while a newer one is on its way to it.
    given: Option<Snapshot>,
    rejected: Option<Rejected>,
}

/// A set that a child could not live with.
#[derive(Debug)]
pub(super) struct Rejected {
    pub(super) set: Fingerprint,
    pub(super) at: SystemTime,
    /// Why, for people.
    pub(super) problem: String,
}

impl Rejected {
    pub(super) fn show(&self) -> status::Rejected {
        status::Rejected { set: self.set, at: self.at, reason: self.problem.clone() }
    }
}

impl Fallback {
    /// Another set is out in place of `before`. `was_given`: that is the one that the child has.
    pub(super) fn replaced(&mut self, before: Option<Snapshot>, was_given: bool) {
        if was_given {
            self.given.clone_from(&before);
        }
        self.good = self.good.take().or(before);
        // Should what was rejected come again, it is somebody's decision.
        self.rejected = None;
    }

    /// The set that is out is good.
    pub(super) fn accept(&mut self) {
        (self.good, self.given) = (None, None);
    }

    /// The set that the child has is good, and the one that is out is a newer one.
    pub(super) fn accept_given(&mut self) {
        self.good = self.given.take().or_else(|| self.good.take());
    }

    /// Whether there is another set to go back to.
    pub(super) fn is_there(&self) -> bool {
        self.good.is_some()
    }

    /// Takes the set to go back to.
    pub(super) fn take(&mut self) -> Option<Snapshot> {
        self.given = None;
        self.good.take()
    }

    /// A set is not to be tried again.
    pub(super) fn reject(&mut self, rejected: Rejected) {
        self.rejected = Some(rejected);
    }

    /// The last set that did not prove itself, unless another one has come since.
    pub(super) fn rejected(&self) -> Option<&Rejected> {
        self.rejected.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::EnvName,
        fingerprint::Key,
        secret::SecretValue,
        snapshot::{Entry, Provenance},
    };

    fn set(value: &str) -> Snapshot {
        let variable = EnvName("A".into());
        let provenance = Provenance::Mount { file: "a".into() };
        let entry = Entry { variable, value: SecretValue::new(value), provenance };
        Snapshot { entries: vec![entry], skipped: Vec::new() }
    }

    /// What happens, in order: sets that come, whether the child gets them, and what that shows.
    enum Step {
        Comes(&'static str),
        IsGiven,
        Proves,
    }
    use Step::{Comes, IsGiven, Proves};

    #[test]
    fn the_way_back_leads_to_the_last_set_that_a_child_has_proved() {
        for (what, steps, back) in [
            ("nothing but the first set", vec![], None),
            ("a new one", vec![Comes("2")], Some("1")),
            ("a good one", vec![Comes("2"), IsGiven, Proves], None),
            ("two, of which the child has neither", vec![Comes("2"), Comes("3")], Some("1")),
            ("two, of which the first is on trial", vec![Comes("2"), IsGiven, Comes("3")], Some("1")),
            (
                "two, of which the first has proved itself",
                vec![Comes("2"), IsGiven, Comes("3"), Proves],
                Some("2"),
            ),
            (
                "three, of which the child never had the second",
                vec![Comes("2"), IsGiven, Comes("3"), Comes("4"), Proves],
                Some("2"),
            ),
            (
                "three, one after the other",
                vec![Comes("2"), IsGiven, Proves, Comes("3"), IsGiven, Comes("4")],
                Some("2"),
            ),
            ("all of them good", vec![Comes("2"), IsGiven, Comes("3"), Proves, IsGiven, Proves], None),
        ] {
            let mut fallback = Fallback::default();
            let (mut newest, mut given) = ("1", "1");
            for step in steps {
                match step {
                    Comes(value) => {
                        fallback.replaced(Some(set(newest)), given == newest);
                        newest = value;
                    }
                    IsGiven => given = newest,
                    Proves if given == newest => fallback.accept(),
                    Proves => fallback.accept_given(),
                }
            }
            assert_eq!(fallback.is_there(), back.is_some(), "{what}");
            let found = fallback.take().map(|set| set.entries[0].value.clone());
            assert!(found == back.map(SecretValue::new), "{what}");
            assert!(fallback.take().is_none(), "{what}: there is one way back");
        }
    }

    #[test]
    fn a_set_is_rejected_until_another_one_comes() {
        let mut fallback = Fallback::default();
        let bad = Key::random().set(&set("2"));
        fallback.reject(Rejected { set: bad, at: SystemTime::now(), problem: "why".into() });
        fallback.accept();
        assert!(fallback.rejected().is_some_and(|rejected| rejected.set == bad));
        fallback.replaced(Some(set("1")), true);
        assert!(fallback.rejected().is_none());
    }
}
