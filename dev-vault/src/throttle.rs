//! Key Vault's limit on transactions, for each vault by itself, and how much each vault was asked.
//!
//! What Key Vault documents is kept to: a number of transactions in a window, requests beyond it refused, and
//! refused requests not counted against the limit. Its windows are taken to be fixed ones.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::util::lock;

/// How many transactions a vault serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// So many in each window.
    pub transactions: u32,
    /// The length of a window.
    pub window: Duration,
    /// Whether a refusal says in `Retry-After` when the next window begins.
    pub retry_after: bool,
}

impl Default for Throttle {
    /// Key Vault's limit for reading secrets: 4,000 in 10 seconds.
    fn default() -> Self {
        Self { transactions: 4_000, window: Duration::from_secs(10), retry_after: false }
    }
}

/// How much a vault was asked. Requests without a valid token are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Traffic {
    /// Requests within the limit.
    pub allowed: u64,
    /// Requests beyond it, answered with 429.
    pub refused: u64,
    /// The most requests in one second, refused ones included.
    pub busiest_second: u64,
    /// The most requests in one window, refused ones included.
    pub busiest_window: u64,
}

/// Counts the requests to every vault, and refuses what is beyond the limit if there is one.
#[derive(Debug)]
pub(crate) struct Gate {
    throttle: Option<Throttle>,
    start: Instant,
    meters: Mutex<BTreeMap<String, Meter>>,
}

impl Gate {
    pub(crate) fn new(throttle: Option<Throttle>) -> Self {
        Self { throttle, start: Instant::now(), meters: Mutex::default() }
    }

    pub(crate) fn throttle(&self) -> Option<Throttle> {
        self.throttle
    }

    /// Lets a request to `vault` through, or says how long its window lasts yet.
    pub(crate) fn pass(&self, vault: &str) -> Result<(), Duration> {
        let mut meters = lock(&self.meters);
        let meter = meters.entry(vault.to_ascii_lowercase()).or_default();
        meter.pass(self.throttle, self.start.elapsed())
    }

    /// What every vault that was asked has seen.
    pub(crate) fn traffic(&self) -> BTreeMap<String, Traffic> {
        lock(&self.meters).iter().map(|(vault, meter)| (vault.clone(), meter.traffic)).collect()
    }

    /// Begins to count anew. Windows go on with what is used up of them.
    pub(crate) fn clear(&self) {
        for meter in lock(&self.meters).values_mut() {
            *meter = Meter { window: meter.window, passed: meter.passed, ..Meter::default() };
        }
    }
}

/// One vault's windows, the present one and the busiest.
#[derive(Debug, Default)]
struct Meter {
    /// The number of the present window since the start, and what was let through in it.
    window: u128,
    passed: u32,
    asked_in_window: u64,
    second: u64,
    asked_in_second: u64,
    traffic: Traffic,
}

impl Meter {
    /// `at` is the time since the start.
    fn pass(&mut self, throttle: Option<Throttle>, at: Duration) -> Result<(), Duration> {
        let Throttle { transactions, window: length, .. } = throttle.unwrap_or_default();
        let length = length.max(Duration::from_millis(1));
        let window = at.as_nanos() / length.as_nanos();
        if window != self.window {
            (self.window, self.passed, self.asked_in_window) = (window, 0, 0);
        }
        if at.as_secs() != self.second {
            (self.second, self.asked_in_second) = (at.as_secs(), 0);
        }
        self.asked_in_window += 1;
        self.asked_in_second += 1;
        let traffic = &mut self.traffic;
        traffic.busiest_window = traffic.busiest_window.max(self.asked_in_window);
        traffic.busiest_second = traffic.busiest_second.max(self.asked_in_second);
        if throttle.is_some() && self.passed >= transactions {
            traffic.refused += 1;
            let end = (window + 1) * length.as_nanos();
            return Err(Duration::from_nanos(u64::try_from(end - at.as_nanos()).unwrap_or(u64::MAX)));
        }
        self.passed += 1;
        traffic.allowed += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_IN_TEN: Option<Throttle> =
        Some(Throttle { transactions: 2, window: Duration::from_secs(10), retry_after: false });

    #[test]
    fn a_window_lets_its_number_through_and_refusals_use_up_nothing() {
        let mut meter = Meter::default();
        let mut ask =
            |millis| meter.pass(TWO_IN_TEN, Duration::from_millis(millis)).map_err(|wait| wait.as_millis());
        assert_eq!([0, 4_000, 4_500, 9_999].map(&mut ask), [Ok(()), Ok(()), Err(5_500), Err(1)]);
        assert_eq!([10_000, 10_000, 19_000].map(&mut ask), [Ok(()), Ok(()), Err(1_000)]);
        assert_eq!([35_000].map(&mut ask), [Ok(())]);
        let expected = Traffic { allowed: 5, refused: 3, busiest_second: 2, busiest_window: 4 };
        assert_eq!(meter.traffic, expected);
    }

    #[test]
    fn without_a_limit_requests_are_only_counted() {
        let mut meter = Meter::default();
        for _ in 0..5_000 {
            meter.pass(None, Duration::from_millis(700)).expect("no limit");
        }
        let expected = Traffic { allowed: 5_000, refused: 0, busiest_second: 5_000, busiest_window: 5_000 };
        assert_eq!(meter.traffic, expected);
    }

    #[test]
    fn vaults_have_their_own_limits_and_forgetting_gives_none_back() {
        let hours = Throttle { transactions: 1, window: Duration::from_secs(3_600), retry_after: false };
        let gate = Gate::new(Some(hours));
        assert!(gate.pass("one").is_ok() && gate.pass("ONE").is_err() && gate.pass("two").is_ok());
        gate.clear();
        assert!(gate.pass("one").is_err());
        let expected = Traffic { allowed: 0, refused: 1, busiest_second: 1, busiest_window: 1 };
        assert_eq!(
            gate.traffic(),
            [("one".to_owned(), expected), ("two".to_owned(), Traffic::default())].into()
        );
    }
}
