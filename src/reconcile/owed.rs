//! The reactions that are still to be carried out, in which order, and when. Pure but for the splay's random
//! number.

use crate::{
    backoff,
    config::{EnvName, Reaction},
    plan::Planned,
    status,
};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// Between the first tries of a reaction that fails, and at most.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// One reaction that is owed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Debt {
    /// What is to be done.
    pub(super) reaction: Reaction,
    /// Which changes it is for.
    pub(super) variables: BTreeSet<EnvName>,
    due: Instant,
    attempt: u32,
    problem: Option<String>,
}

/// Reactions that are owed, in the order in which they are carried out. While one is carried out it is not
/// among them: what is added meanwhile is for another change.
#[derive(Debug, Default)]
pub(super) struct Owed(Vec<Debt>);

/// What replaces or ends the process comes after what is still done with it, and covers whatever would only
/// tell the process of its change.
fn rank(reaction: &Reaction) -> u8 {
    match reaction {
        Reaction::Exit(_) => END,
        Reaction::Restart(_) => 1,
        Reaction::None | Reaction::Signal { .. } | Reaction::Http { .. } | Reaction::Command(_) => 0,
    }
}

/// The rank of an end.
const END: u8 = 2;

/// Whether it has to be done whatever becomes of the child.
pub(super) fn is_for_others(reaction: &Reaction) -> bool {
    matches!(reaction, Reaction::Http { .. } | Reaction::Command(_))
}

fn is_covered(reaction: &Reaction, by: u8) -> bool {
    match reaction {
        Reaction::Signal { .. } => by > 0,
        Reaction::Restart(_) => by > 1,
        Reaction::None | Reaction::Http { .. } | Reaction::Command(_) | Reaction::Exit(_) => false,
    }
}

impl Debt {
    /// For people.
    pub(super) fn show(&self) -> status::Owed {
        status::Owed {
            reaction: self.reaction.to_string(),
            variables: self.variables.iter().map(ToString::to_string).collect(),
            problem: self.problem.clone(),
        }
    }

    /// Why it has not been carried out, if that was tried.
    pub(super) fn problem(&self) -> Option<&String> {
        self.problem.as_ref()
    }

    /// Whether the child that runs now will be gone because of it.
    pub(super) fn replaces_child(&self) -> bool {
        rank(&self.reaction) > 0
    }
}

impl Owed {
    /// Adds what a change asks for. `splay` spreads replicas: the delay is random, up to it.
    pub(super) fn add(&mut self, planned: Vec<Planned>, now: Instant, splay: Duration) {
        if planned.is_empty() {
            return;
        }
        let due = now + backoff::random_up_to(splay);
        for Planned { reaction, variables } in planned {
            self.put(Debt { reaction, variables, due, attempt: 0, problem: None });
        }
    }

    fn put(&mut self, debt: Debt) {
        // One restart is enough, and so is one end: by the rule that came first.
        let is_same = |other: &Debt| {
            let rank = rank(&debt.reaction);
            other.reaction == debt.reaction || (rank > 0 && rank == self::rank(&other.reaction))
        };
        if let Some(other) = self.0.iter_mut().find(|other| is_same(other)) {
            other.variables.extend(debt.variables);
            // A new change ends the patience with an old failure, but not a splay that runs already.
            if other.attempt > 0 {
                (other.due, other.attempt) = (debt.due, debt.attempt);
            }
        } else {
            let place = self.0.partition_point(|other| rank(&other.reaction) <= rank(&debt.reaction));
            self.0.insert(place, debt);
        }
        self.cover();
    }

    /// Lets the last reaction stand for those that it makes superfluous.
    fn cover(&mut self) {
        let Some(mut last) = self.0.pop() else { return };
        let by = rank(&last.reaction);
        self.0.retain_mut(|debt| {
            let is_covered = is_covered(&debt.reaction, by);
            if is_covered {
                last.variables.append(&mut debt.variables);
            }
            !is_covered
        });
        self.0.push(last);
    }

    /// When something is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.0.iter().map(|debt| debt.due).min()
    }

    /// Takes the first one that is due, to be carried out now.
    pub(super) fn next(&mut self, now: Instant) -> Option<Debt> {
        let index = self.0.iter().position(|debt| debt.due <= now)?;
        Some(self.0.remove(index))
    }

    /// Forgets what is for the child, since what it was for is taken back.
    pub(super) fn forget_child(&mut self) {
        self.0.retain(|debt| is_for_others(&debt.reaction));
    }

    /// Forgets what a child does not need that was started with the newest set.
    pub(super) fn forget_telling(&mut self) {
        self.0.retain(|debt| !is_covered(&debt.reaction, END));
    }

    /// Takes those that need no time, whenever they are due: the agent is about to end.
    pub(super) fn last_chance(&mut self) -> Vec<Debt> {
        let signals = |debt: &mut Debt| matches!(debt.reaction, Reaction::Signal { .. });
        self.0.extract_if(.., signals).collect()
    }

    /// Puts back what failed and why, to be tried again later.
    pub(super) fn failed(&mut self, debt: Debt, problem: String, now: Instant) {
        let due = now + backoff::exponential(debt.attempt, FIRST_RETRY, LONGEST_RETRY);
        self.put_back(Debt { due, attempt: debt.attempt + 1, problem: Some(problem), ..debt });
    }

    /// Puts back what may not be done before `due`, and why.
    pub(super) fn put_off(&mut self, debt: Debt, due: Instant, problem: String) {
        self.put_back(Debt { due, problem: Some(problem), ..debt });
    }

    /// What has been added meanwhile for the same reaction is for a newer change, and counts.
    fn put_back(&mut self, debt: Debt) {
        match self.0.iter_mut().find(|other| other.reaction == debt.reaction) {
            Some(newer) => newer.variables.extend(debt.variables),
            None => self.put(debt),
        }
    }

    /// What is owed, in its order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Debt> {
        self.0.iter()
    }

    /// How many have failed and are tried again, and how many wait for their turn.
    pub(super) fn count(&self) -> (u64, u64) {
        let failed = self.0.iter().filter(|debt| debt.attempt > 0).count() as u64;
        (failed, self.0.len() as u64 - failed)
    }

    /// Whether nothing is owed.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Command, Stop};

    const HUP: Reaction = Reaction::signal(1);
    const USR: Reaction = Reaction::signal(10);
    const RESTART: Reaction = Reaction::Restart(Stop::DEFAULT);
    const EXIT: Reaction = Reaction::Exit(42);

    fn command() -> Reaction {
        Reaction::Command(Command { argv: vec!["true".into()], timeout: Duration::from_secs(1) })
    }

    fn planned(list: &[(&Reaction, &str)]) -> Vec<Planned> {
        let names = |text: &str| text.split(' ').map(|name| EnvName(name.into())).collect();
        list.iter()
            .map(|(reaction, text)| Planned { reaction: (*reaction).clone(), variables: names(text) })
            .collect()
    }

    fn problems(owed: &Owed) -> Vec<&str> {
        owed.iter().filter_map(Debt::problem).map(String::as_str).collect()
    }

    fn shown(owed: &Owed) -> Vec<(Reaction, String)> {
        let names = |debt: &Debt| debt.variables.iter().map(EnvName::as_str).collect::<Vec<_>>().join(" ");
        owed.0.iter().map(|debt| (debt.reaction.clone(), names(debt))).collect()
    }

    /// Reactions, and the variables for which they are.
    type List<'a> = Vec<(&'a Reaction, &'a str)>;

    #[test]
    fn what_is_owed_after_changes() {
        let command = command();
        let (hup, usr, restart, exit) = (&HUP, &USR, &RESTART, &EXIT);
        let soft = Reaction::Restart(Stop { signal: 1, grace: Duration::ZERO });
        let table: Vec<(&str, Vec<List<'_>>, List<'_>)> = vec![
            ("nothing", vec![vec![]], vec![]),
            (
                "each once",
                vec![vec![(hup, "A")], vec![(hup, "B"), (usr, "C")]],
                vec![(hup, "A B"), (usr, "C")],
            ),
            ("a restart covers signals", vec![vec![(hup, "A"), (restart, "B")]], vec![(restart, "A B")]),
            (
                "also one that comes later",
                vec![vec![(restart, "B")], vec![(hup, "A")]],
                vec![(restart, "A B")],
            ),
            ("also across changes", vec![vec![(hup, "A")], vec![(restart, "B")]], vec![(restart, "A B")]),
            (
                "but no command, which comes first",
                vec![vec![(restart, "B"), (&command, "A")]],
                vec![(&command, "A"), (restart, "B")],
            ),
            (
                "one restart, by the first rule",
                vec![vec![(restart, "A"), (&soft, "B")]],
                vec![(restart, "A B")],
            ),
            (
                "an end covers a restart",
                vec![vec![(hup, "A"), (exit, "B"), (restart, "C"), (&command, "D")]],
                vec![(&command, "D"), (exit, "A B C")],
            ),
        ];
        for (what, changes, expected) in table {
            let mut owed = Owed::default();
            for change in changes {
                owed.add(planned(&change), Instant::now(), Duration::ZERO);
            }
            let expected: Vec<_> =
                expected.into_iter().map(|(reaction, text)| (reaction.clone(), text.to_owned())).collect();
            assert_eq!(shown(&owed), expected, "{what}");
        }
    }

    #[test]
    fn reactions_are_taken_in_their_order_and_when_they_are_due() {
        let now = Instant::now();
        let mut owed = Owed::default();
        assert_eq!((owed.due(), owed.next(now)), (None, None));
        owed.add(planned(&[(&HUP, "A"), (&command(), "B")]), now, Duration::ZERO);
        let hup = owed.next(now).unwrap();
        assert_eq!(hup.reaction, HUP);
        owed.failed(hup, "why".into(), now);
        assert_eq!(owed.next(now).unwrap().reaction, command(), "one that failed holds up nobody");
        assert_eq!(owed.next(now), None);
        assert_eq!(owed.due(), Some(now + FIRST_RETRY));
    }

    #[test]
    fn a_failed_reaction_is_owed_until_it_succeeds_with_growing_patience() {
        let now = Instant::now();
        let mut owed = Owed::default();
        owed.add(planned(&[(&HUP, "A")]), now, Duration::ZERO);
        let mut at = now;
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let debt = owed.next(at).unwrap();
            owed.failed(debt, "why".into(), at);
            assert_eq!(owed.due(), Some(at + Duration::from_secs(seconds)));
            assert_eq!(problems(&owed), ["why"]);
            at += Duration::from_secs(seconds);
        }
        owed.add(planned(&[(&HUP, "B")]), now, Duration::ZERO);
        assert_eq!(owed.due(), Some(now), "a new change is tried at once");
        let debt = owed.next(now).unwrap();
        assert_eq!(debt.variables.len(), 2, "and for both");
        assert_eq!((owed.due(), problems(&owed).len()), (None, 0));
    }

    #[test]
    fn a_change_during_a_reaction_asks_for_another_one() {
        let now = Instant::now();
        let mut owed = Owed::default();
        owed.add(planned(&[(&HUP, "A")]), now, Duration::ZERO);
        let debt = owed.next(now).unwrap();
        owed.add(planned(&[(&HUP, "B")]), now, Duration::ZERO);
        owed.failed(debt, "why".into(), now);
        assert_eq!(owed.due(), Some(now), "which is tried at once");
        assert_eq!(shown(&owed), [(HUP, "A B".to_owned())]);
    }

    #[test]
    fn what_is_put_off_is_due_then_and_says_why() {
        let now = Instant::now();
        let later = now + Duration::from_secs(9);
        let mut owed = Owed::default();
        owed.add(planned(&[(&RESTART, "A")]), now, Duration::ZERO);
        let debt = owed.next(now).unwrap();
        owed.put_off(debt, later, "too often".into());
        assert_eq!((owed.next(now), owed.due()), (None, Some(later)));
        assert_eq!(problems(&owed), ["too often"]);
        owed.add(planned(&[(&RESTART, "B")]), now, Duration::ZERO);
        assert_eq!(owed.due(), Some(later), "another change does not make it sooner");
    }

    #[test]
    fn splay_delays_within_its_bound_and_is_not_extended() {
        let now = Instant::now();
        let splay = Duration::from_secs(30);
        let mut owed = Owed::default();
        owed.add(planned(&[(&HUP, "A")]), now, splay);
        let due = owed.due().unwrap();
        assert!(due >= now && due <= now + splay);
        owed.add(planned(&[(&HUP, "B")]), now + Duration::from_secs(1), splay);
        assert_eq!(owed.due(), Some(due));
    }

    #[test]
    fn an_end_of_the_agent_leaves_only_what_takes_time() {
        let now = Instant::now();
        let mut owed = Owed::default();
        owed.add(planned(&[(&HUP, "A"), (&command(), "B")]), now, Duration::from_secs(3600));
        let last = owed.last_chance();
        assert_eq!(last.iter().map(|debt| &debt.reaction).collect::<Vec<_>>(), [&HUP]);
        assert_eq!(shown(&owed), [(command(), "B".to_owned())]);
    }
}
