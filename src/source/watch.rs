//! Watches the mounted volume's directory and says when its set may have changed.
//!
//! On an atomic volume only one event means "a new set is complete": `..data` moved into place. Everything
//! before it is the writer at work, and everything after it is the writer tidying up; whoever reacts to
//! those is early or stale. A watch on a file or on the link itself dies at the first flip, so it is the
//! directory that is watched.
//!
//! inotify sees no change that another machine makes, so on network and host-shared file systems (NFS, 9p,
//! virtiofs as Kata uses) and where no watch can be had, the loop polls as well.

use super::mount::{DATA_LINK, Layout};
use nix::{
    errno::Errno,
    sys::{
        inotify::{AddWatchFlags, InitFlags, Inotify},
        statfs::{BTRFS_SUPER_MAGIC, EXT4_SUPER_MAGIC, FsType, OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC, statfs},
    },
};
use std::{
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
    time::Duration,
};

/// How often a volume is read where inotify cannot be trusted. The CSI driver itself looks once a minute at
/// most, so 10 s adds little to a rotation and costs next to nothing.
pub const POLL_INTERVAL: Duration = Duration::from_secs(10);

/// `nix` has no name for it with musl; `linux/magic.h` has.
const XFS: FsType = FsType(0x5846_5342);

/// File systems of this machine alone, on which inotify says all there is to say.
const LOCAL: [FsType; 5] = [TMPFS_MAGIC, EXT4_SUPER_MAGIC, XFS, BTRFS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC];

/// How changes of the volume are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// By inotify alone; nothing happens while nothing changes.
    Events,
    /// By reading it every [`POLL_INTERVAL`], and by inotify where there is one.
    Poll(PollReason),
}

/// Why the volume is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollReason {
    /// The directory is on a file system that other machines can write to.
    NotLocal,
    /// The limit of inotify instances or watches is used up.
    Exhausted,
    /// The kernel refused the watch for another reason.
    Refused(Errno),
}

impl PollReason {
    /// What to tell the operator.
    pub fn explain(self) -> String {
        match self {
            Self::NotLocal => "its file system does not report changes made elsewhere".into(),
            Self::Exhausted => {
                "no inotify watch is left; raise fs.inotify.max_user_instances or max_user_watches on the node"
                    .into()
            }
            Self::Refused(errno) => format!("inotify is not available ({errno})"),
        }
    }
}

/// A watch on one directory.
#[derive(Debug)]
pub struct Watch {
    root: PathBuf,
    inotify: Option<Inotify>,
    layout: Option<Layout>,
    mode: Mode,
}

impl Watch {
    /// A watch on the directory at `root`, which need not exist yet.
    pub fn new(root: &Path) -> Self {
        let flags = InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK;
        let (inotify, mode) = match Inotify::init(flags) {
            Ok(inotify) => (Some(inotify), Mode::Events),
            Err(errno) => (None, Mode::Poll(reason(errno))),
        };
        Self { root: root.into(), inotify, layout: None, mode }
    }

    /// How changes are noticed at present.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Whether a watch on the directory stands. Until then the caller has to try again by itself.
    pub fn is_armed(&self) -> bool {
        self.layout.is_some() || self.inotify.is_none()
    }

    /// Sees to it that the watch stands and suits the volume's `layout`. Call it before reading the volume,
    /// so that a change during the read is not lost, and again when the layout turns out to be another one.
    pub fn arm(&mut self, layout: Layout) {
        let Some(inotify) = &self.inotify else { return };
        if self.layout == Some(layout) {
            return;
        }
        // Adding the same directory again replaces the mask of the watch that is there.
        match inotify.add_watch(&self.root, mask(layout)) {
            Ok(_) => {
                self.layout = Some(layout);
                self.mode = match statfs(&self.root).map(|fs| fs.filesystem_type()) {
                    Ok(kind) if !LOCAL.contains(&kind) => Mode::Poll(PollReason::NotLocal),
                    _ => Mode::Events,
                };
            }
            // Tried again with the next pass: the directory may come, or be made readable.
            Err(errno) => {
                self.layout = None;
                if !matches!(errno, Errno::ENOENT | Errno::ENOTDIR) {
                    self.mode = Mode::Poll(reason(errno));
                }
            }
        }
    }

    /// Takes all events that have arrived; says whether the set may have changed.
    pub fn take(&mut self) -> bool {
        let Some(inotify) = &self.inotify else { return false };
        let mut changed = false;
        while let Ok(events) = inotify.read_events() {
            for event in events {
                let gone = AddWatchFlags::IN_IGNORED
                    | AddWatchFlags::IN_UNMOUNT
                    | AddWatchFlags::IN_MOVE_SELF
                    | AddWatchFlags::IN_DELETE_SELF;
                if event.mask.intersects(gone) {
                    // The directory is not at its place any more: arm the watch anew there.
                    let _ = inotify.rm_watch(event.wd);
                    self.layout = None;
                    changed = true;
                }
                let lost = event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW);
                let flipped = event.name.as_deref().is_some_and(|name| name == DATA_LINK);
                changed |= lost || flipped || self.layout == Some(Layout::Plain);
            }
        }
        changed
    }

    /// The descriptor that becomes readable when there is something to [`Watch::take`].
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.inotify.as_ref().map(AsFd::as_fd)
    }
}

fn mask(layout: Layout) -> AddWatchFlags {
    let always = AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_MOVE_SELF
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_ONLYDIR;
    match layout {
        Layout::Atomic => always,
        Layout::Plain => {
            always | AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_MOVED_FROM | AddWatchFlags::IN_DELETE
        }
    }
}

fn reason(errno: Errno) -> PollReason {
    match errno {
        Errno::EMFILE | Errno::ENFILE | Errno::ENOSPC | Errno::ENOMEM => PollReason::Exhausted,
        errno => PollReason::Refused(errno),
    }
}
