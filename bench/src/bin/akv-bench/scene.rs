//! One watcher's world: a volume, a FIFO for deliveries, a receiver and the watcher.

use crate::{
    bench::Bench,
    delivery,
    process::{PATIENCE, Process},
    volume::{Switch, Volume},
};
use akv_bench::event::{Event, Events, after, now};
use anyhow::{Context as _, bail};
use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

/// Where everything of a scene is.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
    pub(crate) volume: PathBuf,
    pub(crate) env_file: PathBuf,
    pub(crate) pid_file: PathBuf,
    fifo: PathBuf,
}

impl Place {
    /// A command that records its own start and every signal, with the generation that it finds in `source`.
    pub(crate) fn receiver(&self, bench: &Bench, source: &str) -> Command {
        let mut command = Command::new(&bench.payload);
        command.arg("receiver").arg(&self.fifo).arg(source);
        command
    }
}

/// How the app learns of a change.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Told {
    /// By a signal; it reads its values from the volume.
    ToReadVolume,
    /// By a signal; it reads its values from the env file.
    ToReadEnvFile,
    /// By being started anew, as the watcher's child.
    ByRestart,
}

/// One watcher's world.
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) name: String,
    pub(crate) events: Events,
    /// The watcher.
    pub(crate) process: Process,
    pub(crate) volume: Volume,
    /// Ends with the scene.
    _receiver: Option<Process>,
}

impl Scene {
    /// Starts a watcher and waits until it has delivered a change.
    pub(crate) fn start(
        bench: &Bench,
        name: &str,
        told: Told,
        watcher: impl FnOnce(&Place, &str) -> Command,
    ) -> anyhow::Result<Self> {
        Self::try_start(bench, name, told, watcher).with_context(|| name.to_owned())
    }

    fn try_start(
        bench: &Bench,
        name: &str,
        told: Told,
        watcher: impl FnOnce(&Place, &str) -> Command,
    ) -> anyhow::Result<Self> {
        let dir = bench.dir(name)?;
        let place = Place {
            volume: dir.join("volume"),
            env_file: dir.join("app.env"),
            pid_file: dir.join("app.pid"),
            fifo: dir.join("deliveries"),
            dir,
        };
        let volume = Volume::create(&place.volume)?;
        let events = Events::create(&place.fifo)?;
        let source = match told {
            Told::ToReadVolume => volume.file(),
            Told::ToReadEnvFile => place.env_file.clone(),
            Told::ByRestart => PathBuf::new(),
        };
        let mut receiver = None;
        let mut pid = String::new();
        if !matches!(told, Told::ByRestart) {
            let command = place.receiver(bench, &format!("file:{}", source.display()));
            let process = Process::start(&bench.payload, &place.dir, &command)?;
            pid = process.pid().to_string();
            fs::write(&place.pid_file, &pid)?;
            receiver = Some(process);
        }
        let command = watcher(&place, &pid);
        let process = Process::start(&bench.payload, &place.dir, &command)?;
        let mut scene = Self { name: name.to_owned(), events, process, volume, _receiver: receiver };
        scene.wait_until_watched()?;
        Ok(scene)
    }

    /// Switches until a switch is delivered: then everything is in place.
    fn wait_until_watched(&mut self) -> anyhow::Result<()> {
        // The receiver's own start, be it a child of the watcher or not.
        let deadline = after(now(), PATIENCE);
        if self.events.next(deadline)?.is_none() {
            bail!("the receiver was not started; {}", self.process.log());
        }
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let switch = self.volume.switch(Duration::ZERO)?;
            let deadline = after(now(), Duration::from_millis(500));
            while let Some(event) = self.events.next(deadline)? {
                if delivery::fulfils(&event, switch) {
                    self.events.until_quiet(Duration::from_millis(200))?;
                    return Ok(());
                }
            }
        }
        bail!("no change was delivered; {}", self.process.log());
    }

    /// Makes the receiver's part of the world quiet; says how many deliveries came when none was due.
    pub(crate) fn strays(&self) -> anyhow::Result<usize> {
        let mut strays = 0;
        while let Some(event) = self.events.next(now())? {
            strays += usize::from(delivery::is_delivery(&event));
        }
        Ok(strays)
    }

    /// Deliveries until `switch` is fulfilled or `timeout` is over, and then until it is quiet.
    pub(crate) fn deliveries(
        &self,
        switch: Switch,
        timeout: Duration,
        quiet: Duration,
    ) -> anyhow::Result<Vec<Event>> {
        let mut events = Vec::new();
        let deadline = after(switch.at, timeout);
        while let Some(event) = self.events.next(deadline)? {
            events.push(event);
            if delivery::fulfils(&event, switch) {
                break;
            }
        }
        events.extend(self.events.until_quiet(quiet)?);
        Ok(events)
    }
}
