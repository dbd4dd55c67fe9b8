//! Deliveries, each as the receiving program saw it: one record in a FIFO.
//!
//! The receiver takes the time before it does anything else, so nothing depends on when a record is read. A
//! record is far smaller than `PIPE_BUF`, so those of several receivers never mix.

use nix::{
    errno::Errno,
    fcntl::{FcntlArg, OFlag, fcntl, open},
    poll::{PollFd, PollFlags, ppoll},
    sys::{stat::Mode, time::TimeSpec},
    time::{ClockId, clock_gettime},
    unistd::{mkfifo, read, write},
};
use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    path::Path,
    time::Duration,
};

/// Room for the deliveries of the longest burst, because nobody reads while it lasts.
const CAPACITY: i32 = 1 << 20;

const SIZE: usize = 24;

/// Stands where a signal's number would.
const ENDED: i64 = -1;

/// What was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The receiver was started.
    Started,
    /// The receiver got this signal.
    Signalled(i32),
    /// The receiver is about to end: nothing of its own comes after this.
    Ended,
}

/// One delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// What was delivered.
    pub kind: Kind,
    /// What the receiver read right after it.
    pub generation: u64,
    /// When, by [`now`].
    pub at: u64,
}

/// Nanoseconds of the clock that all processes of the machine share.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap_or(TimeSpec::new(0, 0));
    u64::try_from(Duration::from(time).as_nanos()).unwrap_or(u64::MAX)
}

impl Event {
    fn to_bytes(self) -> [u8; SIZE] {
        let signal = match self.kind {
            Kind::Started => 0,
            Kind::Signalled(signal) => i64::from(signal),
            Kind::Ended => ENDED,
        };
        let mut bytes = [0; SIZE];
        bytes[..8].copy_from_slice(&signal.to_ne_bytes());
        bytes[8..16].copy_from_slice(&self.generation.to_ne_bytes());
        bytes[16..].copy_from_slice(&self.at.to_ne_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; SIZE]) -> Self {
        let word = |at: usize| std::array::from_fn(|offset| bytes[at + offset]);
        let kind = match i64::from_ne_bytes(word(0)) {
            ENDED => Kind::Ended,
            signal => {
                i32::try_from(signal).ok().filter(|signal| *signal > 0).map_or(Kind::Started, Kind::Signalled)
            }
        };
        Self { kind, generation: u64::from_ne_bytes(word(8)), at: u64::from_ne_bytes(word(16)) }
    }
}

/// The receiver's end.
#[derive(Debug)]
pub struct Recorder(OwnedFd);

impl Recorder {
    /// Opens the FIFO that an [`Events`] has made.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(open(path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?))
    }

    /// Adds one record.
    pub fn record(&self, event: Event) -> io::Result<()> {
        write(&self.0, &event.to_bytes())?;
        Ok(())
    }
}

/// The driver's end.
#[derive(Debug)]
pub struct Events(OwnedFd);

impl Events {
    /// Makes a FIFO at `path`.
    pub fn create(path: &Path) -> io::Result<Self> {
        mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR)?;
        // Open for writing too, so that it does not end with the first receiver.
        let flags = OFlag::O_RDWR | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let fifo = open(path, flags, Mode::empty())?;
        fcntl(&fifo, FcntlArg::F_SETPIPE_SZ(CAPACITY))?;
        Ok(Self(fifo))
    }

    /// The next delivery, if one comes before `deadline` (by [`now`]).
    pub fn next(&self, deadline: u64) -> io::Result<Option<Event>> {
        loop {
            let mut bytes = [0; SIZE];
            match read(&self.0, &mut bytes) {
                Ok(SIZE) => return Ok(Some(Event::from_bytes(bytes))),
                Ok(_) => return Err(io::ErrorKind::InvalidData.into()),
                Err(Errno::EAGAIN) => (),
                Err(errno) => return Err(errno.into()),
            }
            let left = Duration::from_nanos(deadline.saturating_sub(now()));
            if left.is_zero() {
                return Ok(None);
            }
            let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
            match ppoll(&mut fds, Some(TimeSpec::from_duration(left)), None) {
                Ok(_) | Err(Errno::EINTR) => (),
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// All deliveries until there has been none for `quiet`.
    pub fn until_quiet(&self, quiet: Duration) -> io::Result<Vec<Event>> {
        let mut events = Vec::new();
        while let Some(event) = self.next(after(now(), quiet))? {
            events.push(event);
        }
        Ok(events)
    }
}

/// The time that is `duration` after `at`.
pub fn after(at: u64, duration: Duration) -> u64 {
    at.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn records_arrive_whole_and_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fifo");
        let events = Events::create(&path).unwrap();
        assert_eq!(events.next(now()).unwrap(), None);
        let sent = [
            Event { kind: Kind::Started, generation: 0, at: now() },
            Event { kind: Kind::Signalled(1), generation: u64::MAX, at: 7 },
            Event { kind: Kind::Ended, generation: 3, at: 8 },
        ];
        for event in sent {
            // A receiver of its own each time, as after a restart.
            Recorder::open(&path).unwrap().record(event).unwrap();
        }
        assert_eq!(events.until_quiet(Duration::from_millis(1)).unwrap(), sent);
    }
}
