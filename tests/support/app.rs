//! The program that the agent runs or signals in the tests: `test-app`, which tells what happens to it.

use super::{Workdir, process, scene, wait};
use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Its path. It belongs to another package of the workspace, so Cargo does not tell where it is.
pub(crate) fn test_app() -> String {
    let path = Path::new(env!("CARGO_BIN_EXE_akv-agent")).with_file_name("test-app");
    assert!(path.exists(), "{} is not built; run `cargo test --workspace`", path.display());
    path.to_str().expect("a UTF-8 path").to_owned()
}

/// A script for Python that starts a program in another process group than the one that it was given.
pub(crate) const LEAVE_GROUP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/leave_group.py");

/// What its line `ready` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    pub(crate) group: i32,
}

impl Ready {
    /// Every line `ready` in `text`.
    pub(crate) fn all_in(text: &str) -> Vec<Self> {
        let number = |field: Option<&str>, key: &str| field?.strip_prefix(key)?.parse().ok();
        let parse = |line: &str| {
            let mut fields = line.strip_prefix("ready ")?.split(' ');
            Some(Self {
                pid: number(fields.next(), "pid=")?,
                parent: number(fields.next(), "ppid=")?,
                group: number(fields.next(), "pgid=")?,
            })
        };
        // The last line may still be under way.
        text.split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .filter_map(|l| parse(l.trim_end()))
            .collect()
    }
}

/// The signals that it told, in their order.
pub(super) fn signals_in(text: &str) -> Vec<i32> {
    text.lines().filter_map(|line| line.strip_prefix("signal ")?.parse().ok()).collect()
}

/// One that runs by itself, for a sidecar to signal.
pub(crate) struct App {
    child: Child,
    name: String,
    out: PathBuf,
}

impl App {
    /// Starts one that the kernel knows by this name (see [`Workdir::unique`]), and waits until it is ready.
    pub(crate) fn start(work: &Workdir, name: &str, arguments: &[&str]) -> Self {
        let name = work.unique(name);
        let program = work.path(&name);
        if !program.exists() {
            symlink(test_app(), &program).expect("a link can be made");
        }
        let out = work.path(&format!("app-{}.out", work.next_agent()));
        let child = Command::new(program)
            .args(arguments)
            .env_clear()
            .current_dir(work.dir())
            .stdin(Stdio::null())
            .stdout(File::create(&out).expect("a file can be made"))
            .spawn()
            .expect("test-app starts");
        let app = Self { child, name, out };
        app.wait_until("the app is ready", || Ready::all_in(&app.out()).first().copied());
        app
    }

    /// The setting that makes a sidecar signal those that are started by this name.
    pub(crate) fn target(work: &Workdir, name: &str) -> String {
        format!("process:{}", work.unique(name))
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("process ids are ints")
    }

    /// What it said so far.
    pub(crate) fn out(&self) -> String {
        fs::read_to_string(&self.out).unwrap_or_default()
    }

    /// The signals that it got so far.
    pub(crate) fn signals(&self) -> Vec<i32> {
        signals_in(&self.out())
    }

    /// Waits until it has got at least this many signals, and returns them.
    pub(crate) fn wait_for_signals(&self, count: usize) -> Vec<i32> {
        self.wait_until(&format!("{count} signals"), || {
            Some(self.signals()).filter(|signals| signals.len() >= count)
        })
    }

    fn wait_until<T>(&self, what: &str, probe: impl FnMut() -> Option<T>) -> T {
        wait::look(probe).unwrap_or_else(|| {
            let out = scene::indented(&self.out());
            panic!("still not after {:?}: {what}\n{} said:\n{out}", wait::PATIENCE, self.name)
        })
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let family = process::descendants(self.pid());
        let _ = self.child.kill();
        process::kill_all(&family);
        let _ = self.child.wait();
    }
}
