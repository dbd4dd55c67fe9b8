//! Executing a program: in a new process, or in place of this one.
//!
//! A new process shares the memory of this one until it executes its program (`CLONE_VM`), while the thread
//! that made it waits (`CLONE_VFORK`). So no page table is copied, whatever our size, and what goes wrong is
//! simply written where that thread reads it. The price is that the new process must not touch anything of
//! ours but what was prepared for it: it allocates nothing, takes no lock, runs no handler, cannot panic, and
//! calls only what is async-signal-safe.
//!
//! Unlike `posix_spawn(3)` of a C library this leaves the caller's signal mask alone, resets every disposition
//! (libraries keep some signals out of reach) and can move to the terminal's foreground before the exec.

use libc::{c_char, c_int, c_long, c_void};
use std::{
    ffi::{CStr, CString},
    io,
    mem::MaybeUninit,
    os::fd::{AsRawFd, BorrowedFd, RawFd},
    ptr,
};

/// A program as execve(2) takes it, and what else decides how it finds its process.
///
/// No signal will be blocked or ignored, whoever ignored or blocked it.
#[derive(Debug)]
pub struct Execution<'a> {
    /// The file.
    pub file: &'a CStr,
    /// Its own name first.
    pub arguments: &'a [CString],
    /// `NAME=value` each.
    pub environment: &'a [CString],
    /// One more variable: its value is the id of the process, which nobody knows before there is one.
    pub pid_variable: Option<&'a CStr>,
    /// Descriptors of ours, and the numbers that they get. All others go by their `FD_CLOEXEC`.
    pub descriptors: &'a [(BorrowedFd<'a>, RawFd)],
}

/// What only a new process can be told.
#[derive(Debug, Default)]
pub struct Birth<'a> {
    /// The controlling terminal, of which its process group becomes the foreground.
    pub terminal: Option<BorrowedFd<'a>>,
    /// What it gets when the thread that made it ends, or has ended. prctl(2), `PR_SET_PDEATHSIG`.
    pub parent_death_signal: Option<c_int>,
}

/// Why a program was not executed.
#[derive(Debug)]
pub enum ExecError {
    /// There was no process for it, or the process could not be made ready.
    Process(io::Error),
    /// execve(2) did not take it.
    Exec(io::Error),
}

/// Executes a program in a new process, which leads a process group of its own, and returns its id.
///
/// Waits until the program has been loaded or refused, and cannot be interrupted in that, as after every
/// vfork(2): whoever stops the new process before it has got that far stops us as well, until it is continued.
/// In between nobody else may reap: a process that is refused is reaped here.
pub fn spawn(execution: &Execution<'_>, birth: &Birth<'_>) -> Result<i32, ExecError> {
    let mut child = Child {
        image: Image::new(execution),
        terminal: birth.terminal.map(|terminal| terminal.as_raw_fd()),
        parent_death_signal: birth.parent_death_signal,
        // SAFETY: it takes nothing and cannot fail.
        parent: unsafe { libc::getpid() },
        refused: None,
    };
    let mut stack = Stack([MaybeUninit::uninit(); STACK]);
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: `stack` is memory that nothing else uses, with its end aligned as the ABI wants it, and more than
    // `run_child` needs. Both it and `child` outlive their use, because `CLONE_VFORK` lets us go on only when
    // the new process has left our memory, by its exec or its end. Until then it alone uses them.
    let pid = unsafe {
        let end = stack.0.as_mut_ptr().add(STACK).cast::<c_void>();
        libc::clone(run_child, end, flags, (&raw mut child).cast())
    };
    if pid < 0 {
        return Err(ExecError::Process(io::Error::last_os_error()));
    }
    match child.refused.take() {
        None => Ok(pid),
        Some(refusal) => {
            reap(pid);
            Err(refusal.into())
        }
    }
}

/// Executes a program in place of this one. Returns only if that failed, and then with signals already reset
/// and descriptors already moved, so that little more can be done than to say why.
pub fn replace(execution: &Execution<'_>) -> ExecError {
    let mut image = Image::new(execution);
    // Another thread may still be about to close a descriptor whose number is given out here; let it do so in
    // a table of its own. Kernels before 5.9 do not know the call, and then that remains a remote possibility.
    // SAFETY: the range holds no descriptor, so nothing is closed.
    unsafe { libc::syscall(libc::SYS_close_range, c_long::from(u32::MAX), c_long::from(u32::MAX), 2) };
    // SAFETY: this process may do anything that is async-signal-safe, and it has prepared the image itself.
    unsafe { image.execute() }.into()
}

/// Much more than is used, also without optimisation.
const STACK: usize = 16 << 10;

#[repr(align(16))]
struct Stack([MaybeUninit<u8>; STACK]);

/// What a new process works with.
struct Child<'a> {
    image: Image<'a>,
    terminal: Option<RawFd>,
    parent_death_signal: Option<c_int>,
    parent: c_int,
    /// Written by it, read by us.
    refused: Option<Refusal>,
}

/// At which step it ended, and with which error.
#[derive(Clone, Copy)]
enum Refusal {
    Process(c_int),
    Exec(c_int),
}

impl From<Refusal> for ExecError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Process(errno) => Self::Process(io::Error::from_raw_os_error(errno)),
            Refusal::Exec(errno) => Self::Exec(io::Error::from_raw_os_error(errno)),
        }
    }
}

/// The new process.
extern "C" fn run_child(child: *mut c_void) -> c_int {
    // SAFETY: this is what `spawn` has passed, and it waits for us before it looks at it again.
    let child = unsafe { &mut *child.cast::<Child<'_>>() };
    // SAFETY: this is a process of its own with a copy of our descriptors and dispositions, and `child` was
    // prepared by `spawn`.
    child.refused = Some(unsafe { child.start() });
    // Nobody sees this number: `spawn` reaps us.
    0
}

impl Child<'_> {
    /// Returns only if something went wrong.
    ///
    /// # Safety
    ///
    /// To be called in a new process only: all of it changes.
    unsafe fn start(&mut self) -> Refusal {
        // Handlers of ours must not run here, and to stop for taking the terminal would be a deadlock.
        // SAFETY: calls of the kernel with integers and pointers to what is ours; see `set_mask`.
        unsafe {
            set_mask(u64::MAX);
            if libc::setpgid(0, 0) < 0 {
                return Refusal::Process(errno());
            }
            if let Some(terminal) = self.terminal {
                // That the terminal has gone is not our business: the program will see.
                libc::tcsetpgrp(terminal, libc::getpid());
            }
            if let Some(signal) = self.parent_death_signal {
                if libc::prctl(libc::PR_SET_PDEATHSIG, c_long::from(signal)) < 0 {
                    return Refusal::Process(errno());
                }
                // Whoever died before that call is not reported by it. A parent of another PID namespace is 0.
                let parent = libc::getppid();
                if parent != self.parent && parent != 0 {
                    libc::kill(libc::getpid(), signal);
                }
            }
            self.image.execute()
        }
    }
}

/// A program in the form in which the kernel takes it, so that nothing is left to allocate.
struct Image<'a> {
    execution: &'a Execution<'a>,
    /// Ends with a null pointer.
    arguments: Vec<*const c_char>,
    /// The same; before that is the place of `pid_variable`, if one is wanted.
    environment: Vec<*const c_char>,
    /// `NAME=`, room for the digits of an id, and a NUL. Empty if it is not wanted.
    pid_variable: Vec<u8>,
    /// Where its digits go.
    digits: usize,
    /// A place for a copy of each descriptor that is moved.
    copies: Vec<RawFd>,
}

/// Enough for a `pid_t`.
const DIGITS: usize = 10;

impl<'a> Image<'a> {
    fn new(execution: &'a Execution<'a>) -> Self {
        let name = execution.pid_variable.map(CStr::to_bytes);
        let pid_variable = name.map_or_else(Vec::new, |name| [name, b"=", &[0; DIGITS + 1]].concat());
        let digits = name.map_or(0, |name| name.len() + 1);
        let pointers = |strings: &[CString]| strings.iter().map(|string| string.as_ptr()).collect::<Vec<_>>();
        let mut arguments = pointers(execution.arguments);
        arguments.push(ptr::null());
        let mut environment = pointers(execution.environment);
        environment.extend(name.map(|_| ptr::null()));
        environment.push(ptr::null());
        let copies = vec![-1; execution.descriptors.len()];
        Self { execution, arguments, environment, pid_variable, digits, copies }
    }

    /// Gives the process what was asked for, and executes the program. Returns only if that failed.
    ///
    /// # Safety
    ///
    /// The process must be one that may lose its dispositions, mask and descriptors.
    unsafe fn execute(&mut self) -> Refusal {
        // SAFETY: `reset_dispositions` and `set_mask` say it themselves, the caller answers for the process.
        // The arrays are null-terminated and point to NUL-terminated strings, which `execution` and `self` own.
        unsafe {
            if let Err(errno) = self.move_descriptors() {
                return Refusal::Process(errno);
            }
            self.name_process(libc::getpid());
            reset_dispositions();
            // What was sent to the process in the meantime, or to its group, now does what it does by default.
            set_mask(0);
            libc::execve(self.execution.file.as_ptr(), self.arguments.as_ptr(), self.environment.as_ptr());
            Refusal::Exec(errno())
        }
    }

    /// Puts the id of the process into its environment.
    fn name_process(&mut self, pid: c_int) {
        if let ([.., place, _], false) = (&mut *self.environment, self.pid_variable.is_empty()) {
            write_digits(pid.unsigned_abs(), self.pid_variable.iter_mut().skip(self.digits));
            *place = self.pid_variable.as_ptr().cast();
        }
    }

    /// # Safety
    ///
    /// The descriptors that have the new numbers are lost.
    unsafe fn move_descriptors(&mut self) -> Result<(), c_int> {
        let moved = self.execution.descriptors;
        let above = moved.iter().map(|(_, to)| to.saturating_add(1)).max().unwrap_or(0);
        // A number that is given out may be that of a descriptor that is still needed, so all of them get
        // out of the way first.
        for ((from, _), copy) in moved.iter().zip(&mut self.copies) {
            // SAFETY: integers only; the copy is closed on exec.
            *copy = unsafe { libc::fcntl(from.as_raw_fd(), libc::F_DUPFD_CLOEXEC, above) };
            if *copy < 0 {
                return Err(errno());
            }
        }
        for ((_, to), copy) in moved.iter().zip(&self.copies) {
            // SAFETY: integers only. What has that number is lost, as the caller knows.
            if unsafe { libc::dup2(*copy, *to) } < 0 {
                return Err(errno());
            }
        }
        Ok(())
    }
}

/// Writes a number in decimal and leaves the rest as it is.
fn write_digits<'a>(number: u32, mut places: impl Iterator<Item = &'a mut u8>) {
    let mut power: u32 = 1_000_000_000;
    while power > 0 {
        if number >= power || power == 1 {
            let digit = (number / power % 10) as u8;
            if let Some(place) = places.next() {
                *place = b'0' + digit;
            }
        }
        power /= 10;
    }
}

/// The error of the last call. It needs no allocation, unlike what the standard library makes of it.
fn errno() -> c_int {
    // SAFETY: it is this thread's own. A new process shares it with the thread that waits for it.
    unsafe { *libc::__errno_location() }
}

/// The kernel's set of signals has 64 bits.
const SIGNAL_SET: usize = size_of::<u64>();

/// Blocks exactly these signals. Asks the kernel itself, since C libraries leave out signals of their own.
fn set_mask(mask: u64) {
    let none = ptr::null_mut::<u64>();
    // SAFETY: `mask` is a set of the size that is given, which the kernel reads, and no old one is asked for.
    unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, none, SIGNAL_SET);
    }
}

/// Gives every signal its default disposition. It is refused for SIGKILL and SIGSTOP, which have no other.
fn reset_dispositions() {
    // The kernel's own `struct sigaction`, which no library declares; SIG_DFL, no flags and an empty mask are
    // all zero, whatever the order of its fields.
    let default = [0_u64; 8];
    for signal in 1..=64 {
        // SAFETY: `default` is at least as long as what the kernel reads, and a default runs no code of ours.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                default.as_ptr(),
                ptr::null_mut::<u64>(),
                SIGNAL_SET,
            );
        }
    }
}

/// Waits for the end of a process that is ending.
fn reap(pid: c_int) {
    // SAFETY: a null status is allowed, and the other arguments are integers.
    while unsafe { libc::waitpid(pid, ptr::null_mut(), 0) } < 0 && errno() == libc::EINTR {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    /// Runs a shell script and returns its exit code.
    fn run(script: &CStr) -> c_int {
        let execution = Execution {
            file: c"/bin/sh",
            arguments: &[c"sh", c"-c", script].map(CStr::to_owned),
            environment: &[],
            pid_variable: Some(c"SELF"),
            descriptors: &[],
        };
        let pid = spawn(&execution, &Birth::default()).expect("a shell starts");
        let mut status = 0;
        // SAFETY: `status` is a valid int for the call to fill.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
        assert!(libc::WIFEXITED(status), "{status:#x}");
        libc::WEXITSTATUS(status)
    }

    #[test]
    fn no_signal_gets_through_while_a_process_is_started() {
        // In a thread of its own, which takes its mask and what is pending with it.
        let thread = thread::spawn(|| {
            set_mask(u64::MAX);
            // Those that a C library lets through when it puts back a mask are among them. Were one of them not
            // blocked for an instant, it would end this process.
            for signal in [32, 33, 34, 35, libc::SIGTERM] {
                // SAFETY: integers only.
                let sent = unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), libc::gettid(), signal) };
                assert_eq!(sent, 0);
            }
            run(c"exit 3")
        });
        assert_eq!(thread.join().expect("no panic"), 3);
    }

    #[test]
    fn a_process_knows_its_own_id() {
        assert_eq!(run(c"[ $SELF = $$ ]"), 0);
    }

    #[test]
    fn a_process_id_is_written_without_leading_zeros() {
        for number in [0, 1, 9, 10, 4_194_304, 2_147_483_647] {
            let mut room = *b"..........\0";
            write_digits(number, room.iter_mut());
            let text = String::from_utf8_lossy(&room).trim_end_matches(['.', '\0']).to_owned();
            assert_eq!(text, number.to_string());
        }
    }
}
