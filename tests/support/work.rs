//! A directory for one test, gone after it.

use std::{
    fmt::Write as _,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
};
use tempfile::TempDir;

/// What a test works in.
pub(crate) struct Workdir {
    dir: TempDir,
    agents: AtomicUsize,
}

impl Workdir {
    /// In memory where there is such a place, as in a pod.
    pub(crate) fn new() -> Self {
        let memory = TempDir::with_prefix_in("akv-agent-test-", "/dev/shm");
        Self::from(memory.or_else(|_| TempDir::with_prefix("akv-agent-test-")))
    }

    /// Where programs can be executed, which memory file systems of containers may forbid.
    pub(crate) fn executable() -> Self {
        Self::from(TempDir::with_prefix("akv-agent-test-"))
    }

    fn from(dir: io::Result<TempDir>) -> Self {
        Self { dir: dir.expect("a temporary directory"), agents: AtomicUsize::new(0) }
    }

    /// The directory itself.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Something in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    /// A name that nobody else on this machine has, not even the same test in another run.
    pub(crate) fn unique(&self, name: &str) -> String {
        let suffix = self.dir().to_str().and_then(|path| path.rsplit('-').next());
        format!("{name}-{}", suffix.expect("the name of a temporary directory"))
    }

    /// Something in it, as an argument.
    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("temporary directories are UTF-8").to_owned()
    }

    /// A directory in it, made now.
    pub(crate) fn make_dir(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).expect("a directory can be made");
        path
    }

    /// A file in it, written now.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).expect("a file can be written");
        path
    }

    /// What a file in it holds; nothing if it is not there.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The names in one directory of it, sorted.
    pub(crate) fn names(&self, name: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(name)).expect("a directory that can be read");
        let mut names: Vec<_> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// A number for each agent that runs in it.
    pub(super) fn next_agent(&self) -> usize {
        self.agents.fetch_add(1, Ordering::Relaxed)
    }

    /// Everything in it, a line each, without what is in the files.
    pub(super) fn listing(&self) -> String {
        let mut out = String::new();
        list(self.dir(), &mut out);
        out
    }
}

fn list(directory: &Path, out: &mut String) {
    let mut paths: Vec<_> =
        fs::read_dir(directory).into_iter().flatten().flatten().map(|e| e.path()).collect();
    paths.sort();
    for path in paths {
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        let target = fs::read_link(&path).map(|target| format!(" -> {}", target.display()));
        let _ = writeln!(
            out,
            "  {:06o} {:>5}:{:<5} {:>9} {}{}",
            metadata.mode(),
            metadata.uid(),
            metadata.gid(),
            metadata.len(),
            path.display(),
            target.unwrap_or_default()
        );
        if metadata.is_dir() {
            list(&path, out);
        }
    }
}
