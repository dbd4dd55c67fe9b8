//! The only module with `unsafe`: kernel calls for which the libraries in use have no safe wrapper, or none that
//! does what is needed.
#![expect(unsafe_code, reason = "system calls without a safe wrapper; each block says why it is sound")]

mod spawn;
mod unmap;

pub use spawn::{Birth, ExecError, Execution, replace, spawn};
pub use unmap::unmap_program;

use nix::{
    NixPath as _,
    sys::signal::{SigSet, Signal},
};
use std::{
    io,
    os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd},
};

/// A handle on the process that has the id `pid` now; it never comes to mean another one. `pidfd_open(2)`.
pub fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two integers and touches no memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    #[expect(clippy::cast_possible_truncation, reason = "descriptors are ints")]
    // SAFETY: the kernel has just given us this descriptor, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Sends `signal` to the process behind `pidfd`. `pidfd_send_signal(2)`.
pub fn pidfd_send_signal(pidfd: impl AsFd, signal: i32) -> io::Result<()> {
    let fd = pidfd.as_fd().as_raw_fd();
    let info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo is allowed, and the other arguments are integers.
    match unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, info, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Sends `signal` to a process, or to a process group if `pid` is negative. kill(2).
///
/// Unlike `nix`, it can send real-time signals, which a transparent parent has to forward too.
pub fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: the call takes two integers and touches no memory of ours.
    match unsafe { libc::kill(pid, signal) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Takes one piece of news of a child, if there is any: its id and its wait status. One that has ended is
/// reaped by that; one that was stopped or continued is reported as well. waitpid(2).
///
/// Unlike `nix`, it does not lose a child that a real-time signal ended.
pub fn wait_any() -> Option<(i32, i32)> {
    let mut status = 0;
    let options = libc::WNOHANG | libc::WUNTRACED | libc::WCONTINUED;
    loop {
        // SAFETY: `status` is a valid int for the call to fill.
        match unsafe { libc::waitpid(-1, &raw mut status, options) } {
            -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => (),
            pid if pid > 0 => return Some((pid, status)),
            _ => return None,
        }
    }
}

/// What the link `name` in `directory` points to, as much of it as `buffer` takes. readlinkat(2).
///
/// Unlike `nix`, it takes no memory from the heap: for a buffer that holds any path the allocator goes to the
/// kernel and back.
pub fn read_link<'b>(directory: impl AsFd, name: &str, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
    let directory = directory.as_fd().as_raw_fd();
    let (start, size) = (buffer.as_mut_ptr().cast(), buffer.len());
    // SAFETY: the name ends with a NUL, and the call writes no more than the buffer's size to its start.
    let length =
        name.with_nix_path(|name| unsafe { libc::readlinkat(directory, name.as_ptr(), start, size) })?;
    let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
    Ok(&buffer[..length])
}

/// Every signal that the kernel has.
///
/// A C library leaves out those that it uses itself, and which those are differs: SIGRTMIN of a program built
/// with glibc is one that musl keeps to itself, and it has to be forwarded all the same. (musl uses it to
/// synchronise set*id calls over threads, which the agent does not make.)
pub fn every_signal() -> SigSet {
    let mut set = *SigSet::all().as_ref();
    // SAFETY: a sigset_t is plain bits, at least 64 of them, of which the kernel reads the first 64.
    unsafe {
        (&raw mut set).cast::<u64>().write_unaligned(u64::MAX);
        SigSet::from_sigset_t_unchecked(set)
    }
}

/// Gives a signal its default disposition back. signal(2).
pub fn reset_disposition(signal: Signal) {
    // SAFETY: setting a default disposition runs no code of ours.
    unsafe { libc::signal(signal as i32, libc::SIG_DFL) };
}

/// How many of the ticks in which `/proc` tells times make a second. sysconf(3).
pub fn clock_ticks_per_second() -> u64 {
    // SAFETY: the call takes an integer and touches no memory of ours.
    let ticks = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    // Every kernel has them, and 100 on all machines that we are built for.
    u64::try_from(ticks).ok().filter(|ticks| *ticks > 0).unwrap_or(100)
}
