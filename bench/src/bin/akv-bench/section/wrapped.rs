//! Wrappers as PID 1 of a PID namespace, as in a container; shared by `forward` and `reap`.

use crate::{
    agent,
    bench::Bench,
    peers,
    process::{Process, in_pid_namespace, only_child},
    volume::Volume,
};
use nix::unistd::Pid;
use std::{path::Path, process::Command};

/// Puts a wrapper around a program.
pub(crate) type Wrap<'a> = Box<dyn Fn(&Command) -> Command + 'a>;

/// Every wrapper, and none at all first.
pub(crate) fn wrapped(bench: &Bench) -> anyhow::Result<Vec<(&'static str, Wrap<'_>)>> {
    let volume = Volume::create(&bench.dir("wrapped")?)?;
    let floor = |program: &Command| {
        let mut command = Command::new(&bench.floor);
        command.arg("wrap").arg(program.get_program()).args(program.get_args());
        command
    };
    let none = |program: &Command| {
        let mut command = Command::new(program.get_program());
        command.args(program.get_args());
        command
    };
    let mut all: Vec<(&'static str, Wrap<'_>)> = vec![
        ("no wrapper", Box::new(none)),
        ("floor: fork, forward, reap", Box::new(floor)),
        ("akv-agent exec", Box::new(move |program| agent::exec(bench, volume.dir(), program))),
    ];
    for wrapper in peers::wrappers()? {
        all.push((wrapper.name, Box::new(move |program| wrapper.command(program))));
    }
    Ok(all)
}

/// A wrapper that runs in its namespace.
#[derive(Debug)]
pub(crate) struct Wrapped(Process);

impl Wrapped {
    /// Starts `command` as PID 1.
    pub(crate) fn start(bench: &Bench, dir: &Path, command: &Command) -> anyhow::Result<Self> {
        Process::start(&bench.payload, dir, &in_pid_namespace(command)).map(Self)
    }

    /// The wrapper's id, as seen from outside.
    pub(crate) fn pid(&mut self) -> anyhow::Result<Pid> {
        let outer = self.0.pid();
        self.0.wait_for("a PID namespace", || Ok(only_child(outer)))
    }

    /// Waits for something while it runs.
    pub(crate) fn wait_for<T>(
        &mut self,
        what: &str,
        ready: impl FnMut() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        self.0.wait_for(what, ready)
    }

    /// The end of what it said.
    pub(crate) fn log(&self) -> String {
        self.0.log()
    }
}
