//! When a vault is asked, and for how much. No clock, no randomness and no I/O: all three are arguments.
//!
//! A fleet of agents shares one vault, and what happens to all of them at once must not make them ask at
//! once for ever after. So the poll that follows a start or a request lies anywhere in a whole interval, and
//! what a vault has refused is repeated anywhere in a window of its accounting ([`super::pace`]).

use super::pace::Restraint;
use std::time::Duration;
use tokio::time::Instant;

/// Lower bound of the distance between tries, also of those that somebody asks for.
const MIN_DELAY: Duration = Duration::from_secs(1);

/// Upper bound of the back-off: an outage should be noticed to be over within a minute.
const MAX_BACKOFF: Duration = Duration::from_secs(60);

/// A poll sits anywhere in the last or first tenth of its interval, so that replicas drift apart.
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
    /// The vault has refused some of it, as too much is asked of it; with how long it wants to be left alone.
    Throttled(Option<Duration>),
}

/// The schedule of one vault.
#[derive(Debug)]
pub(super) struct Schedule {
    interval: Option<Duration>,
    /// When the next round is due; `None`: only when somebody asks, or after the end of one that is held up.
    next_round: Option<Instant>,
    /// When the rest is tried again.
    next_try: Option<Instant>,
    /// No try before this, whoever asks.
    not_before: Instant,
    incomplete: u32,
    /// The round that began last.
    round: Option<Round>,
    restraint: Restraint,
}

/// What brought a round about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// The start, or a request: maybe of many agents at once.
    Event,
    /// The interval.
    Poll,
    /// The interval, and the vault has refused some of it.
    RefusedPoll,
}

impl Schedule {
    /// The first round is due at once.
    pub(super) fn new(interval: Option<Duration>, now: Instant) -> Self {
        Self {
            interval,
            next_round: Some(now),
            next_try: None,
            not_before: now,
            incomplete: 0,
            round: None,
            restraint: Restraint::new(),
        }
    }

    /// When the next try is due; `None`: never by itself.
    pub(super) fn due(&self) -> Option<Instant> {
        let next = [self.next_round, self.next_try].into_iter().flatten().min()?;
        Some(next.max(self.not_before))
    }

    /// When a try that somebody asks for may start, at the earliest.
    pub(super) fn not_before(&self) -> Instant {
        self.not_before
    }

    /// A try starts, because it is due or because somebody `asked`. `random` is in `0.0..1.0`.
    pub(super) fn begin(&mut self, now: Instant, asked: bool, random: f64) -> Extent {
        self.not_before = now + self.min_delay();
        self.next_try = None;
        if !asked && self.next_round.is_none_or(|due| due > now) {
            return Extent::Rest;
        }
        if self.round == Some(Round::Poll) {
            self.restraint.relax();
        }
        self.round = Some(if asked || self.round.is_none() { Round::Event } else { Round::Poll });
        self.set_next_round(now, random);
        Extent::All
    }

    /// The try ended.
    pub(super) fn end(&mut self, now: Instant, ending: Ending, random: f64) {
        let least = self.min_delay();
        match ending {
            Ending::Complete => {
                self.incomplete = 0;
                self.served(now, random);
            }
            Ending::Incomplete(retry_after) => {
                self.incomplete = self.incomplete.saturating_add(1);
                self.served(now, random);
                let mut next = now + self.backoff(random);
                if let Some(wait) = retry_after {
                    self.not_before = self.not_before.max(now + wait);
                    // Those who were told the same still come back one by one, also those whose round is due.
                    next += wait.saturating_sub(least);
                    self.next_round = self.next_round.map(|round| round.max(next));
                }
                self.next_try = Some(next);
            }
            Ending::Throttled(retry_after) => {
                let wait = self.restraint.refused(retry_after.unwrap_or_default().max(least), random);
                // Whoever asks before would be refused as well. And the rest comes before a new round, which
                // would ask for all of it again.
                self.not_before = now + wait;
                (self.next_try, self.next_round) = (Some(self.not_before), None);
                if self.round == Some(Round::Poll) {
                    self.round = Some(Round::RefusedPoll);
                    self.restraint.stretch();
                }
            }
        }
    }

    /// A try ended without a refusal; a round that was held up is followed by one from now on.
    fn served(&mut self, now: Instant, random: f64) {
        self.restraint.served();
        if self.next_round.is_none() {
            self.set_next_round(now, random);
        }
    }

    /// An interval from now: any part of one after what may have happened to many agents at once.
    fn set_next_round(&mut self, now: Instant, random: f64) {
        let part = match self.round {
            Some(Round::Poll | Round::RefusedPoll) => 1.0 - JITTER + 2.0 * JITTER * random,
            // Not at once, which would tell nothing new; and as wide as the interval, so that no part of it
            // gets more than its share.
            Some(Round::Event) | None => JITTER + random,
        };
        self.next_round =
            self.interval.map(|interval| now + self.restraint.stretched(interval).mul_f64(part));
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

    /// When a poll after a try that ended well is due.
    fn poll_after(schedule: &mut Schedule, at: Instant, asked: bool, random: f64) -> Instant {
        assert_eq!(schedule.begin(at, asked, random), Extent::All);
        schedule.end(at, Ending::Complete, random);
        schedule.due().expect("due")
    }

    fn assert_distance(from: Instant, to: Instant, expected: f64) {
        let distance = (to - from).as_secs_f64();
        assert!((distance - expected).abs() < 1e-3, "{distance} instead of {expected}");
    }

    #[test]
    fn the_first_poll_is_spread_over_a_whole_interval_and_later_ones_around_its_end() {
        for (random, first, later) in [(0.0, 30.0, 270.0), (0.5, 180.0, 300.0), (1.0, 330.0, 330.0)] {
            let start = Instant::now();
            let mut schedule = Schedule::new(Some(MINUTES), start);
            assert_eq!(schedule.due(), Some(start));
            let poll = poll_after(&mut schedule, start, false, random);
            assert_distance(start, poll, first);
            let next = poll_after(&mut schedule, poll, false, random);
            assert_distance(poll, next, later);
            let next_after_request = poll_after(&mut schedule, poll + seconds(10.0), true, random);
            assert_distance(poll + seconds(10.0), next_after_request, first);
        }
    }

    #[test]
    fn a_refused_round_goes_on_after_a_spread_wait_that_holds_for_requests_too() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Some(seconds(5.0)), start);
        schedule.begin(start, false, 0.0);
        schedule.end(start, Ending::Throttled(None), 0.5);
        let first = start + seconds(6.0);
        assert_eq!((schedule.due(), schedule.not_before()), (Some(first), first));
        assert_eq!(schedule.begin(first, false, 0.0), Extent::Rest);
        schedule.end(first, Ending::Throttled(Some(seconds(7.0))), 0.5);
        let second = first + seconds(17.0);
        assert_eq!((schedule.due(), schedule.not_before()), (Some(second), second));
        assert_eq!(schedule.begin(second, false, 0.0), Extent::Rest);
        schedule.end(second, Ending::Complete, 0.5);
        assert_distance(second, schedule.due().expect("due"), 3.0);
    }

    #[test]
    fn refused_polls_move_apart_once_a_round_but_a_refused_start_does_not() {
        let mut now = Instant::now();
        let mut schedule = Schedule::new(Some(MINUTES), now);
        let mut distance = |refusals, asked| {
            assert_eq!(schedule.begin(now, asked, 0.5), Extent::All);
            for _ in 0..refusals {
                schedule.end(now, Ending::Throttled(None), 0.5);
                now = schedule.due().expect("due");
                assert_eq!(schedule.begin(now, false, 0.5), Extent::Rest);
            }
            schedule.end(now, Ending::Complete, 0.5);
            let begin = now;
            now = schedule.due().expect("due");
            (now - begin).as_secs()
        };
        assert_eq!(distance(3, false), 180);
        assert_eq!([distance(2, false), distance(1, false)], [600, 1_200]);
        assert_eq!(distance(1, true), 720);
        assert_eq!([distance(0, false), distance(0, false)], [1_200, 1_080]);
    }

    #[test]
    fn a_round_that_was_held_up_and_stays_incomplete_is_followed_by_another() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Some(seconds(20.0)), start);
        schedule.begin(start, false, 0.5);
        schedule.end(start, Ending::Throttled(None), 0.0);
        let mut now = start;
        let rounds = (0..10).filter(|_| {
            now = schedule.due().expect("due");
            let extent = schedule.begin(now, false, 0.5);
            schedule.end(now, Ending::Incomplete(None), 0.5);
            extent == Extent::All
        });
        assert!(rounds.count() >= 2);
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
        assert_eq!(schedule.begin(start, false, 0.9), Extent::All);
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
        for (random, due) in [(0.0, 25.0), (1.0, 26.0)] {
            schedule.begin(start, true, random);
            schedule.incomplete = 0;
            schedule.end(start, Ending::Incomplete(Some(seconds(25.0))), random);
            assert_eq!(schedule.due(), Some(start + seconds(due)));
            assert_eq!(schedule.not_before(), start + seconds(25.0));
        }
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
