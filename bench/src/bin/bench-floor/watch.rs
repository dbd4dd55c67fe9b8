//! `watch` and `render`: from the switch of a volume to a signal.

use nix::{
    sys::{
        inotify::{AddWatchFlags, InitFlags, Inotify},
        signal::{Signal, kill},
    },
    unistd::Pid,
};
use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// The link that a volume flips.
const DATA_LINK: &str = "..data";

/// A watch that sees nothing of a volume but its switch.
pub(crate) fn switches(dir: &Path) -> io::Result<Inotify> {
    let inotify = Inotify::init(InitFlags::IN_CLOEXEC)?;
    inotify.add_watch(dir, AddWatchFlags::IN_MOVED_TO)?;
    Ok(inotify)
}

/// Blocks until the volume has been switched at least once.
pub(crate) fn wait(inotify: &Inotify) -> io::Result<()> {
    loop {
        let switched = inotify.read_events()?.into_iter().any(|event| {
            event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW)
                || event.name.is_some_and(|name| name == DATA_LINK)
        });
        if switched {
            return Ok(());
        }
    }
}

/// Sends SIGHUP to `pid` at every switch of `dir`; with `out`, only when the env file has changed.
pub(crate) fn watch(dir: &Path, pid: &OsStr, out: Option<&Path>) -> io::Result<ExitCode> {
    let pid = pid.to_str().and_then(|pid| pid.parse().ok()).ok_or(io::ErrorKind::InvalidInput)?;
    let inotify = switches(dir)?;
    let mut env_file = out.map(|out| EnvFile::new(dir, out)).transpose()?;
    loop {
        wait(&inotify)?;
        let changed = match &mut env_file {
            None => true,
            // The next switch has deleted the set during the read, and its own event is on the way.
            Some(env_file) => env_file.update().unwrap_or(false),
        };
        if changed {
            kill(Pid::from_raw(pid), Signal::SIGHUP)?;
        }
    }
}

/// Every key of the volume as a variable.
struct EnvFile<'a> {
    keys: Vec<(String, PathBuf)>,
    out: &'a Path,
    temporary: PathBuf,
    content: Vec<u8>,
}

impl<'a> EnvFile<'a> {
    fn new(dir: &Path, out: &'a Path) -> io::Result<Self> {
        let data = dir.join(DATA_LINK);
        let mut keys = Vec::new();
        for entry in fs::read_dir(&data)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            keys.push((name.to_ascii_uppercase().replace('-', "_"), data.join(name)));
        }
        let mut env_file = Self { keys, out, temporary: out.with_extension("new"), content: Vec::new() };
        env_file.update()?;
        Ok(env_file)
    }

    /// Reads the set and replaces the file; says whether there was anything to replace.
    fn update(&mut self) -> io::Result<bool> {
        let mut content = Vec::with_capacity(self.content.len());
        for (variable, path) in &self.keys {
            content.extend_from_slice(variable.as_bytes());
            content.extend_from_slice(b"='");
            content.extend_from_slice(&fs::read(path)?);
            content.extend_from_slice(b"'\n");
        }
        if content == self.content {
            return Ok(false);
        }
        fs::write(&self.temporary, &content)?;
        fs::rename(&self.temporary, self.out)?;
        self.content = content;
        Ok(true)
    }
}
