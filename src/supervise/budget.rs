//! How often something may be done: a number of times at once, then at growing intervals. Pure.

use crate::{backoff, config::RestartBudget as Budget};
use std::time::{Duration, Instant};

/// For a child that ends again and again: the kubelet's own measure.
pub const CRASHES: Budget = Budget {
    free: 1,
    first: Duration::from_secs(10),
    longest: Duration::from_secs(5 * 60),
    calm: Duration::from_secs(10 * 60),
};

/// What has been used of a budget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    times: u32,
    last: Option<Instant>,
}

impl Spent {
    /// When the next time may be; now or in the past if at once.
    pub fn next(&self, budget: &Budget, now: Instant) -> Instant {
        let Some(last) = self.last.filter(|last| now < *last + budget.calm) else { return now };
        match self.times.checked_sub(budget.free) {
            None => now,
            Some(over) => last + backoff::exponential(over, budget.first, budget.longest),
        }
    }

    /// It was done.
    pub fn spend(&mut self, budget: &Budget, now: Instant) {
        let goes_on = self.last.is_some_and(|last| now < last + budget.calm);
        self.times = if goes_on { self.times.saturating_add(1) } else { 1 };
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    const BUDGET: Budget = Budget { free: 3, first: s(10), longest: s(60), calm: s(600) };

    #[test]
    fn a_few_times_at_once_then_at_growing_intervals() {
        let mut now = Instant::now();
        let mut spent = Spent::default();
        let mut waits = Vec::new();
        for _ in 0..8 {
            let next = spent.next(&BUDGET, now).max(now);
            waits.push((next - now).as_secs());
            now = next;
            spent.spend(&BUDGET, now);
        }
        assert_eq!(waits, [0, 0, 0, 10, 20, 40, 60, 60]);
    }

    #[test]
    fn time_that_has_passed_counts() {
        let start = Instant::now();
        let mut spent = Spent::default();
        for _ in 0..3 {
            spent.spend(&BUDGET, start);
        }
        assert_eq!(spent.next(&BUDGET, start + s(4)), start + s(10));
        assert!(spent.next(&BUDGET, start + s(15)) <= start + s(15));
    }

    #[test]
    fn a_calm_spell_restores_all_of_it() {
        let start = Instant::now();
        let mut spent = Spent::default();
        for _ in 0..9 {
            spent.spend(&BUDGET, start);
        }
        let later = start + BUDGET.calm;
        assert_eq!(spent.next(&BUDGET, later), later);
        spent.spend(&BUDGET, later);
        assert_eq!(spent.next(&BUDGET, later), later);
    }
}
