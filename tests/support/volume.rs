//! A mounted volume of secrets, written as the Secrets Store CSI driver does it.

use super::{Workdir, secret};
use dev_vault::csi::{Mount, Written};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Files with secrets. They are given as name and label; the content is [`secret`] of the label.
pub(crate) struct Volume(Mount);

impl Volume {
    /// A volume in the directory `secrets`, with this first set in it.
    pub(crate) fn new(work: &Workdir, files: &[(&str, &str)]) -> Self {
        let volume = Self::empty(work);
        volume.rotate(files);
        volume
    }

    /// A volume that nothing has been written to yet.
    pub(crate) fn empty(work: &Workdir) -> Self {
        Self(Mount::create(work.path("secrets")).expect("a volume can be made"))
    }

    /// Replaces the set.
    pub(crate) fn rotate(&self, files: &[(&str, &str)]) {
        self.write_raw(&contents(files));
    }

    /// Replaces the set by files with this very content.
    pub(crate) fn write_raw<N: AsRef<str>, V: AsRef<[u8]>>(&self, files: &[(N, V)]) {
        let written = self.0.write(files).expect("a volume can be written");
        assert_eq!(written, Written::Switched, "the test means to change something");
    }

    /// Replaces the set, and calls `pause` when all is ready but the switch.
    pub(crate) fn rotate_slowly(&self, files: &[(&str, &str)], pause: impl FnOnce()) {
        self.0.write_paused(&contents(files), pause).expect("a volume can be written");
    }

    /// Replaces the set in the kubelet's order.
    pub(crate) fn rotate_as_kubelet(&self, files: &[(&str, &str)]) {
        self.0.write_as_kubelet(&contents(files)).expect("a volume can be written");
    }

    /// The directory.
    pub(crate) fn dir(&self) -> &Path {
        self.0.dir()
    }

    /// The directory as a setting.
    pub(crate) fn text(&self) -> String {
        self.dir().display().to_string()
    }

    /// The writer's name for the set that is there now.
    pub(crate) fn generation(&self) -> String {
        let target: PathBuf = fs::read_link(self.dir().join("..data")).expect("a set has been written");
        target.display().to_string()
    }
}

fn contents<'a>(files: &[(&'a str, &str)]) -> Vec<(&'a str, String)> {
    files.iter().map(|(name, label)| (*name, secret(label))).collect()
}
