//! How another thread wakes the main loop: an eventfd, so that a wake-up is one readable descriptor among
//! the others of the loop and any number of them merge into one. And how it tells a loop that rests that it has
//! worked itself, which is one reason to wake and none to look at anything.

use nix::sys::eventfd::{EfdFlags, EventFd};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// The main loop's end. Clone a [`Waker`] off it for every thread that may wake the loop.
#[derive(Debug)]
pub struct WakeReceiver(Arc<Shared>);

/// Wakes the main loop; carries nothing.
#[derive(Debug, Clone)]
pub struct Waker(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    event: EventFd,
    /// Whether there is something to look at.
    has_news: AtomicBool,
    /// Whether the loop rests, and nobody has told it of work since.
    rests: AtomicBool,
}

impl WakeReceiver {
    /// A fresh pair's receiving end.
    pub fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let event = EventFd::from_value_and_flags(0, flags)?;
        Ok(Self(Arc::new(Shared { event, has_news: AtomicBool::new(false), rests: AtomicBool::new(false) })))
    }

    /// A handle that wakes this receiver.
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.0))
    }

    /// Takes all wake-ups that have arrived; says whether there is something to look at.
    pub fn take(&self) -> bool {
        // In this order: who says that there is something does it before the event.
        let _ = self.0.event.read();
        self.0.has_news.swap(false, Ordering::AcqRel)
    }

    /// The loop rests from now on: [`Waker::worked`] wakes it once.
    pub fn rests(&self) {
        self.0.rests.store(true, Ordering::Relaxed);
    }
}

impl AsFd for WakeReceiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.event.as_fd()
    }
}

impl Waker {
    /// Wakes the loop to look at something. Never blocks: a full counter means that a wake-up is pending already.
    pub fn wake(&self) {
        self.0.has_news.store(true, Ordering::Release);
        let _ = self.0.event.write(1);
    }

    /// The calling thread has worked and goes to wait. A loop that rests is woken, to rest anew.
    pub fn worked(&self) {
        if self.0.rests.swap(false, Ordering::Relaxed) {
            let _ = self.0.event.write(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the loop would wake.
    fn is_readable(receiver: &WakeReceiver) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        poll(&mut [PollFd::new(receiver.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO) == Ok(1)
    }

    #[test]
    fn wake_ups_merge_until_they_are_taken() {
        let receiver = WakeReceiver::new().unwrap();
        let waker = receiver.waker();
        assert!(!is_readable(&receiver) && !receiver.take());
        waker.wake();
        waker.clone().wake();
        assert!(is_readable(&receiver) && receiver.take());
        assert!(!is_readable(&receiver) && !receiver.take());
    }

    #[test]
    fn work_wakes_a_loop_that_rests_once_and_is_nothing_to_look_at() {
        let receiver = WakeReceiver::new().unwrap();
        let waker = receiver.waker();
        waker.worked();
        assert!(!is_readable(&receiver), "a loop that works rests later anyway");
        receiver.rests();
        waker.worked();
        assert!(is_readable(&receiver) && !receiver.take());
        waker.worked();
        assert!(!is_readable(&receiver), "it was told already");
        receiver.rests();
        waker.worked();
        waker.wake();
        assert!(receiver.take(), "news are news");
    }
}
