//! A volume that is laid out and updated exactly as the Secrets Store CSI driver does it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};

use time::OffsetDateTime;

use crate::util::random;

const DATA: &str = "..data";
const DATA_TMP: &str = "..data_tmp";
const MAX_FILE_NAME: usize = 255;
const MAX_PATH: usize = 4096;

/// Whether a write changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// `..data` points to a new directory.
    Switched,
    /// The set was there already, and nothing at all was touched.
    Unchanged,
}

/// A volume, seen from the side that writes it.
///
/// ```text
/// DIR/..2026_11_23_02_50_06.1234567890/ExamplePassword
/// DIR/..data            -> ..2026_11_23_02_50_06.1234567890
/// DIR/ExamplePassword   -> ..data/ExamplePassword
/// ```
#[derive(Debug, Clone)]
pub struct Mount {
    dir: PathBuf,
    mode: u32,
}

/// When the links of new files appear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Links {
    /// Before the switch, so they dangle for a moment: the CSI driver.
    Before,
    /// After the switch, so a new file is missing for a moment: the kubelet.
    After,
}

impl Mount {
    /// A volume in this directory, which is made if it is not there. A volume that was written before goes on.
    pub fn create(dir: impl Into<PathBuf>) -> io::Result<Self> {
        let dir = dir.into();
        fs::create_dir_all(&dir)?;
        Ok(Self { dir, mode: 0o644 })
    }

    /// The permissions that new files get, instead of 0644. A change of permissions alone switches nothing.
    #[must_use]
    pub fn file_mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// The volume's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Replaces the whole set as the driver does. A name may have directories in it.
    pub fn write<N: AsRef<str>, V: AsRef<[u8]>>(&self, files: &[(N, V)]) -> io::Result<Written> {
        self.update(files, Links::Before, || {})
    }

    /// Like [`Mount::write`], but calls `pause` when everything new is there and only the switch is missing.
    pub fn write_paused<N: AsRef<str>, V: AsRef<[u8]>>(
        &self,
        files: &[(N, V)],
        pause: impl FnOnce(),
    ) -> io::Result<Written> {
        self.update(files, Links::Before, pause)
    }

    /// Replaces the whole set in the order of the kubelet, which writes Secret and projected volumes.
    pub fn write_as_kubelet<N: AsRef<str>, V: AsRef<[u8]>>(&self, files: &[(N, V)]) -> io::Result<Written> {
        self.update(files, Links::After, || {})
    }

    fn update<N: AsRef<str>, V: AsRef<[u8]>>(
        &self,
        files: &[(N, V)],
        links: Links,
        pause: impl FnOnce(),
    ) -> io::Result<Written> {
        let files: BTreeMap<&str, &[u8]> =
            files.iter().map(|(name, content)| (name.as_ref(), content.as_ref())).collect();
        for name in files.keys() {
            validate(name)?;
        }

        let old = self.target()?;
        let removed = match &old {
            Some(old) => stale(old, &files)?,
            None => BTreeSet::new(),
        };
        if let Some(old) = &old
            && removed.is_empty()
            && files.iter().all(|(name, content)| fs::read(old.join(name)).is_ok_and(|old| old == *content))
        {
            return Ok(Written::Unchanged);
        }

        let fresh = self.timestamp_dir()?;
        for (name, content) in &files {
            let path = fresh.join(name);
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::write(&path, content)?;
            // Once more, because the umask has had its say in the first.
            fs::set_permissions(&path, Permissions::from_mode(self.mode))?;
        }
        if links == Links::Before {
            self.link(&files)?;
        }
        let next = self.dir.join(DATA_TMP);
        symlink(fresh.file_name().expect("the directory has a name"), &next)?;
        pause();
        fs::rename(next, self.dir.join(DATA))?;
        if links == Links::After {
            self.link(&files)?;
        }
        // Only what is at the top has a link.
        for path in removed.iter().filter(|path| path.components().count() == 1) {
            fs::remove_file(self.dir.join(path))?;
        }
        if let Some(old) = old {
            fs::remove_dir_all(old)?;
        }
        Ok(Written::Switched)
    }

    /// The directory that `..data` points to.
    fn target(&self) -> io::Result<Option<PathBuf>> {
        match fs::read_link(self.dir.join(DATA)) {
            Ok(target) => Ok(Some(self.dir.join(target))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn timestamp_dir(&self) -> io::Result<PathBuf> {
        let now = OffsetDateTime::now_utc();
        let stamp = format!(
            "..{:04}_{:02}_{:02}_{:02}_{:02}_{:02}",
            now.year(),
            u8::from(now.month()),
            now.day(),
            now.hour(),
            now.minute(),
            now.second()
        );
        loop {
            let dir = self.dir.join(format!("{stamp}.{}", u32::from_ne_bytes(random())));
            match DirBuilder::new().mode(0o700).create(&dir) {
                Ok(()) => {
                    fs::set_permissions(&dir, Permissions::from_mode(0o755))?;
                    return Ok(dir);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Links the first component of every name that has no link yet.
    fn link(&self, files: &BTreeMap<&str, &[u8]>) -> io::Result<()> {
        for name in files.keys() {
            let first = name.split('/').next().unwrap_or(name);
            let link = self.dir.join(first);
            if fs::read_link(&link).is_err() {
                symlink(Path::new(DATA).join(first), link)?;
            }
        }
        Ok(())
    }
}

/// Everything below `dir`, directories included, that the new set has no use for.
fn stale(dir: &Path, files: &BTreeMap<&str, &[u8]>) -> io::Result<BTreeSet<PathBuf>> {
    let kept: BTreeSet<&Path> = files.keys().flat_map(|name| Path::new(name).ancestors()).collect();
    let mut stale = BTreeSet::new();
    let mut pending = vec![dir.to_owned()];
    while let Some(current) = pending.pop() {
        for entry in fs::read_dir(current)? {
            let entry = entry?;
            let path = entry.path();
            let relative = path.strip_prefix(dir).expect("the walk stays below its start");
            if !kept.contains(relative) {
                stale.insert(relative.to_owned());
            }
            if entry.file_type()?.is_dir() {
                pending.push(path);
            }
        }
    }
    Ok(stale)
}

fn validate(name: &str) -> io::Result<()> {
    let path = Path::new(name);
    let clean = path.components().all(|part| matches!(part, Component::Normal(_)))
        && path.components().collect::<PathBuf>().as_os_str() == path.as_os_str();
    let short = name.len() <= MAX_PATH && name.split('/').all(|part| part.len() <= MAX_FILE_NAME);
    if !name.is_empty() && clean && short && !name.starts_with("..") {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{name} is not a name for a file of a volume")))
}
