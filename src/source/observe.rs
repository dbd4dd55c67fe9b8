//! All sources of one configuration, read together.

use super::{
    mount::{self, Layout, MountError, MountSet},
    vault::{VaultObservation, VaultSource, VaultView},
    watch::{self, Watch},
};
use crate::{
    config::{Binding, Config},
    ordered::Ordered as _,
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
    sparable: Vec<(MountPath, ObjectId)>,
    /// Requests to look, where there is no vault that counts them.
    refreshes: u64,
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
    files.into_set().into_iter().collect()
}

/// The secrets that no vault is asked for while their file is in the mount: where the vault is not polled, the
/// mount is the only trigger, and what it has nobody asks for.
pub fn sparable(config: &Config) -> Vec<(MountPath, ObjectId)> {
    let origins = || config.env.iter().map(|binding| &binding.reference.origin);
    let pairs = origins().filter(|_| config.poll_interval.is_none()).filter_map(|origin| match origin {
        Origin::MountElseVault(path, id) => Some((path.clone(), id.clone())),
        Origin::Mount(_) | Origin::Vault(_) => None,
    });
    let is_needed =
        |id: &ObjectId| origins().any(|other| matches!(other, Origin::Vault(other) if other == id));
    pairs.filter(|(_, id)| !is_needed(id)).collect()
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
        Self { mount, vault, seen_vault: None, sparable: Vec::new(), refreshes: 0 }
    }

    /// With what [`sparable`] says.
    #[must_use]
    pub fn sparing(self, sparable: Vec<(MountPath, ObjectId)>) -> Self {
        Self { sparable, ..self }
    }

    /// Reads everything anew.
    pub fn observe(&mut self) -> Observed<'_> {
        if let Some(mount) = &mut self.mount {
            mount.read();
        }
        self.spare();
        self.seen_vault = self.vault.as_ref().map(VaultSource::latest);
        self.observed()
    }

    /// Has the vault asked for what the mount lacks, and for nothing else that the mount may have.
    fn spare(&self) {
        let (Some(mount), Some(vault), false) = (&self.mount, &self.vault, self.sparable.is_empty()) else {
            return;
        };
        match &mount.seen {
            Some(Ok(set)) => {
                let there = self.sparable.iter().filter(|(path, _)| set.files.contains_key(path));
                vault.spare(there.map(|(_, id)| id.clone()).into_set());
            }
            // A mount that is there no more is no reason to switch values.
            _ if mount.was_read => {}
            _ => vault.spare(BTreeSet::new()),
        }
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

    /// Asks sources that do not look all the time to look now. What was observed from then on has been when
    /// [`Sources::refreshed`] has reached the number that this returns.
    pub fn refresh(&mut self) -> u64 {
        self.refreshes = match &self.vault {
            Some(vault) => vault.refresh(),
            None => self.refreshes + 1,
        };
        self.refreshes
    }

    /// Up to which request what was observed last is the answer. A mount is read whenever anything is observed.
    pub fn refreshed(&self) -> u64 {
        match &self.vault {
            Some(_) => self.seen_vault.as_ref().map_or(0, |vault| vault.refreshed),
            None => self.refreshes,
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
