//! Delays between tries: exponential, bounded, spread. Pure but for the spread's random number.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// The delay before try `attempt` (0 is the first retry): `first`, doubled each time, at most `longest`.
pub fn exponential(attempt: u32, first: Duration, longest: Duration) -> Duration {
    first.saturating_mul(1 << attempt.min(20)).min(longest)
}

/// A number in `0.0..1.0`, evenly spread. Good enough to keep replicas apart; nobody has to be unable to
/// guess it.
pub fn random() -> f64 {
    // The standard library seeds each hasher differently, from random numbers of the kernel.
    let bits = u32::try_from(RandomState::new().hash_one(0_u8) >> 32).unwrap_or_default();
    f64::from(bits) / (f64::from(u32::MAX) + 1.0)
}

/// A duration between zero and `most`, evenly spread.
pub fn random_up_to(most: Duration) -> Duration {
    most.mul_f64(random())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_up_to_the_bound() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(5));
        let delays: Vec<_> = (0..8).map(|attempt| exponential(attempt, first, longest).as_millis()).collect();
        assert_eq!(delays, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
        assert_eq!(exponential(u32::MAX, first, longest), longest);
    }

    #[test]
    fn random_stays_in_its_bounds_and_varies() {
        let most = Duration::from_secs(10);
        let drawn: Vec<_> = (0..100).map(|_| random_up_to(most)).collect();
        assert!(drawn.iter().all(|delay| *delay <= most));
        assert!(drawn.windows(2).any(|pair| pair[0] != pair[1]));
        assert_eq!(random_up_to(Duration::ZERO), Duration::ZERO);
    }
}
