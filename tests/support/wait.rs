//! Waiting: for a state that can be looked at again and again, never for an event and never for a time.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Far more than anything here takes; a test that fails waits this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks.
const GLANCE: Duration = Duration::from_millis(2);

/// Looks until there is something to see; after [`PATIENCE`] says that `what` never came.
pub(crate) fn eventually<T>(what: &str, probe: impl FnMut() -> Option<T>) -> T {
    look(probe).unwrap_or_else(|| panic!("still not after {PATIENCE:?}: {what}"))
}

/// Looks until there is something to see, or [`PATIENCE`] is over.
pub(super) fn look<T>(mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        thread::sleep(GLANCE);
    }
}

/// Says `true` when it is dropped, however the test goes on: what a thread of a scope runs until.
pub(crate) struct SayDone<'a>(pub(crate) &'a AtomicBool);

impl Drop for SayDone<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
