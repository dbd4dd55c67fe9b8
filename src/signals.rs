//! Signals as readable events: blocked for all threads, taken from a signalfd in the main loop.
//!
//! They are blocked before anything else happens, so that none is lost or does its default action while
//! the agent starts, and before a child is started. A child gets an empty mask when it is.
//!
//! Signals of faults (SIGSEGV, SIGABRT and so on) can be among them, since one that is blocked is held back only if
//! somebody has sent it. One that the kernel raises for what a thread has just done ends the process all the same,
//! and abort(3) unblocks its own. The handler of the standard library, which would say that a stack has
//! overflowed, is passed over then.

use crate::sys;
use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};
use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    process,
    sync::OnceLock,
};

/// Which signals the agent takes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those that concern the agent: SIGTERM, SIGINT, SIGQUIT, SIGHUP, and SIGCHLD for its commands.
    Own,
    /// All that there are: SIGCHLD for the agent, the others for its child.
    All,
}

/// How many to take before something else is done: whoever sends them as fast as they are taken must not keep the
/// agent from all other work.
pub const MOST_AT_ONCE: usize = 100;

/// The signals that have been taken over.
#[derive(Debug)]
pub struct Signals(SignalFd);

const OWN: [Signal; 5] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGHUP, Signal::SIGCHLD];

impl Signals {
    /// Blocks the signals for this thread and all that it starts later, and opens the signalfd.
    pub fn take_over(which: Which) -> io::Result<Self> {
        let mask = match which {
            Which::Own => OWN.into_iter().collect(),
            Which::All => sys::every_signal(),
        };
        mask.thread_block()?;
        let _ = TAKEN.set(mask);
        Ok(Self(SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?))
    }

    /// The next signal that has arrived, by number.
    pub fn next(&self) -> Option<i32> {
        loop {
            let info = self.0.read_signal().ok()??;
            let signal = i32::try_from(info.ssi_signo).ok()?;
            // A write of ours to somebody who no longer reads; the write has already told us.
            let is_own_write = signal == libc::SIGPIPE && info.ssi_pid == process::id();
            if !is_own_write {
                return Some(signal);
            }
        }
    }
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
