//! The mounted volume as a source: reads one consistent set.
//!
//! Volumes of the Secrets Store CSI driver and of the kubelet flip as a whole: `..data` is a link to a
//! timestamped directory and is replaced by rename(2). So the link is resolved once, every file is read
//! through that one directory handle, and a set is never mixed. The old directory is deleted soon after a
//! flip; when that happens underneath a read, the read starts again.
//!
//! Plain directories work too; there a set is as consistent as its writer makes it.

use crate::{failure::Class, reference::MountPath, secret::SecretValue, sys};
use nix::{
    errno::Errno,
    fcntl::{OFlag, openat},
    sys::stat::{Mode, SFlag, fstat},
};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

/// The link that an atomic volume flips.
pub const DATA_LINK: &str = "..data";

/// No secret is larger: Key Vault stops at 25 KiB, a Kubernetes Secret at 1 MiB.
const MAX_FILE_SIZE: u64 = 1 << 20;

/// How often a read may start again because the set was replaced meanwhile. Each one means that a whole
/// rotation fitted into one read, so a handful is already absurd.
const MAX_ATTEMPTS: usize = 16;

/// How the volume is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `..data` flips: Secrets Store CSI, Secret, `ConfigMap` and projected volumes.
    Atomic,
    /// Ordinary files.
    Plain,
}

/// One consistent set of files.
#[derive(Debug, Clone)]
pub struct MountSet {
    /// The wanted files that are there.
    pub files: BTreeMap<MountPath, SecretValue>,
    /// How the volume is laid out.
    pub layout: Layout,
    /// What `..data` pointed to: the writer's name for this set.
    pub generation: Option<String>,
}

/// Why no set could be read.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// There is no such directory.
    #[error("the mount {} does not exist; is the volume mounted into this container?", .0.display())]
    Missing(PathBuf),
    /// It is a file, which is what a `subPath` mount of one key gives.
    #[error(
        "the mount {} is not a directory; mount the volume's directory, a `subPath` mount never sees a rotation",
        .0.display()
    )]
    NotADirectory(PathBuf),
    /// The volume is there but nothing has been written into it.
    #[error("the mount {} is empty; the CSI driver has not written it yet", .0.display())]
    Empty(PathBuf),
    /// A wanted name is not a regular file.
    #[error("{} is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// A file is larger than any secret.
    #[error("{} is larger than 1 MiB", .0.display())]
    TooLarge(PathBuf),
    /// The set was replaced again and again while it was read.
    #[error("the mount {} is being replaced faster than it can be read", .0.display())]
    Restless(PathBuf),
    /// The kernel said no.
    #[error("cannot read {}: {}", path.display(), source)]
    Io {
        /// Which file or directory.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

impl MountError {
    /// How the agent ends if this lasts until the deadline.
    pub fn class(&self) -> Class {
        match self {
            Self::Io { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => Class::Permission,
            Self::NotADirectory(_) => Class::Config,
            _ => Class::Unavailable,
        }
    }
}

/// Reads the `wanted` files of the volume at `root` as one set. A wanted file that is not there is left
/// out; whether that is an error is for the caller to say.
pub fn read<'a>(
    root: &Path,
    wanted: impl IntoIterator<Item = &'a MountPath, IntoIter: Clone>,
) -> Result<MountSet, MountError> {
    let wanted = wanted.into_iter();
    for _ in 0..MAX_ATTEMPTS {
        let set = SetHandle::open(root)?;
        if let Some(files) = set.read(root, wanted.clone())? {
            return Ok(MountSet { files, layout: set.layout, generation: set.generation });
        }
    }
    Err(MountError::Restless(root.into()))
}

/// One resolved set: everything is opened relative to `directory`.
struct SetHandle {
    root: OwnedFd,
    directory: OwnedFd,
    layout: Layout,
    generation: Option<String>,
}

impl SetHandle {
    fn open(root: &Path) -> Result<Self, MountError> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        let root_fd =
            nix::fcntl::open(root, flags, Mode::empty()).map_err(|errno| open_error(root, errno))?;
        for _ in 0..MAX_ATTEMPTS {
            let Some(generation) = generation(&root_fd) else {
                let directory = root_fd.try_clone().map_err(|source| io_error(root, source))?;
                return Ok(Self { root: root_fd, directory, layout: Layout::Plain, generation: None });
            };
            match openat(&root_fd, generation.as_str(), flags, Mode::empty()) {
                Ok(directory) => {
                    let generation = Some(generation);
                    return Ok(Self { root: root_fd, directory, layout: Layout::Atomic, generation });
                }
                // Flipped and deleted between the two calls: resolve again.
                Err(Errno::ENOENT) => (),
                Err(errno) => return Err(open_error(&root.join(DATA_LINK), errno)),
            }
        }
        Err(MountError::Restless(root.into()))
    }

    /// The wanted files, or `None` if the set was replaced while it was read.
    fn read<'a>(
        &self,
        root: &Path,
        wanted: impl Iterator<Item = &'a MountPath>,
    ) -> Result<Option<BTreeMap<MountPath, SecretValue>>, MountError> {
        let mut files = BTreeMap::new();
        let mut absent = false;
        for path in wanted {
            match self.read_file(root, path)? {
                Some(value) => drop(files.insert(path.clone(), value)),
                None => absent = true,
            }
        }
        // A file that is not there may have been deleted with the whole old set just now.
        if absent && self.layout == Layout::Atomic && generation(&self.root) != self.generation {
            return Ok(None);
        }
        if absent && files.is_empty() && self.is_empty() {
            return Err(MountError::Empty(root.into()));
        }
        Ok(Some(files))
    }

    fn read_file(&self, root: &Path, path: &MountPath) -> Result<Option<SecretValue>, MountError> {
        let shown = || root.join(path.as_str());
        // O_NONBLOCK: a FIFO in a plain directory must not hang the agent.
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let file = match openat(&self.directory, path.as_str(), flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(None),
            Err(errno) => return Err(io_error(&shown(), errno.into())),
        };
        let stat = fstat(&file).map_err(|errno| io_error(&shown(), errno.into()))?;
        if SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
            return Err(MountError::NotAFile(shown()));
        }
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        if size > MAX_FILE_SIZE {
            return Err(MountError::TooLarge(shown()));
        }
        // Sized at once, so that the buffer never moves and leaves no copy behind.
        let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
        file.take(MAX_FILE_SIZE + 1).read_to_end(&mut bytes).map_err(|source| io_error(&shown(), source))?;
        Ok(Some(SecretValue::new(bytes)))
    }

    fn is_empty(&self) -> bool {
        let Ok(directory) = self.directory.try_clone() else { return false };
        let Ok(mut entries) = nix::dir::Dir::from_fd(directory) else { return false };
        entries.iter().flatten().all(|entry| matches!(entry.file_name().to_bytes(), b"." | b".."))
    }
}

/// What `..data` points to right now; `None` where there is no such link.
fn generation(root: impl AsFd) -> Option<String> {
    // No name of a directory is as long.
    let mut buffer = [0; 256];
    let target = sys::read_link(root, DATA_LINK, &mut buffer).ok()?;
    (target.len() < 256).then(|| String::from_utf8_lossy(target).into_owned())
}

fn open_error(path: &Path, errno: Errno) -> MountError {
    match errno {
        Errno::ENOENT => MountError::Missing(path.into()),
        Errno::ENOTDIR => MountError::NotADirectory(path.into()),
        errno => io_error(path, errno.into()),
    }
}

fn io_error(path: &Path, source: io::Error) -> MountError {
    MountError::Io { path: path.into(), source }
}
