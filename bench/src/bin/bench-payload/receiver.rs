//! `receiver`: says when a signal arrived and which generation was there to be read then.

use akv_bench::{
    event::{Event, Kind, Recorder, now},
    generation,
};
use nix::sys::{
    prctl,
    signal::{SigSet, Signal},
};
use std::{env, fs, io, os::unix::ffi::OsStrExt as _, path::Path};

/// Where the app that this stands for has its values.
enum Source<'a> {
    File(&'a Path),
    Environment(&'a str),
    Nowhere,
}

impl<'a> Source<'a> {
    fn parse(text: &'a str) -> io::Result<Self> {
        match text.split_once(':') {
            Some(("file", path)) => Ok(Self::File(Path::new(path))),
            Some(("env", name)) => Ok(Self::Environment(name)),
            None if text == "none" => Ok(Self::Nowhere),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    fn generation(&self) -> u64 {
        match self {
            Self::File(path) => fs::read(path).map_or(0, |text| generation::of(&text)),
            Self::Environment(name) => env::var_os(name).map_or(0, |value| generation::of(value.as_bytes())),
            Self::Nowhere => 0,
        }
    }
}

/// Records until SIGTERM or SIGINT.
pub(crate) fn receive(started: u64, fifo: &Path, source: &str) -> io::Result<()> {
    let signals: SigSet =
        [Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGTERM, Signal::SIGINT].into_iter().collect();
    signals.thread_block()?;
    // Whoever measures may be killed, and this must not outlive it.
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    let source = Source::parse(source)?;
    let recorder = Recorder::open(fifo)?;
    recorder.record(Event { kind: Kind::Started, generation: source.generation(), at: started })?;
    loop {
        let signal = signals.wait()?;
        let at = now();
        let generation = source.generation();
        recorder.record(Event { kind: Kind::Signalled(signal as i32), generation, at })?;
        if matches!(signal, Signal::SIGTERM | Signal::SIGINT) {
            return recorder.record(Event { kind: Kind::Ended, generation, at: now() });
        }
    }
}
