//! How hard a vault is asked, learnt from what it refuses. No clock, no randomness and no I/O.
//!
//! Key Vault counts the requests of all callers together, in windows, and answers 429 to what is beyond its
//! limit. An agent cannot see the others; all it has is its own refusals. So three things give way, each on
//! its own scale: how many requests run at once ([`Pace`], within a try), how soon a refused try is repeated
//! (within a round) and how far apart the polls are ([`Restraint`], from round to round).

use std::time::Duration;

/// The window in which Key Vault counts. Who was refused together spreads its repetition over one at least:
/// within less, all of them would be refused by the same window again.
const ACCOUNTING: Duration = Duration::from_secs(10);

/// Upper bound of the spread. What three windows cannot serve is better refused a little more often than
/// kept waiting: a refusal costs the vault next to nothing, and somebody's start may wait for the value.
const LONGEST_SPREAD: Duration = Duration::from_secs(30);

/// Upper bound of what the poll interval is multiplied by. Who polls more than eight times too often has
/// configured too short an interval, and is told so.
const MOST_STRETCH: f64 = 8.0;

/// What a clean poll takes off the stretch. It is doubled by one refusal and halved by seven clean polls, so
/// that a fleet too large for its interval probes the limit now and then instead of running into it each
/// other round.
const RELAX: f64 = 0.9;

/// How many requests to one vault may run at the same time, whichever of its secrets they are for.
///
/// One more after each full flight that was served, half as many after a flight of which one was refused.
#[derive(Debug)]
pub(super) struct Pace {
    limit: usize,
    most: usize,
    served: usize,
}

impl Pace {
    /// Nothing was refused yet: `most` may run.
    pub(super) fn new(most: usize) -> Self {
        Self { limit: most.max(1), most: most.max(1), served: 0 }
    }

    /// How many may run now; at least one.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// The vault has dealt with a request, whatever it said.
    pub(super) fn served(&mut self) {
        self.served += 1;
        if self.served >= self.limit && self.limit < self.most {
            self.limit += 1;
            self.served = 0;
        }
    }

    /// The vault has refused a request while so many, that one included, were under way. To be called once a
    /// try: what else comes back of the same flight says the same again.
    pub(super) fn refused(&mut self, under_way: usize) {
        self.limit = (self.limit.min(under_way) / 2).max(1);
        self.served = 0;
    }
}

/// How long a vault that refuses is left alone.
#[derive(Debug)]
pub(super) struct Restraint {
    /// Tries in a row of which something was refused.
    refused: u32,
    /// What the poll interval is multiplied by.
    stretch: f64,
}

impl Restraint {
    pub(super) fn new() -> Self {
        Self { refused: 0, stretch: 1.0 }
    }

    /// After a try of which something was refused: the delay of the next one, which is anywhere in a spread
    /// that doubles. `least` is how long the vault wants to be left alone, or the usual smallest delay; it
    /// is never the whole delay, because everybody has been told the same.
    pub(super) fn refused(&mut self, least: Duration, random: f64) -> Duration {
        let spread = ACCOUNTING.saturating_mul(1 << self.refused.min(16)).min(LONGEST_SPREAD);
        self.refused = self.refused.saturating_add(1);
        least.saturating_add(spread.mul_f64(random))
    }

    /// After a try of which nothing was refused.
    pub(super) fn served(&mut self) {
        self.refused = 0;
    }

    /// After the first refusal in a poll.
    pub(super) fn stretch(&mut self) {
        self.stretch = (self.stretch * 2.0).min(MOST_STRETCH);
    }

    /// After a poll without any.
    pub(super) fn relax(&mut self) {
        self.stretch = (self.stretch * RELAX).max(1.0);
    }

    /// The distance of polls that takes the place of the configured one.
    pub(super) fn stretched(&self, interval: Duration) -> Duration {
        interval.mul_f64(self.stretch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_halves_the_requests_under_way_and_full_flights_add_one_each() {
        let mut pace = Pace::new(25);
        assert_eq!(pace.limit(), 25);
        let limits = [10, 5, 2, 1, 1].map(|under_way| {
            pace.refused(under_way);
            pace.limit()
        });
        assert_eq!(limits, [5, 2, 1, 1, 1]);
        let limits = [(); 10].map(|()| {
            pace.served();
            pace.limit()
        });
        assert_eq!(limits, [2, 2, 3, 3, 3, 4, 4, 4, 4, 5]);
        for _ in 0..1_000 {
            pace.served();
        }
        assert_eq!(pace.limit(), 25);
    }

    #[test]
    fn flights_that_were_not_full_are_halved_from_what_they_were() {
        let mut pace = Pace::new(25);
        pace.refused(50);
        assert_eq!(pace.limit(), 12);
        pace.refused(3);
        assert_eq!(pace.limit(), 1);
        assert_eq!(Pace::new(0).limit(), 1);
    }

    #[test]
    fn repetitions_are_spread_over_a_window_at_least_and_over_three_at_most() {
        for (random, spreads) in [(0.0, [0; 4]), (0.5, [5, 10, 15, 15]), (1.0, [10, 20, 30, 30])] {
            let mut restraint = Restraint::new();
            for least in [1, 7] {
                let delays = spreads.map(|_| restraint.refused(Duration::from_secs(least), random).as_secs());
                assert_eq!(delays, spreads.map(|spread| least + spread));
                restraint.served();
            }
        }
        let mut restraint = Restraint { refused: u32::MAX, stretch: 1.0 };
        assert_eq!(restraint.refused(Duration::MAX, 1.0), Duration::MAX);
    }

    #[test]
    fn polls_move_apart_twofold_and_together_by_tenths() {
        let mut restraint = Restraint::new();
        let interval = Duration::from_secs(300);
        let seconds = |restraint: &Restraint| restraint.stretched(interval).as_secs();
        let apart = [(); 5].map(|()| {
            restraint.stretch();
            seconds(&restraint)
        });
        assert_eq!(apart, [600, 1_200, 2_400, 2_400, 2_400]);
        let together = [(); 3].map(|()| {
            restraint.relax();
            seconds(&restraint)
        });
        assert_eq!(together, [2_160, 1_944, 1_749]);
        for _ in 0..17 {
            restraint.relax();
        }
        assert_eq!(seconds(&restraint), 300);
    }
}
