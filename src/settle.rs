//! When a pass is due: after a change has settled, and not too soon after the last reaction. Pure.
//!
//! The first change after a calm spell is acted on at once. In a burst the gap between reactions doubles,
//! so that a thousand changes back to back make a handful of reactions, the last of which sees the last
//! value.

use std::time::{Duration, Instant};

/// After a single reaction. A burst of changes is written within a few milliseconds; two reactions this far
/// apart are no burden to anybody.
const MIN_GAP: Duration = Duration::from_millis(25);

/// Even under a storm of changes the app follows this closely.
const MAX_GAP: Duration = Duration::from_secs(2);

/// Decides when the next pass is due.
#[derive(Debug)]
pub struct Settle {
    quiet: Duration,
    max: Duration,
    /// The first and the last wake-up since the last pass.
    woken: Option<(Instant, Instant)>,
    gap: Duration,
    last_reaction: Option<Instant>,
}

impl Settle {
    /// A change counts as complete after `quiet` without another one, at the latest after `max`.
    pub fn new(quiet: Duration, max: Duration) -> Self {
        Self { quiet, max, woken: None, gap: Duration::ZERO, last_reaction: None }
    }

    /// Something may have changed.
    pub fn wake(&mut self, now: Instant) {
        let first = self.woken.map_or(now, |(first, _)| first);
        self.woken = Some((first, now));
    }

    /// When the next pass is due; `None` while nothing happened.
    pub fn due(&self) -> Option<Instant> {
        let (first, last) = self.woken?;
        let settled = (last + self.quiet).min(first + self.max.max(self.quiet));
        Some(self.last_reaction.map_or(settled, |at| settled.max(at + self.gap)))
    }

    /// Whether further wake-ups could move the due time. While they cannot, the loop need not even look.
    pub fn is_listening(&self) -> bool {
        self.woken.is_none() || !self.quiet.is_zero()
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

    #[test]
    fn without_a_quiet_period_a_change_is_due_at_once() {
        let now = Instant::now();
        let mut settle = Settle::new(Duration::ZERO, ms(5000));
        assert_eq!(settle.due(), None);
        settle.wake(now);
        assert_eq!(settle.due(), Some(now));
        settle.passed(now, true);
        assert_eq!(settle.due(), None);
    }

    #[test]
    fn quiet_is_counted_from_the_last_change_and_bounded_from_the_first() {
        let now = Instant::now();
        let mut settle = Settle::new(ms(100), ms(250));
        settle.wake(now);
        settle.wake(now + ms(80));
        assert_eq!(settle.due(), Some(now + ms(180)));
        settle.wake(now + ms(160));
        settle.wake(now + ms(240));
        assert_eq!(settle.due(), Some(now + ms(250)));
        assert!(settle.is_listening());
    }

    /// What the loop does when something changes all the time, for `total`.
    fn reactions_in(total: Duration) -> usize {
        let start = Instant::now();
        let mut settle = Settle::new(Duration::ZERO, ms(5000));
        let (mut now, mut reactions) = (start, 0);
        while now < start + total {
            settle.wake(now);
            now = settle.due().unwrap().max(now);
            settle.passed(now, true);
            reactions += 1;
            now += ms(1);
        }
        reactions
    }

    #[test]
    fn a_burst_makes_few_reactions() {
        assert!(reactions_in(ms(31)) <= 3);
        assert!(reactions_in(ms(300)) <= 6);
        assert!(reactions_in(ms(60_000)) <= 45);
    }

    #[test]
    fn after_a_calm_spell_the_next_change_is_due_at_once() {
        let now = Instant::now();
        let mut settle = Settle::new(Duration::ZERO, ms(5000));
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
        let mut settle = Settle::new(Duration::ZERO, ms(5000));
        for n in 0..100 {
            settle.wake(now + ms(n));
            assert_eq!(settle.due(), Some(now + ms(n)));
            settle.passed(now + ms(n), false);
        }
    }
}
