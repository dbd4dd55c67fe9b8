//! `orphans`: makes processes whose parent is gone, and times how long their zombies stay.

use akv_bench::event::{after, now};
use nix::{sys::signal::kill, unistd::Pid};
use std::{
    env, fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// A zombie that is this old is not going to be reaped.
const PATIENCE: Duration = Duration::from_secs(1);

/// So many are enough to show that nobody reaps.
const ENOUGH_LEFT: u32 = 10;

/// Writes one line for each of `singles` orphans, the nanoseconds from its release until it was gone or
/// `left`, then `burst NANOSECONDS LEFT`.
pub(crate) fn measure(out: &Path, singles: &str, burst: &str) -> io::Result<()> {
    let number = |text: &str| text.parse::<usize>().map_err(io::Error::other);
    let mut lines = Vec::new();
    let mut left = 0;
    for _ in 0..number(singles)? {
        let mut orphans = Orphans::new(1)?;
        let (time, zombies) = orphans.release_and_wait();
        if zombies == 0 {
            writeln!(lines, "{time}")?;
        } else {
            writeln!(lines, "left")?;
            left += 1;
        }
        if left == ENOUGH_LEFT {
            break;
        }
    }
    let (time, left) = Orphans::new(number(burst)?)?.release_and_wait();
    writeln!(lines, "burst {time} {left}")?;
    fs::write(out, lines)
}

/// Some orphans, and what holds them back.
struct Orphans {
    pids: Vec<Pid>,
    hold: Option<io::PipeWriter>,
}

impl Orphans {
    fn new(count: usize) -> io::Result<Self> {
        let program = env::current_exe()?;
        let (reader, writer) = io::pipe()?;
        let mut pids = Vec::with_capacity(count);
        for _ in 0..count {
            let mut parent = Command::new(&program)
                .arg("orphan-parent")
                .stdin(reader.try_clone()?)
                .stdout(Stdio::piped())
                .spawn()?;
            let mut line = String::new();
            let stdout = parent.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
            BufReader::new(stdout).read_line(&mut line)?;
            parent.wait()?;
            pids.push(Pid::from_raw(line.trim().parse().map_err(io::Error::other)?));
        }
        Ok(Self { pids, hold: Some(writer) })
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

/// Starts an orphan and leaves it.
pub(crate) fn parent() -> io::Result<()> {
    Command::new(env::current_exe()?).arg("orphan").spawn()?;
    Ok(())
}

/// Says who it is, and ends when it is let go.
pub(crate) fn orphan() -> io::Result<()> {
    writeln!(io::stdout(), "{}", std::process::id())?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}
