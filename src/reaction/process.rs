//! Other processes as `/proc` shows them. What is read may be old news the moment after: a process can end at
//! any time, and then all that is known here is that it is gone.

use crate::sys;
use nix::{
    time::{ClockId, clock_gettime},
    unistd::getpid,
};
use std::{
    fs::{self, File},
    io::{self, Read as _},
    iter,
    sync::OnceLock,
    time::{Duration, SystemTime},
};

/// More than any line of ancestors has; only one that changes while it is read could be longer.
const MOST_ANCESTORS: usize = 1024;

/// A moment on the kernel's clock that starts with the machine and goes on while it sleeps: the one on which
/// it notes when a process is started. Nobody sets it, so it says what was earlier where the time of day
/// cannot. After a restart of the machine its old values mean nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootTime(Duration);

impl BootTime {
    /// This moment. `CLOCK_BOOTTIME`.
    pub fn now() -> io::Result<Self> {
        Ok(Self(clock_gettime(ClockId::CLOCK_BOOTTIME)?.into()))
    }

    /// How long after the machine's start.
    #[cfg(test)]
    pub(super) const fn since_boot(self) -> Duration {
        self.0
    }

    /// The moment that long after the machine's start.
    #[cfg(test)]
    pub(super) const fn from_boot(after: Duration) -> Self {
        Self(after)
    }
}

/// When a process was started. The kernel tells it in whole ticks of a hundredth of a second, so whatever
/// happened within the same tick may have been before or after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StartTime {
    ticks: u64,
}

impl StartTime {
    /// That of a process that is started at this moment.
    pub fn of(moment: BootTime) -> Self {
        let tick = Duration::from_secs(1) / u32::try_from(ticks_per_second()).unwrap_or(u32::MAX);
        let ticks = moment.0.as_nanos() / tick.as_nanos().max(1);
        Self { ticks: u64::try_from(ticks).unwrap_or(u64::MAX) }
    }

    /// Whether the process was started after this moment, beyond doubt.
    pub fn is_after(self, moment: BootTime) -> bool {
        ticks_until(self.ticks) > moment.0
    }

    /// Whether the process was started before this moment, beyond doubt.
    pub fn is_before(self, moment: BootTime) -> bool {
        ticks_until(self.ticks.saturating_add(1)) <= moment.0
    }

    /// The first moment at which it can have been.
    pub fn earliest(self) -> BootTime {
        BootTime(ticks_until(self.ticks))
    }

    /// The time of day that it was then, by today's setting of the clock. `None` if the clocks cannot tell.
    pub fn time_of_day(self) -> Option<SystemTime> {
        let ago = BootTime::now().ok()?.0.saturating_sub(self.earliest().0);
        SystemTime::now().checked_sub(ago)
    }
}

fn ticks_per_second() -> u64 {
    static PER_SECOND: OnceLock<u64> = OnceLock::new();
    *PER_SECOND.get_or_init(sys::clock_ticks_per_second)
}

fn ticks_until(ticks: u64) -> Duration {
    let per_second = ticks_per_second();
    let rest = u32::try_from(ticks % per_second).unwrap_or_default();
    let one = Duration::from_secs(1) / u32::try_from(per_second).unwrap_or(u32::MAX);
    Duration::from_secs(ticks / per_second) + one * rest
}

/// When the process was started, if there is one. An exec does not change it. A process id and this together
/// are one process for as long as the machine runs.
pub fn started_at(pid: i32) -> Option<StartTime> {
    Some(Stat::of(pid)?.started)
}

/// Whether `/proc` is there, and numbers processes as the kernel does for the agent: one that was mounted for
/// another PID namespace would lead to the wrong ones.
pub fn check_proc() -> io::Result<()> {
    let own = fs::read_link("/proc/self")?;
    if own.to_str().and_then(|pid| pid.parse().ok()) == Some(getpid().as_raw()) {
        return Ok(());
    }
    Err(io::Error::other("it is that of another PID namespace"))
}

/// The ids of all processes that can be seen, in no order.
pub fn all() -> io::Result<impl Iterator<Item = i32>> {
    Ok(fs::read_dir("/proc")?.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()))
}

/// The beginning of a file in `/proc/PID`, as much as the kernel gives at once: at most a page. Without asking for
/// a size, which there is none of, and for an end, this takes half of the calls. So does a page of the stack: for
/// one of the heap, the allocator asks the kernel each time.
pub(super) fn beginning(pid: i32, file: &str) -> io::Result<Vec<u8>> {
    let mut page = [0; 4096];
    let length = File::open(format!("/proc/{pid}/{file}"))?.read(&mut page)?;
    Ok(page[..length].to_vec())
}

/// What `/proc/PID/stat` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    state: u8,
    /// Its parent's id; 0 for one that comes from outside the PID namespace.
    pub parent: i32,
    flags: u32,
    threads: u32,
    /// When it was started.
    pub started: StartTime,
}

/// `PF_KTHREAD` of the kernel's `sched.h`.
const KERNEL_THREAD: u32 = 0x0020_0000;

impl Stat {
    /// That of one process, if there is such a one.
    pub fn of(pid: i32) -> Option<Self> {
        Self::parse(&beginning(pid, "stat").ok()?)
    }

    /// The process's name is in brackets and may hold anything, brackets and line ends included.
    fn parse(line: &[u8]) -> Option<Self> {
        let end = line.iter().rposition(|byte| *byte == b')')?;
        let fields = str::from_utf8(&line[end + 1..]).ok()?.split_ascii_whitespace();
        // proc_pid_stat(5) counts from 1, and the first two are before the bracket.
        let field = |number: usize| fields.clone().nth(number - 3);
        Some(Self {
            state: *field(3)?.as_bytes().first()?,
            parent: field(4)?.parse().ok()?,
            flags: field(9)?.parse().ok()?,
            threads: field(20)?.parse().ok()?,
            started: StartTime { ticks: field(22)?.parse().ok()? },
        })
    }

    /// Whether it is a program that runs, and neither the kernel's own nor one that has ended and of which only
    /// the exit code is left. A program whose first thread alone has ended looks like that too, but for its
    /// other threads.
    pub fn is_running(&self) -> bool {
        let has_ended = matches!(self.state, b'Z' | b'X' | b'x') && self.threads < 2;
        !has_ended && self.flags & KERNEL_THREAD == 0
    }

    /// Whether the agent has started it, or one that it descends from. Nobody is older than an ancestor, so for
    /// an app that was there before the agent there is nothing to look at.
    pub fn is_of_agent(&self) -> bool {
        static STARTED: OnceLock<Option<StartTime>> = OnceLock::new();
        let agent = getpid().as_raw();
        let since = *STARTED.get_or_init(|| started_at(agent));
        let may_be = |stat: &Self| stat.parent > 0 && since.is_none_or(|since| stat.started >= since);
        let parent = |stat: &Self| if may_be(stat) { Self::of(stat.parent) } else { None };
        iter::successors(Some(*self), parent).take(MOST_ANCESTORS).any(|stat| stat.parent == agent)
    }

    /// Its parent, the parent of that, and so on, as far as they can be seen.
    pub fn ancestors(&self) -> impl Iterator<Item = i32> + use<> {
        let is_seen = |pid: &i32| *pid > 0;
        let parent = move |pid: &i32| Some(Self::of(*pid)?.parent).filter(is_seen);
        iter::successors(Some(self.parent).filter(is_seen), parent).take(MOST_ANCESTORS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        process::{Child, Command},
        thread,
        time::Instant,
    };

    /// A line of the kernel, with what matters here put in.
    fn line(name: &str, state: char, flags: u32, threads: u32) -> Vec<u8> {
        format!(
            "42 ({name}) {state} 7 42 42 0 -1 {flags} 1 2 3 4 5 6 7 8 20 0 {threads} 0 12345 999 1 2 3 4\n"
        )
        .into_bytes()
    }

    fn pid(child: &Child) -> i32 {
        child.id().try_into().unwrap()
    }

    #[test]
    fn a_line_is_read_whatever_the_process_is_called() {
        for name in ["app", "a b", ") R 1 (", "(", "a\nb", ""] {
            let stat = Stat::parse(&line(name, 'S', 0, 1)).unwrap();
            assert_eq!((stat.parent, stat.started.ticks, stat.is_running()), (7, 12345, true), "{name:?}");
        }
        let mut odd = line("app", 'S', 0, 1);
        odd[4] = 0xff;
        assert!(Stat::parse(&odd).is_some(), "a name need not be UTF-8");
        for broken in ["", "42 (app", "42 (app)", "42 (app) S 7 42", "42 (app) S x 42 42 0 -1 0"] {
            assert_eq!(Stat::parse(broken.as_bytes()), None, "{broken:?}");
        }
    }

    #[test]
    fn what_has_ended_and_what_the_kernel_runs_for_itself_does_not_count_as_running() {
        for (state, flags, threads, runs) in [
            ('R', 0, 1, true),
            ('S', 0x0040_0000, 1, true),
            ('D', 0, 1, true),
            ('T', 0, 1, true),
            ('t', 0, 1, true),
            ('Z', 0, 1, false),
            ('Z', 0, 0, false),
            ('X', 0, 0, false),
            ('x', 0, 0, false),
            // Its first thread has ended, the others go on.
            ('Z', 0, 3, true),
            ('S', KERNEL_THREAD, 1, false),
            ('I', KERNEL_THREAD | 0x40, 1, false),
        ] {
            let stat = Stat::parse(&line("app", state, flags, threads)).unwrap();
            assert_eq!(stat.is_running(), runs, "{state} {flags:x} {threads}");
        }
    }

    #[test]
    fn within_the_tick_of_a_start_nothing_is_certain() {
        let started = StartTime { ticks: 150 };
        let per_second = sys::clock_ticks_per_second();
        let tick = Duration::from_secs(1) / u32::try_from(per_second).unwrap();
        let at = started.earliest().since_boot();
        assert_eq!(at.as_millis(), u128::from(150_000 / per_second));
        let instant = Duration::from_nanos(1);
        for (moment, after, before) in [
            (at.saturating_sub(instant), true, false),
            (at, false, false),
            (at + tick / 2, false, false),
            ((at + tick).saturating_sub(instant), false, false),
            (at + tick, false, true),
        ] {
            let moment = BootTime::from_boot(moment);
            assert_eq!((started.is_after(moment), started.is_before(moment)), (after, before), "{moment:?}");
        }
        assert!(StartTime { ticks: 151 } > started);
    }

    #[test]
    fn the_kernel_tells_starts_on_the_clock_that_is_compared_with() {
        let before = BootTime::now().unwrap();
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let started = started_at(pid(&child)).unwrap();
        let after = BootTime::now().unwrap();
        let own = started_at(std::process::id().try_into().unwrap()).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!started.is_before(before) && !started.is_after(after), "{before:?} {started:?} {after:?}");
        assert!(!own.is_after(before) && own <= started);
        assert_eq!(started_at(pid(&child)), None, "it is gone");
    }

    #[test]
    fn what_was_started_at_a_moment_is_neither_before_nor_after_it() {
        let tick = Duration::from_secs(1) / u32::try_from(sys::clock_ticks_per_second()).unwrap();
        let now = BootTime::now().unwrap().since_boot();
        for moment in [Duration::ZERO, tick, tick * 3 / 2, now] {
            let moment = BootTime::from_boot(moment);
            let started = StartTime::of(moment);
            assert!(!started.is_after(moment) && !started.is_before(moment), "{moment:?} {started:?}");
        }
    }

    #[test]
    fn the_agents_own_are_its_children_and_theirs_and_not_its_parents() {
        let mut child = Command::new("sh")
            .args(["-c", "sleep 600 & echo $!; wait"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.as_mut().unwrap()), &mut line)
            .unwrap();
        let grandchild: i32 = line.trim().parse().unwrap();
        let own = [pid(&child), grandchild].map(|pid| Stat::of(pid).unwrap().is_of_agent());
        sys::kill(grandchild, nix::libc::SIGKILL).unwrap();
        child.wait().unwrap();
        assert_eq!(own, [true; 2]);
        for other in [getpid(), nix::unistd::getppid()] {
            assert!(!Stat::of(other.as_raw()).unwrap().is_of_agent(), "{other}");
        }
    }

    #[test]
    fn a_process_that_nobody_has_reaped_does_not_run() {
        let mut child = Command::new("true").spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while Stat::of(pid(&child)).unwrap().is_running() {
            assert!(Instant::now() < deadline, "it ends");
            thread::yield_now();
        }
        assert!(started_at(pid(&child)).is_some(), "it is still there");
        child.wait().unwrap();
        assert!(Stat::of(std::process::id().try_into().unwrap()).unwrap().is_running());
    }
}
