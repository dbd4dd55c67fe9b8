//! Signals as readable events: blocked for all threads, taken from a signalfd in the main loop.
//!
//! They are blocked before anything else happens, so that none is lost or does its default action while
//! the agent starts, and before a child is started. A child gets an empty mask when it is.

use crate::sys;
use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    sync::OnceLock,
};

/// Which signals the agent takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those that concern the agent: SIGTERM, SIGINT, SIGQUIT, SIGHUP, and SIGCHLD for its commands.
    Own,
    /// All that can be forwarded to a child, and SIGCHLD.
    All,
}

/// How many to take before something else is done: whoever sends them as fast as they are taken must not keep the
/// agent from all other work.
pub const MOST_AT_ONCE: usize = 100;

/// The signals that have been taken over.
#[derive(Debug)]
pub struct Signals(SignalFd);

/// These report a fault of the agent itself; blocking them would only hide it. SIGPIPE is ignored by the
/// standard library, and comes from the agent's own writes.
const NEVER: [Signal; 8] = [
    Signal::SIGABRT,
    Signal::SIGBUS,
    Signal::SIGFPE,
    Signal::SIGILL,
    Signal::SIGPIPE,
    Signal::SIGSEGV,
    Signal::SIGSYS,
    Signal::SIGTRAP,
];

const OWN: [Signal; 5] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP, Signal::SIGCHLD];

impl Signals {
    /// Blocks the signals for this thread and all that it starts later, and opens the signalfd.
    pub fn take_over(which: Which) -> io::Result<Self> {
        let mask = match which {
            Which::Own => OWN.into_iter().collect(),
            Which::All => all(),
        };
        mask.thread_block()?;
        let _ = TAKEN.set(mask);
        Ok(Self(SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// The next signal that has arrived, by number.
    pub fn next(&self) -> Option<i32> {
        let info = self.0.read_signal().ok()??;
        i32::try_from(info.ssi_signo).ok()
    }
}

fn all() -> SigSet {
    let mut all = sys::every_signal();
    for signal in NEVER {
        all.remove(signal);
    }
    all
}

/// What [`Signals::take_over`] blocked.
static TAKEN: OnceLock<SigSet> = OnceLock::new();

/// Blocks for this thread once more what was taken over. musl lets go of the signals that it uses itself
/// (32 to 34) whenever it restores a mask: in a new thread, in whoever started it, and in whoever started a
/// process by way of the standard library.
pub fn hold() {
    if let Some(mask) = TAKEN.get() {
        // It can only fail for a wrong argument.
        let _ = mask.thread_block();
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
