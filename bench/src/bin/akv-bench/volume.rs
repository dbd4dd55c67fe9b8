//! The volume that is switched: the CSI driver's steps, with the time taken right before the rename.

use akv_bench::{event::now, generation};
use dev_vault::csi::{Mount, Written};
use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

/// The files of every set.
pub(crate) const KEYS: [&str; 3] = ["generation", "db-password", "api-key"];

/// One switch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Switch {
    /// What came with it.
    pub(crate) generation: u64,
    /// Right before rename(2), by [`now`].
    pub(crate) at: u64,
}

/// A volume and the generation of its present set.
#[derive(Debug)]
pub(crate) struct Volume {
    mount: Mount,
    generation: u64,
}

impl Volume {
    /// A volume in `dir` with its first set.
    pub(crate) fn create(dir: &Path) -> io::Result<Self> {
        let mut volume = Self { mount: Mount::create(dir)?, generation: 0 };
        volume.switch(Duration::ZERO)?;
        Ok(volume)
    }

    /// Writes the next set, waits for `pause` as a slow writer would, and switches to it.
    pub(crate) fn switch(&mut self, pause: Duration) -> io::Result<Switch> {
        let generation = self.generation + 1;
        let files = KEYS.map(|key| (key, generation::value(generation, key)));
        let mut at = 0;
        let written = self.mount.write_paused(&files, || {
            if !pause.is_zero() {
                thread::sleep(pause);
            }
            at = now();
        })?;
        if written == Written::Unchanged {
            return Err(io::Error::other("the volume has this set already"));
        }
        self.generation = generation;
        Ok(Switch { generation, at })
    }

    /// Switches `count` times as fast as possible; the first and the last switch.
    ///
    /// The sets lie ready, so that only what a watcher can see of a switch is between two of them: the link,
    /// the rename, the removal of the old set.
    pub(crate) fn burst(&mut self, count: u64) -> io::Result<(Switch, Switch)> {
        let link = self.dir().join("..data");
        let next = self.dir().join("..data_tmp");
        let mut old = self.dir().join(fs::read_link(&link)?);
        let generations = self.generation + 1..=self.generation + count;
        let sets: Vec<PathBuf> =
            generations.clone().map(|generation| self.prepare(generation)).collect::<io::Result<_>>()?;
        let mut switches = Vec::with_capacity(sets.len());
        for (generation, set) in generations.zip(sets) {
            symlink(set.file_name().unwrap_or_default(), &next)?;
            switches.push(Switch { generation, at: now() });
            fs::rename(&next, &link)?;
            fs::remove_dir_all(std::mem::replace(&mut old, set))?;
            self.generation = generation;
        }
        match *switches.as_slice() {
            [first, .., last] => Ok((first, last)),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }

    /// Writes a set without switching to it.
    fn prepare(&self, generation: u64) -> io::Result<PathBuf> {
        let set = self.dir().join(format!("..burst.{generation}"));
        fs::create_dir(&set)?;
        for key in KEYS {
            fs::write(set.join(key), generation::value(generation, key))?;
        }
        Ok(set)
    }

    /// Where it is.
    pub(crate) fn dir(&self) -> &Path {
        self.mount.dir()
    }

    /// A file in it, as an app would open it.
    pub(crate) fn file(&self) -> PathBuf {
        self.dir().join(KEYS[0])
    }
}
