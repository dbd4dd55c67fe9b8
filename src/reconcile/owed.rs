//! The reactions that are still to be carried out, and when.

use crate::{backoff, config::Reaction};
use std::time::{Duration, Instant};

/// Between the first tries of a reaction that fails, and at most.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LONGEST_RETRY: Duration = Duration::from_secs(60);

/// Reactions that are due at a time.
#[derive(Debug, Default)]
pub(super) struct Owed {
    reactions: Vec<Reaction>,
    due: Option<Instant>,
    attempt: u32,
    problem: Option<String>,
}

impl Owed {
    /// Adds reactions, each once. `splay` spreads replicas: the delay is random, up to it.
    pub(super) fn add(&mut self, reactions: Vec<Reaction>, now: Instant, splay: Duration) {
        if reactions.is_empty() {
            return;
        }
        for reaction in reactions {
            if !self.reactions.contains(&reaction) {
                self.reactions.push(reaction);
            }
        }
        // A new change ends the patience with an old failure, but not a splay that runs already.
        if self.due.is_none() || self.attempt > 0 {
            self.due = Some(now + backoff::random_up_to(splay));
        }
        self.attempt = 0;
    }

    /// When something is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Takes all of them, to be carried out now.
    pub(super) fn take(&mut self) -> Vec<Reaction> {
        self.due = None;
        std::mem::take(&mut self.reactions)
    }

    /// Puts back what failed and why, to be tried again later.
    pub(super) fn failed(&mut self, failed: Vec<(Reaction, String)>, now: Instant) {
        self.problem = failed.last().map(|(_, problem)| problem.clone());
        if failed.is_empty() {
            self.attempt = 0;
            return;
        }
        self.due = Some(now + backoff::exponential(self.attempt, FIRST_RETRY, LONGEST_RETRY));
        self.attempt += 1;
        self.reactions = failed.into_iter().map(|(reaction, _)| reaction).collect();
    }

    /// Why the last one failed, if it is still owed.
    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUP: Reaction = Reaction::signal(1);

    #[test]
    fn the_same_reaction_is_owed_once() {
        let now = Instant::now();
        let mut owed = Owed::default();
        owed.add(vec![], now, Duration::ZERO);
        assert_eq!(owed.due(), None);
        owed.add(vec![HUP], now, Duration::ZERO);
        owed.add(vec![HUP, Reaction::signal(10)], now, Duration::ZERO);
        assert_eq!(owed.due(), Some(now));
        assert_eq!(owed.take(), [HUP, Reaction::signal(10)]);
        assert_eq!(owed.due(), None);
    }

    #[test]
    fn a_failed_reaction_is_owed_until_it_succeeds_with_growing_patience() {
        let now = Instant::now();
        let mut owed = Owed::default();
        owed.add(vec![HUP], now, Duration::ZERO);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
            let reactions = owed.take();
            assert_eq!(reactions, [HUP]);
            owed.failed(vec![(HUP, "why".into())], now);
            assert_eq!(owed.due(), Some(now + Duration::from_secs(seconds)));
            assert_eq!(owed.problem(), Some("why"));
        }
        owed.add(vec![HUP], now, Duration::ZERO);
        assert_eq!(owed.due(), Some(now), "a new change is tried at once");
        owed.take();
        owed.failed(vec![], now);
        assert_eq!((owed.due(), owed.problem()), (None, None));
    }

    #[test]
    fn splay_delays_within_its_bound_and_is_not_extended() {
        let now = Instant::now();
        let splay = Duration::from_secs(30);
        let mut owed = Owed::default();
        owed.add(vec![HUP], now, splay);
        let due = owed.due().unwrap();
        assert!(due >= now && due <= now + splay);
        owed.add(vec![HUP], now + Duration::from_secs(1), splay);
        assert_eq!(owed.due(), Some(due));
    }
}
