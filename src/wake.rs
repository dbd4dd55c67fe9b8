//! How another thread wakes the main loop: an eventfd, so that a wake-up is one readable descriptor among
//! the others of the loop and any number of them merge into one.

use nix::sys::eventfd::{EfdFlags, EventFd};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::Arc,
};

/// The main loop's end. Clone a [`Waker`] off it for every thread that may wake the loop.
#[derive(Debug)]
pub struct WakeReceiver(Arc<EventFd>);

/// Wakes the main loop; carries nothing.
#[derive(Debug, Clone)]
pub struct Waker(Arc<EventFd>);

impl WakeReceiver {
    /// A fresh pair's receiving end.
    pub fn new() -> io::Result<Self> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Self(Arc::new(EventFd::from_value_and_flags(0, flags)?)))
    }

    /// A handle that wakes this receiver.
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.0))
    }

    /// Takes all wake-ups that have arrived; says whether there was one.
    pub fn take(&self) -> bool {
        self.0.read().is_ok()
    }
}

impl AsFd for WakeReceiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Waker {
    /// Wakes the loop. Never blocks: a full counter means that a wake-up is pending already.
    pub fn wake(&self) {
        let _ = self.0.write(1);
    }
}
