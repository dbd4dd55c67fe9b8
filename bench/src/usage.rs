//! What a process uses, from /proc and its CPU clock.

use anyhow::Context as _;
use nix::{
    sys::{
        resource::{UsageWho, getrusage},
        time::TimeValLike as _,
    },
    time::{clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};
use std::{fs, time::Duration};

/// Memory in KiB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// Everything that is resident.
    pub resident: u64,
    /// The same, with what is shared divided among the processes that share it.
    pub proportional: u64,
    /// What is backed by no file: heap, stacks, written data.
    pub anonymous: u64,
}

/// The memory of one process.
pub fn memory(pid: Pid) -> anyhow::Result<Memory> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| path.clone())?;
    let field = |name| field(&text, name).with_context(|| format!("{path} has no {name}"));
    Ok(Memory { resident: field("Rss")?, proportional: field("Pss")?, anonymous: field("Anonymous")? })
}

/// How many threads there are.
pub fn threads(pid: Pid) -> anyhow::Result<u64> {
    status(&format!("/proc/{pid}/status"), "Threads")
}

/// How often all present threads together have gone to sleep of their own accord.
pub fn voluntary_switches(pid: Pid) -> anyhow::Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let path = task?.path().join("status");
        sum += status(&path.display().to_string(), "voluntary_ctxt_switches")?;
    }
    Ok(sum)
}

/// The CPU time of all threads, past and present.
pub fn cpu_time(pid: Pid) -> anyhow::Result<Duration> {
    Ok(clock_gettime(clock_getcpuclockid(pid)?)?.into())
}

/// The CPU time of all processes that ended and were reaped, here or by those.
pub fn cpu_time_of_reaped() -> anyhow::Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let time = usage.user_time() + usage.system_time();
    let micros = time.num_microseconds().try_into().context("a CPU time is not negative")?;
    Ok(Duration::from_micros(micros))
}

/// Bytes of the program that a process runs.
pub fn program_size(pid: Pid) -> anyhow::Result<u64> {
    let path = format!("/proc/{pid}/exe");
    Ok(fs::metadata(&path).with_context(|| path.clone())?.len())
}

fn status(path: &str, name: &str) -> anyhow::Result<u64> {
    let text = fs::read_to_string(path).with_context(|| path.to_owned())?;
    field(&text, name).with_context(|| format!("{path} has no {name}"))
}

/// The number in a line `NAME: NUMBER`.
fn field(text: &str, name: &str) -> Option<u64> {
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = lines.into_iter().find(|(key, _)| *key == name)?;
    value.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::{process::Command, thread, time::Instant};

    #[test]
    fn the_kernel_says_what_this_process_uses() {
        let own = Pid::this();
        let memory = memory(own).unwrap();
        assert!(memory.resident >= memory.proportional && memory.resident > memory.anonymous);
        assert!(threads(own).unwrap() >= 1);
        let before = cpu_time(own).unwrap();
        let start = Instant::now();
        while cpu_time(own).unwrap() == before {
            assert!(start.elapsed() < Duration::from_secs(10), "a process that works uses CPU time");
        }
        voluntary_switches(own).unwrap();
        assert_eq!(program_size(own).unwrap(), fs::metadata(std::env::current_exe().unwrap()).unwrap().len());
    }

    #[test]
    fn what_a_process_used_counts_once_it_is_reaped() {
        let before = cpu_time_of_reaped().unwrap();
        let mut child = Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        let start = Instant::now();
        while cpu_time(pid).unwrap() < Duration::from_millis(20) {
            assert!(start.elapsed() < Duration::from_secs(20), "a process that works uses CPU time");
            thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(cpu_time_of_reaped().unwrap() >= before + Duration::from_millis(10));
    }

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let text =
            "nonvoluntary_ctxt_switches:\t9\nvoluntary_ctxt_switches:\t7\nPss_Dirty: 1 kB\nPss:  12 kB\n";
        assert_eq!(field(text, "voluntary_ctxt_switches"), Some(7));
        assert_eq!(field(text, "Pss"), Some(12));
        assert_eq!(field(text, "Rss"), None);
    }
}
