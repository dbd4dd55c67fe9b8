//! All sources of one configuration, read together.

use super::{
    mount::{self, Layout, MountError, MountSet},
    vault::{VaultObservation, VaultSource, VaultView},
    watch::{self, Watch},
};
use crate::{
    config::Binding,
    reference::{MountPath, ObjectId, Origin},
    snapshot::Observed,
};
use std::{
    collections::BTreeSet,
    os::fd::BorrowedFd,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// The sources, and what was last observed.
#[derive(Debug, Default)]
pub struct Sources {
    mount: Option<MountSource>,
    vault: Option<VaultSource>,
    seen_vault: Option<Arc<VaultObservation>>,
}

#[derive(Debug)]
struct MountSource {
    root: PathBuf,
    wanted: Vec<MountPath>,
    watch: Watch,
    seen: Option<Result<MountSet, MountError>>,
    was_read: bool,
}

/// The files that the bindings may read from the mount.
pub fn wanted_files(bindings: &[Binding]) -> Vec<MountPath> {
    let files = bindings.iter().filter_map(|binding| match &binding.reference.origin {
        Origin::Mount(path) | Origin::MountElseVault(path, _) => Some(path.clone()),
        Origin::Vault(_) => None,
    });
    files.collect::<BTreeSet<_>>().into_iter().collect()
}

/// The secrets that the bindings may read from vaults.
pub fn wanted_secrets(bindings: &[Binding]) -> Vec<ObjectId> {
    let secrets = bindings.iter().filter_map(|binding| match &binding.reference.origin {
        Origin::Vault(id) | Origin::MountElseVault(_, id) => Some(id.clone()),
        Origin::Mount(_) => None,
    });
    secrets.collect::<BTreeSet<_>>().into_iter().collect()
}

impl Sources {
    /// The mount at `root`, if any of the `wanted` files is read from it, and a vault source that runs already.
    pub fn new(root: Option<&Path>, wanted: Vec<MountPath>, vault: Option<VaultSource>) -> Self {
        let mount = root.filter(|_| !wanted.is_empty()).map(|root| MountSource {
            root: root.into(),
            wanted,
            watch: Watch::new(root),
            seen: None,
            was_read: false,
        });
        Self { mount, vault, seen_vault: None }
    }

    /// Reads everything anew.
    pub fn observe(&mut self) -> Observed<'_> {
        if let Some(mount) = &mut self.mount {
            mount.read();
        }
        self.seen_vault = self.vault.as_ref().map(VaultSource::latest);
        self.observed()
    }

    /// What was observed last.
    pub fn observed(&self) -> Observed<'_> {
        Observed {
            mount_was_read: self.mount.as_ref().is_some_and(|mount| mount.was_read),
            mount: self.mount.as_ref().and_then(|mount| mount.seen.as_ref()),
            vault: self.seen_vault.as_deref(),
            stale: None,
        }
    }

    /// For whoever shows what the vaults answer.
    pub fn vault_view(&self) -> Option<VaultView> {
        self.vault.as_ref().map(VaultSource::view)
    }

    /// Asks sources that do not look all the time to look now.
    pub fn refresh(&self) {
        if let Some(vault) = &self.vault {
            vault.refresh();
        }
    }

    /// Takes what the watch has noticed; says whether the mount may have changed.
    pub fn take_events(&mut self) -> bool {
        self.mount.as_mut().is_some_and(|mount| mount.watch.take())
    }

    /// Readable when [`Sources::take_events`] has something to take.
    pub fn watch_fd(&self) -> Option<BorrowedFd<'_>> {
        self.mount.as_ref()?.watch.fd()
    }

    /// How changes of the mount are noticed.
    pub fn watch_mode(&self) -> Option<watch::Mode> {
        Some(self.mount.as_ref()?.watch.mode())
    }

    /// How soon the mount has to be read again even if nothing is noticed.
    pub fn poll_interval(&self) -> Option<Duration> {
        let watch = &self.mount.as_ref()?.watch;
        match watch.mode() {
            watch::Mode::Events if watch.is_armed() => None,
            _ => Some(watch::POLL_INTERVAL),
        }
    }
}

impl MountSource {
    fn read(&mut self) {
        // The watch stands before the read, so that no change falls between the two. The first guess is the
        // narrow mask of an atomic volume; a plain directory is found out by reading it.
        let guess = match &self.seen {
            Some(Ok(set)) => set.layout,
            _ => Layout::Atomic,
        };
        self.watch.arm(guess);
        let mut seen = mount::read(&self.root, &self.wanted);
        let layout = match &seen {
            Ok(set) => set.layout,
            // Nothing is there yet, and the first thing to come may be an ordinary file.
            Err(_) => Layout::Plain,
        };
        // The directory may have come between the two.
        if layout != guess || !self.watch.is_armed() {
            self.watch.arm(layout);
            seen = mount::read(&self.root, &self.wanted);
        }
        self.was_read |= seen.is_ok();
        self.seen = Some(seen);
    }
}
