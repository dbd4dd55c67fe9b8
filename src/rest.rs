//! What the agent does when it has nothing to do: it gives up the memory that only its work needs.
//!
//! Most of what is resident of an agent is its own program, page by page as it was executed, and an agent waits
//! for hours between one change and the next. At rest it unmaps what it has executed; the pages stay in the page
//! cache, from where they come back when they are executed again, but they count as nobody's and the kernel may
//! take them first when the node or the container runs short. That holds for what the background thread executes
//! as well: it wakes a loop that rests, by [`crate::wake::Waker::worked`].

use std::time::{Duration, Instant};

/// How long nothing has to happen: longer than the parts of one piece of work are apart. To come back costs some
/// tens of microseconds, which a burst of work is to pay once at most.
const CALM: Duration = Duration::from_secs(1);

/// When the agent rests next. To rest is to call [`crate::sys::unmap_program`] and to wait right after it: what is
/// executed in between comes back.
#[derive(Debug)]
pub struct Rest(Option<Instant>);

impl Rest {
    /// Of an agent that begins to work.
    pub fn new(now: Instant) -> Self {
        Self(Some(now + CALM))
    }

    /// The loop was woken at `now`, by whatever: unless it was for the rest, that is put off.
    pub fn wake(&mut self, now: Instant) {
        if self.0.is_none_or(|at| at > now) {
            self.0 = Some(now + CALM);
        }
    }

    /// Whether it is time, which it then is not any more.
    pub fn take(&mut self, now: Instant) -> bool {
        self.0.take_if(|at| *at <= now).is_some()
    }

    /// When to [`Rest::take`].
    pub fn due(&self) -> Option<Instant> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rest_comes_once_after_work_and_not_during_it() {
        let start = Instant::now();
        let mut rest = Rest::new(start);
        assert_eq!(rest.due(), Some(start + CALM));
        let work = start + CALM / 2;
        rest.wake(work);
        assert!(!rest.take(work));
        assert_eq!(rest.due(), Some(work + CALM), "work puts it off");
        rest.wake(work + CALM);
        assert!(rest.take(work + CALM));
        assert_eq!(rest.due(), None, "a wake-up for the rest itself leads to no other one");
        let later = work + CALM * 60;
        rest.wake(later);
        assert_eq!(rest.due(), Some(later + CALM), "the next work does");
    }
}
