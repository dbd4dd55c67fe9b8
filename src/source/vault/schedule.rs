//! When a vault is asked, and for how much. No clock, no randomness and no I/O: all three are arguments.

use std::time::Duration;
use tokio::time::Instant;

/// Lower bound of the distance between tries, also of those that somebody asks for.
const MIN_DELAY: Duration = Duration::from_secs(1);

/// Upper bound of the back-off: an outage should be noticed to be over within a minute.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// A try sits anywhere in the last or first tenth of its interval, so that replicas drift apart.
const JITTER: f64 = 0.1;

/// What a try is to ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// A new round: everything that can change.
    All,
    /// The rest of the last round: what had no answer, and what never had a good one.
    Rest,
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Every secret was answered, and every one has a value.
    Complete,
    /// Something is still missing; the vault asked to be left alone for that long.
    Incomplete(Option<Duration>),
}

/// The schedule of one vault.
#[derive(Debug)]
pub(super) struct Schedule {
    interval: Option<Duration>,
    /// When the next round is due; `None`: only when somebody asks.
    next_round: Option<Instant>,
    /// When the rest is tried again.
    next_try: Option<Instant>,
    /// No try before this, whoever asks.
    not_before: Instant,
    incomplete: u32,
}

impl Schedule {
    /// The first round is due at once.
    pub(super) fn new(interval: Option<Duration>, now: Instant) -> Self {
        Self { interval, next_round: Some(now), next_try: None, not_before: now, incomplete: 0 }
    }

    /// When the next try is due; `None`: never by itself.
    pub(super) fn due(&self) -> Option<Instant> {
        let next = [self.next_round, self.next_try].into_iter().flatten().min()?;
        Some(next.max(self.not_before))
    }

    /// When a try that somebody asks for may start.
    pub(super) fn not_before(&self) -> Instant {
        self.not_before
    }

    /// A try starts, because it is due or because somebody `asked`. `random` is in `0.0..1.0`.
    pub(super) fn begin(&mut self, now: Instant, asked: bool, random: f64) -> Extent {
        self.not_before = now + self.min_delay();
        self.next_try = None;
        if asked || self.next_round.is_some_and(|due| due <= now) {
            let jittered = |interval: Duration| interval.mul_f64(1.0 - JITTER + 2.0 * JITTER * random);
            self.next_round = self.interval.map(|interval| now + jittered(interval));
            Extent::All
        } else {
            Extent::Rest
        }
    }

    /// The try ended.
    pub(super) fn end(&mut self, now: Instant, ending: Ending, random: f64) {
        match ending {
            Ending::Complete => self.incomplete = 0,
            Ending::Incomplete(retry_after) => {
                self.incomplete = self.incomplete.saturating_add(1);
                self.next_try = Some(now + self.backoff(random));
                if let Some(wait) = retry_after {
                    self.not_before = self.not_before.max(now + wait);
                }
            }
        }
    }

    /// Exponential with full jitter: anywhere between the smallest delay and a bound that doubles.
    fn backoff(&self, random: f64) -> Duration {
        let floor = self.min_delay();
        let longest = self.interval.map_or(MAX_BACKOFF, |interval| interval.min(MAX_BACKOFF)).max(floor);
        let bound = floor.saturating_mul(1 << self.incomplete.min(16)).min(longest);
        floor + bound.saturating_sub(floor).mul_f64(random)
    }

    /// An interval below the usual smallest delay is somebody's explicit wish.
    fn min_delay(&self) -> Duration {
        self.interval.map_or(MIN_DELAY, |interval| interval.min(MIN_DELAY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTES: Duration = Duration::from_secs(300);

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn the_first_round_is_due_at_once_and_the_next_after_a_jittered_interval() {
        for (random, delay) in [(0.0, 270.0), (0.5, 300.0), (1.0, 330.0)] {
            let start = Instant::now();
            let mut schedule = Schedule::new(Some(MINUTES), start);
            assert_eq!(schedule.due(), Some(start));
            assert_eq!(schedule.begin(start, false, random), Extent::All);
            schedule.end(start, Ending::Complete, random);
            let wait = schedule.due().expect("due") - start;
            assert!((wait.as_secs_f64() - delay).abs() < 1e-3, "{wait:?}");
        }
    }

    #[test]
    fn what_is_missing_is_tried_again_with_a_growing_delay() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Some(MINUTES), start);
        schedule.begin(start, false, 0.5);
        for (least, most) in
            [(1.0, 2.0), (1.0, 4.0), (1.0, 8.0), (1.0, 16.0), (1.0, 32.0), (1.0, 60.0), (1.0, 60.0)]
        {
            schedule.incomplete += 1;
            assert_eq!(schedule.backoff(0.0), seconds(least));
            assert_eq!(schedule.backoff(1.0), seconds(most));
        }
    }

    #[test]
    fn the_delay_never_exceeds_the_interval() {
        for (interval, incomplete, most) in [(30.0, 40, 30.0), (0.5, 40, 0.5), (0.5, 1, 0.5), (2.0, 1, 2.0)] {
            let mut schedule = Schedule::new(Some(seconds(interval)), Instant::now());
            schedule.incomplete = incomplete;
            assert_eq!(schedule.backoff(1.0), seconds(most), "{interval} {incomplete}");
        }
    }

    #[test]
    fn a_later_try_asks_for_the_rest_until_the_next_round_is_due() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Some(seconds(3.0)), start);
        assert_eq!(schedule.begin(start, false, 0.5), Extent::All);
        schedule.end(start, Ending::Incomplete(None), 0.0);
        assert_eq!(schedule.due(), Some(start + seconds(1.0)));
        assert_eq!(schedule.begin(start + seconds(1.0), false, 0.5), Extent::Rest);
        schedule.end(start + seconds(1.0), Ending::Incomplete(None), 1.0);
        assert_eq!(schedule.due(), Some(start + seconds(3.0)));
        assert_eq!(schedule.begin(start + seconds(3.0), false, 0.5), Extent::All);
        schedule.end(start + seconds(3.0), Ending::Complete, 0.0);
        assert_eq!(schedule.incomplete, 0);
    }

    #[test]
    fn retry_after_holds_for_rounds_and_for_requests() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Some(seconds(10.0)), start);
        schedule.begin(start, false, 0.5);
        schedule.end(start, Ending::Incomplete(Some(seconds(25.0))), 0.0);
        assert_eq!(schedule.due(), Some(start + seconds(25.0)));
        assert_eq!(schedule.not_before(), start + seconds(25.0));
    }

    #[test]
    fn without_an_interval_only_missing_values_are_asked_for_again() {
        let start = Instant::now();
        let mut schedule = Schedule::new(None, start);
        schedule.begin(start, false, 0.5);
        schedule.end(start, Ending::Incomplete(None), 0.0);
        assert_eq!(schedule.due(), Some(start + seconds(1.0)));
        assert_eq!(schedule.begin(start + seconds(1.0), false, 0.5), Extent::Rest);
        schedule.end(start + seconds(1.0), Ending::Complete, 0.5);
        assert_eq!(schedule.due(), None);
        assert_eq!(schedule.begin(start + seconds(9.0), true, 0.5), Extent::All);
        schedule.end(start + seconds(9.0), Ending::Complete, 0.5);
        assert_eq!(schedule.due(), None);
    }
}
