//! Replaces a file so that a reader sees the old one or the new one, never a torn one, even if the agent
//! is killed at any instruction.
//!
//! The temporary file lies in the same directory (rename(2) does not cross file systems), has its mode
//! before its content, is synced before the rename, and the directory is synced after it. Its name is
//! always the same, so that what a killed agent leaves behind is found and reused, not collected.

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg, OFlag, open, openat, renameat},
    sys::stat::{Mode, fchmod},
    unistd::{UnlinkatFlags, fsync, unlinkat},
};
use std::{
    ffi::OsString,
    fs::File,
    io::{self, Write},
    os::fd::OwnedFd,
    path::Path,
    time::Duration,
};

/// What was being done when the kernel said no.
type Step = (&'static str, io::Error);

/// Replaces the file at `path` by one with `mode` and `content`.
///
/// A symbolic link at `path` is replaced, not followed. The directory must exist.
pub fn replace(path: &Path, mode: u32, content: &[u8]) -> Result<(), Step> {
    let invalid = || ("opening its directory", io::Error::from(io::ErrorKind::InvalidInput));
    let (parent, name) = (path.parent().ok_or_else(invalid)?, path.file_name().ok_or_else(invalid)?);
    let flags = OFlag::O_DIRECTORY | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    let directory = open(parent, flags, Mode::empty()).map_err(step("opening its directory"))?;
    let directory = lock(directory).map_err(step("waiting for another agent that writes there"))?;

    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(".akv-agent-new");
    let temporary = Temporary { directory: &directory, name: &temporary };

    let mut file = File::from(temporary.create().map_err(step("creating a temporary file beside it"))?);
    fchmod(&file, Mode::from_bits_truncate(mode)).map_err(step("setting its mode"))?;
    file.write_all(content).map_err(|error| ("writing", error))?;
    fsync(&file).map_err(step("syncing"))?;
    renameat(&*directory, temporary.name.as_os_str(), &*directory, name).map_err(step("renaming"))?;
    std::mem::forget(temporary);
    fsync(&*directory).map_err(step("syncing its directory"))
}

/// The directory, for as long as one file is replaced: two agents that write there take turns, because they
/// would take each other's temporary file for a dead one's. A lock ends with its holder.
fn lock(mut directory: OwnedFd) -> nix::Result<Flock<OwnedFd>> {
    let mut tries = LOCK_TRIES;
    loop {
        directory = match Flock::lock(directory, FlockArg::LockExclusiveNonblock) {
            Ok(locked) => return Ok(locked),
            Err((directory, Errno::EWOULDBLOCK)) if tries > 0 => directory,
            Err((_, errno)) => return Err(errno),
        };
        tries -= 1;
        std::thread::sleep(LOCK_WAIT);
    }
}

/// A file is replaced within a millisecond or two. What takes longer is tried again by the caller.
const LOCK_TRIES: u32 = 50;
const LOCK_WAIT: Duration = Duration::from_millis(1);

fn step(what: &'static str) -> impl Fn(Errno) -> Step {
    move |errno| (what, errno.into())
}

/// Removed again unless it was renamed.
struct Temporary<'a> {
    directory: &'a OwnedFd,
    name: &'a OsString,
}

impl Temporary<'_> {
    fn create(&self) -> nix::Result<OwnedFd> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        // Nobody else may open it before it has its own mode.
        let create = || openat(self.directory, self.name.as_os_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR);
        match create() {
            Err(Errno::EEXIST) => {
                self.remove()?;
                create()
            }
            other => other,
        }
    }

    fn remove(&self) -> nix::Result<()> {
        unlinkat(self.directory, self.name.as_os_str(), UnlinkatFlags::NoRemoveDir)
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        let _ = self.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn replaces_content_and_mode_and_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.env");
        for (mode, content) in [(0o440, "one"), (0o600, "two"), (0o444, "")] {
            replace(&path, mode, content.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, mode);
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_killed_agents_temporary_file_is_no_obstacle() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(".app.env.akv-agent-new"), "torn").unwrap();
        replace(&directory.path().join("app.env"), 0o440, b"whole").unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_is_replaced_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (victim, path) = (directory.path().join("victim"), directory.path().join("app.env"));
        fs::write(&victim, "untouched").unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        replace(&path, 0o440, b"secret").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "untouched");
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
    }

    #[test]
    fn the_old_file_stays_where_the_new_one_cannot_be_made() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.env");
        fs::create_dir(&path).unwrap();
        let (step, _) = replace(&path, 0o440, b"secret").unwrap_err();
        assert_eq!(step, "renaming");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "the temporary file is removed");
        let (step, _) = replace(&directory.path().join("absent/app.env"), 0o440, b"x").unwrap_err();
        assert_eq!(step, "opening its directory");
    }
}
