//! `orphans`: makes processes whose parent is gone, and times how long their zombies stay.
//!
//! They are copies of this process and not programs of their own, so that ten thousand of them are made within
//! a second and leave the machine to whoever reaps them.
#![expect(
    unsafe_code,
    reason = "fork(2): this process has one thread, so its copies may do whatever they like"
)]

use akv_bench::{
    event::{after, now},
    usage,
};
use nix::{
    sys::{signal::kill, wait::waitpid},
    unistd::{ForkResult, Pid, fork},
};
use std::{
    fs,
    io::{self, PipeReader, PipeWriter, Read as _, Write as _},
    path::Path,
    process, thread,
    time::Duration,
};

/// A zombie that is this old is not going to be reaped.
const PATIENCE: Duration = Duration::from_secs(1);

/// So many are enough to show that nobody reaps.
const ENOUGH_LEFT: usize = 10;

/// So many of a storm end at once. More would need more processes at a time than a container may have.
const BATCH: usize = 500;

/// Writes one line for each of `singles` orphans, the nanoseconds from its release until it was gone or
/// `left`, then `storm NANOSECONDS CPU LEFT` for `storm` of them, where CPU is what the parent spent on them.
pub(crate) fn measure(out: &Path, singles: &str, storm: &str) -> io::Result<()> {
    let number = |text: &str| text.parse::<usize>().map_err(io::Error::other);
    let mut lines = Vec::new();
    let mut all_left = 0;
    for _ in 0..number(singles)? {
        let (time, left) = Orphans::new(1)?.release_and_wait();
        if left == 0 {
            writeln!(lines, "{time}")?;
        } else {
            writeln!(lines, "left")?;
        }
        all_left += left;
        if all_left >= ENOUGH_LEFT {
            break;
        }
    }

    let used = || usage::cpu_time(Pid::parent()).map_err(io::Error::other);
    let (cpu, mut time, mut all_left) = (used()?, 0, 0);
    let mut pending = number(storm)?;
    while pending > 0 && all_left < ENOUGH_LEFT {
        let count = pending.min(BATCH);
        let (took, left) = Orphans::new(count)?.release_and_wait();
        time += took;
        all_left += left;
        pending -= count;
    }
    let cpu = used()?.saturating_sub(cpu).as_nanos();
    writeln!(lines, "storm {time} {cpu} {all_left}")?;
    fs::write(out, lines)
}

/// Some orphans, and what holds them back.
struct Orphans {
    pids: Vec<Pid>,
    hold: Option<PipeWriter>,
}

impl Orphans {
    fn new(count: usize) -> io::Result<Self> {
        let (gate, hold) = io::pipe()?;
        let (mut ids, tell) = io::pipe()?;
        // SAFETY: see the top of the file.
        let parent = match unsafe { fork() }? {
            ForkResult::Child => {
                drop((hold, ids));
                process::exit(i32::from(leave(count, &gate, tell).is_err()))
            }
            ForkResult::Parent { child } => child,
        };
        drop(tell);
        let mut bytes = Vec::new();
        ids.read_to_end(&mut bytes)?;
        waitpid(parent, None)?;
        let (words, _) = bytes.as_chunks();
        let pids: Vec<Pid> = words.iter().map(|word| Pid::from_raw(i32::from_ne_bytes(*word))).collect();
        if pids.len() < count {
            return Err(io::Error::other(format!("only {} of {count} processes could be made", pids.len())));
        }
        Ok(Self { pids, hold: Some(hold) })
    }

    /// Lets them end; nanoseconds until the last was gone, and how many never went.
    fn release_and_wait(&mut self) -> (u64, usize) {
        let many = self.pids.len() > 1;
        let start = now();
        self.hold = None;
        loop {
            self.pids.retain(|pid| kill(*pid, None).is_ok());
            let time = now();
            if self.pids.is_empty() || time > after(start, PATIENCE) {
                return (time - start, self.pids.len());
            }
            // Who ends and who reaps may have to run on this very processor.
            if many {
                thread::sleep(Duration::from_micros(500));
            } else {
                thread::yield_now();
            }
        }
    }
}

/// Makes processes that end when `gate` does, says who they are, and leaves them.
fn leave(count: usize, mut gate: &PipeReader, mut tell: PipeWriter) -> io::Result<()> {
    for _ in 0..count {
        // SAFETY: see the top of the file.
        match unsafe { fork() }? {
            ForkResult::Child => {
                drop(tell);
                process::exit(i32::from(gate.read_to_end(&mut Vec::new()).is_err()));
            }
            ForkResult::Parent { child } => tell.write_all(&child.as_raw().to_ne_bytes())?,
        }
    }
    Ok(())
}
