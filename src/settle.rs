//! When a pass is due: after a change has settled, and not too soon after the last reaction. Pure.
//!
//! The first change after a calm spell is acted on at once. In a burst the gap between reactions doubles,
//! so that a thousand changes back to back make a handful of reactions, the last of which sees the last
//! value. Where `settle.interval` is longer than that gap, it counts instead.

use crate::config;
use std::time::{Duration, Instant};

/// After a single reaction. A burst of changes is written within a few milliseconds; two reactions this far
/// apart are no burden to anybody.
const MIN_GAP: Duration = Duration::from_millis(25);

/// Even under a storm of changes the app follows this closely.
const MAX_GAP: Duration = Duration::from_secs(2);

/// Decides when the next pass is due.
#[derive(Debug)]
pub struct Settle {
    rule: config::Settle,
    /// The first and the last wake-up since the last pass.
    woken: Option<(Instant, Instant)>,
    gap: Duration,
    last_reaction: Option<Instant>,
}

impl Settle {
    /// A change counts as complete after `quiet` without another one, at the latest after `max`, and is acted
    /// on no sooner than `interval` after the last one that was.
    pub fn new(rule: config::Settle) -> Self {
        Self { rule, woken: None, gap: Duration::ZERO, last_reaction: None }
    }

    /// Something may have changed.
    pub fn wake(&mut self, now: Instant) {
        let first = self.woken.map_or(now, |(first, _)| first);
        self.woken = Some((first, now));
    }

    /// When the next pass is due; `None` while nothing happened.
    pub fn due(&self) -> Option<Instant> {
        let (first, last) = self.woken?;
        let config::Settle { quiet, max, interval } = self.rule;
        let settled = (last + quiet).min(first + max.max(quiet));
        Some(self.last_reaction.map_or(settled, |at| settled.max(at + self.gap.max(interval))))
    }

    /// Whether further wake-ups could move the due time. While they cannot, the loop need not even look.
    pub fn is_listening(&self) -> bool {
        self.woken.is_none() || !self.rule.quiet.is_zero()
    }

    /// A pass was made at `now`; it took up all wake-ups so far.
    pub fn passed(&mut self, now: Instant, reacted: bool) {
        self.woken = None;
        if reacted {
            let burst = self.last_reaction.is_some_and(|at| now < at + self.gap * 3);
            self.gap = if burst { (self.gap * 2).min(MAX_GAP) } else { MIN_GAP };
            self.last_reaction = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    fn settle(quiet: u64, max: u64, interval: u64) -> Settle {
        Settle::new(config::Settle { quiet: ms(quiet), max: ms(max), interval: ms(interval) })
    }

    #[test]
    fn without_a_quiet_period_a_change_is_due_at_once() {
        let now = Instant::now();
        let mut settle = settle(0, 5000, 0);
        assert_eq!(settle.due(), None);
        settle.wake(now);
        assert_eq!(settle.due(), Some(now));
        settle.passed(now, true);
        assert_eq!(settle.due(), None);
    }

    #[test]
    fn quiet_is_counted_from_the_last_change_and_bounded_from_the_first() {
        let now = Instant::now();
        let mut settle = settle(100, 250, 0);
        settle.wake(now);
        settle.wake(now + ms(80));
        assert_eq!(settle.due(), Some(now + ms(180)));
        settle.wake(now + ms(160));
        settle.wake(now + ms(240));
        assert_eq!(settle.due(), Some(now + ms(250)));
        assert!(settle.is_listening());
    }

    /// When the loop acts if something changes every millisecond, for `total`: in milliseconds.
    fn reactions(mut settle: Settle, total: u64) -> Vec<u128> {
        let start = Instant::now();
        let mut reactions = Vec::new();
        for now in 0.. {
            let now = start + ms(now);
            if now < start + ms(total) {
                settle.wake(now);
            }
            match settle.due() {
                None => break,
                Some(due) if due > now => {}
                Some(_) => {
                    settle.passed(now, true);
                    reactions.push((now - start).as_millis());
                }
            }
        }
        reactions
    }

    #[test]
    fn a_burst_makes_few_reactions_and_the_last_one_sees_its_end() {
        for (total, expected) in [
            (1, vec![0]),
            (2, vec![0, 25]),
            (31, vec![0, 25, 75]),
            (300, vec![0, 25, 75, 175, 375]),
            (1_000, vec![0, 25, 75, 175, 375, 775, 1_575]),
        ] {
            assert_eq!(reactions(settle(0, 5_000, 0), total), expected, "{total} ms");
        }
        assert!(reactions(settle(0, 5_000, 0), 60_000).len() <= 40);
    }

    #[test]
    fn an_interval_lies_between_any_two_reactions() {
        for (quiet, max, interval, total, expected) in [
            // Shorter than the gap of a burst, it changes nothing.
            (0, 5_000, 10, 31, vec![0, 25, 75]),
            (0, 5_000, 400, 1_000, vec![0, 400, 800, 1_200]),
            (0, 5_000, 3_000, 1_000, vec![0, 3_000]),
            // A change that is not over yet is waited for as well.
            (100, 250, 400, 1_000, vec![250, 650, 1_050]),
            (100, 5_000, 400, 1_000, vec![1_099]),
        ] {
            assert_eq!(reactions(settle(quiet, max, interval), total), expected, "{quiet} {max} {interval}");
        }
    }

    #[test]
    fn an_interval_is_counted_from_a_reaction_and_from_nothing_else() {
        let now = Instant::now();
        let mut settle = settle(0, 5_000, 60_000);
        settle.wake(now);
        assert_eq!(settle.due(), Some(now), "there was none before");
        settle.passed(now, false);
        settle.wake(now + ms(1));
        assert_eq!(settle.due(), Some(now + ms(1)), "a look is none");
        settle.passed(now + ms(1), true);
        settle.wake(now + ms(2));
        assert_eq!(settle.due(), Some(now + ms(60_001)));
        settle.passed(now + ms(60_001), true);
        settle.wake(now + ms(500_000));
        assert_eq!(settle.due(), Some(now + ms(500_000)), "calm for longer than that");
    }

    #[test]
    fn after_a_calm_spell_the_next_change_is_due_at_once() {
        let now = Instant::now();
        let mut settle = settle(0, 5000, 0);
        for burst in 0..6 {
            settle.wake(now + ms(burst));
            settle.passed(settle.due().unwrap(), true);
        }
        let later = now + Duration::from_secs(60);
        settle.wake(later);
        assert_eq!(settle.due(), Some(later));
        settle.passed(later, true);
        settle.wake(later + ms(1));
        assert_eq!(settle.due(), Some(later + MIN_GAP));
        assert!(!settle.is_listening());
    }

    #[test]
    fn a_pass_without_a_reaction_delays_nothing() {
        let now = Instant::now();
        let mut settle = settle(0, 5000, 0);
        for n in 0..100 {
            settle.wake(now + ms(n));
            assert_eq!(settle.due(), Some(now + ms(n)));
            settle.passed(now + ms(n), false);
        }
    }
}
