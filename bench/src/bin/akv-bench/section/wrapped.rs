//! Wrappers as PID 1 of a PID namespace, as in a container; shared by `forward` and `reap`.

use crate::{
    bench::Bench,
    peers,
    process::{Process, in_pid_namespace, only_child},
    volume::Volume,
};
use nix::unistd::Pid;
use std::{path::Path, process::Command, rc::Rc};

/// Puts a wrapper around a program.
pub(crate) type Wrap<'a> = Box<dyn Fn(&Command) -> Command + 'a>;

/// Every wrapper, and none at all first.
pub(crate) fn wrapped(bench: &Bench) -> anyhow::Result<Vec<(String, Wrap<'_>)>> {
    let volume = Rc::new(Volume::create(&bench.dir("wrapped")?)?);
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
    let mut all: Vec<(String, Wrap<'_>)> = vec![
        ("no wrapper".to_owned(), Box::new(none)),
        ("floor: fork, forward, reap".to_owned(), Box::new(floor)),
    ];
    for build in bench.builds() {
        let volume = Rc::clone(&volume);
        let exec = move |program: &Command| build.exec(volume.dir(), program);
        all.push((format!("{} exec", build.name), Box::new(exec)));
    }
    for wrapper in peers::wrappers()? {
        all.push((wrapper.name.to_owned(), Box::new(move |program| wrapper.command(program))));
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
