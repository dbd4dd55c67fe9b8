//! Delays between tries: exponential, bounded, spread. Pure but for the spread's random number.

use std::{
    hash::{BuildHasher, RandomState},
    time::Duration,
};

/// The delay before try `attempt` (0 is the first retry): `first`, doubled each time, at most `longest`.
pub fn exponential(attempt: u32, first: Duration, longest: Duration) -> Duration {
    first.saturating_mul(1 << attempt.min(20)).min(longest)
}

/// A duration between zero and `most`, evenly spread.
pub fn random_up_to(most: Duration) -> Duration {
    // Seeded by the kernel's random numbers for each thread and stepped for each call: nobody has to guess
    // these, replicas just must not share them.
    let random = RandomState::new().hash_one(0_u8) >> 11;
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
    let fraction = random as f64 / (1_u64 << 53) as f64;
    most.mul_f64(fraction)
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
