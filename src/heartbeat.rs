//! Whether the main loop turns: it says when it begins to work and when it goes to wait, and others can see for
//! how long it has worked. Waiting is never too long; one turn can be, when a file system hangs.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// The loop's sign of life. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Heartbeat(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    origin: Instant,
    /// In milliseconds after the origin, from 1 on; 0 while the loop waits.
    working_since: AtomicU64,
}

impl Heartbeat {
    /// Of a loop that begins to work now.
    pub fn new(now: Instant) -> Self {
        Self(Arc::new(Inner { origin: now, working_since: AtomicU64::new(1) }))
    }

    /// The loop begins a turn.
    pub fn works(&self, now: Instant) {
        self.0.working_since.store(self.millis(now) + 1, Ordering::Relaxed);
    }

    /// The loop has nothing to do, for however long.
    pub fn waits(&self) {
        self.0.working_since.store(0, Ordering::Relaxed);
    }

    /// How long the turn has taken so far; `None` while the loop waits.
    pub fn working_for(&self, now: Instant) -> Option<Duration> {
        let since = self.0.working_since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(Duration::from_millis(self.millis(now).saturating_sub(since)))
    }

    fn millis(&self, now: Instant) -> u64 {
        let millis = now.saturating_duration_since(self.0.origin).as_millis();
        u64::try_from(millis).unwrap_or(u64::MAX - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_takes_time_and_waiting_does_not() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let heartbeat = Heartbeat::new(start);
        let seen = heartbeat.clone();
        let seconds = |now| seen.working_for(at(now)).map(|duration| duration.as_secs());
        assert_eq!(seconds(3), Some(3));
        heartbeat.waits();
        assert_eq!(seconds(1_000_000), None);
        heartbeat.works(at(1_000_000));
        assert_eq!([seconds(1_000_000), seconds(1_000_011)], [Some(0), Some(11)]);
        assert_eq!(seconds(5), Some(0), "a clock that was read before");
        heartbeat.works(at(1_000_020));
        assert_eq!(seconds(1_000_021), Some(1), "a new turn is counted anew");
    }
}
