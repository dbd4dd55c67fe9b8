//! The state on disk: a small JSON file that only the agent's own user may read, since it holds the key.
//!
//! Whatever is wrong with it is an error that says what, and never quotes what is in it.

use super::State;
use crate::{
    config::EnvName,
    fingerprint::{Fingerprint, Key},
    ordered::Ordered as _,
    output::atomic,
};
use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    fs::OpenOptions,
    io::{self, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

/// What this agent writes, and all that it reads.
const VERSION: u64 = 1;
const MODE: u32 = 0o600;
/// Room for twenty thousand variables. A file that is larger than that is not one of ours.
const LARGEST: u64 = 4 << 20;

/// Why there is no state to be had from a file.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// There is no file.
    #[error("is not there")]
    Absent,
    /// A link may lead anywhere.
    #[error("is a symbolic link")]
    Link,
    /// The kernel said no.
    #[error("cannot be read: {0}")]
    Io(io::Error),
    /// It is a directory, a FIFO or the like.
    #[error("is not a regular file")]
    NotAFile,
    /// Somebody else wrote it.
    #[error("belongs to user {owner}, and the agent runs as user {own}")]
    Foreign {
        /// Whose it is.
        owner: u32,
        /// Who we are.
        own: u32,
    },
    /// It is larger than a state can be.
    #[error("is larger than {LARGEST} bytes")]
    TooLarge,
    /// Another release of the agent wrote it.
    #[error("has version {0} of its format, and this agent reads version {VERSION}")]
    Version(u64),
    /// It was cut off, or is something else.
    #[error("is damaged, at line {line}, column {column}")]
    Damaged {
        /// Where, from 1.
        line: usize,
        /// Where, from 1.
        column: usize,
    },
    /// Somebody else changed it.
    #[error("is damaged: it names what cannot be a variable")]
    NotAVariable,
}

impl From<serde_json::Error> for LoadError {
    // Its message may quote the file.
    fn from(error: serde_json::Error) -> Self {
        Self::Damaged { line: error.line(), column: error.column() }
    }
}

#[derive(Deserialize)]
struct Head {
    version: u64,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u64,
    key: &'a Key,
    given: BTreeMap<&'a str, Fingerprint>,
}

#[derive(Deserialize)]
struct Found {
    key: Key,
    given: BTreeMap<String, Fingerprint>,
}

/// Reads a file that [`save`] has written.
pub fn load(path: &Path) -> Result<State, LoadError> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|error| {
        match error.raw_os_error() {
            Some(libc::ENOENT) => LoadError::Absent,
            Some(libc::ELOOP) => LoadError::Link,
            _ => LoadError::Io(error),
        }
    })?;
    let metadata = file.metadata().map_err(LoadError::Io)?;
    if !metadata.is_file() {
        return Err(LoadError::NotAFile);
    }
    let (owner, own) = (metadata.uid(), geteuid().as_raw());
    if owner != own {
        return Err(LoadError::Foreign { owner, own });
    }
    let mut text = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut text).map_err(LoadError::Io)?;
    if text.len() as u64 > LARGEST {
        return Err(LoadError::TooLarge);
    }
    parse(&text)
}

fn parse(text: &[u8]) -> Result<State, LoadError> {
    // First of all, since another version may have nothing else in common with this one.
    let Head { version } = serde_json::from_slice(text)?;
    if version != VERSION {
        return Err(LoadError::Version(version));
    }
    let Found { key, given } = serde_json::from_slice(text)?;
    let mut state = State { key, given: BTreeMap::new() };
    for (name, fingerprint) in given {
        state.given.insert(EnvName::parse(&name).map_err(|_| LoadError::NotAVariable)?, fingerprint);
    }
    Ok(state)
}

/// Replaces the file, atomically. An error says what was being done.
pub fn save(path: &Path, state: &State) -> Result<(), (&'static str, io::Error)> {
    let given = state.given.iter().map(|(name, fingerprint)| (name.as_str(), *fingerprint)).into_map();
    let written = Written { version: VERSION, key: &state.key, given };
    let mut text = serde_json::to_vec(&written).map_err(|error| ("writing it down", error.into()))?;
    text.push(b'\n');
    atomic::replace(path, MODE, &text)
}

#[cfg(test)]
mod tests {
    use super::{super::tests::state, *};
    use std::{
        fs,
        os::unix::fs::{PermissionsExt, chown, symlink},
        path::PathBuf,
    };

    fn place() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state");
        (directory, path)
    }

    fn problem(path: &Path) -> String {
        load(path).unwrap_err().to_string()
    }

    #[test]
    fn what_was_saved_is_loaded() {
        let (directory, path) = place();
        for given in ["A=1 B=2", "A=1", ""] {
            let state = state(given);
            save(&path, &state).unwrap();
            assert_eq!(load(&path).unwrap(), state);
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    /// A later agent has to read what this one writes, and whoever looks at the file what it says.
    #[test]
    fn its_format_is_fixed() {
        let digits = |digit: &str| digit.repeat(64);
        let text = format!(
            "{{\"version\":1,\"key\":\"{}\",\"given\":{{\"A\":\"{}\",\"B_2\":\"{}\"}}}}\n",
            digits("1"),
            digits("2"),
            digits("f")
        );
        let (_directory, path) = place();
        fs::write(&path, &text).unwrap();
        save(&path, &load(&path).unwrap()).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn whatever_else_is_in_a_file_is_refused_and_not_quoted() {
        let (_directory, path) = place();
        save(&path, &state("A=1")).unwrap();
        let good = fs::read_to_string(&path).unwrap();
        let cases: [(Vec<u8>, &str); 12] = [
            (b"".to_vec(), "is damaged"),
            (good.as_bytes()[..good.len() / 2].to_vec(), "is damaged"),
            (good.replace("{\"A\"", "\"A\"").into_bytes(), "is damaged"),
            (good.replace("\"A\"", "\"not a name\"").into_bytes(), "is damaged: it names"),
            (good.replace("\"key\":\"", "\"key\":\"0").into_bytes(), "is damaged"),
            (good.replace("\"key\"", "\"other\"").into_bytes(), "is damaged"),
            (good.clone().into_bytes().into_iter().chain(*b"canary").collect(), "is damaged"),
            (b"\"canary\"".to_vec(), "is damaged"),
            (vec![0xff; 100], "is damaged"),
            (good.replace("\"version\":1", "\"version\":\"canary\"").into_bytes(), "is damaged"),
            (b"{\"version\": 7, \"what\": \"canary\"}".to_vec(), "has version 7"),
            (vec![b' '; usize::try_from(LARGEST).unwrap() + 1], "is larger than"),
        ];
        for (content, expected) in cases {
            fs::write(&path, &content).unwrap();
            let problem = problem(&path);
            assert!(problem.contains(expected), "{problem}: {:?}", String::from_utf8_lossy(&content));
            assert!(!problem.contains("canary"), "{problem}");
        }
    }

    #[test]
    fn no_other_kind_of_file_is_read() {
        let (directory, path) = place();
        assert_eq!(problem(&path), "is not there");
        assert_eq!(problem(&path.join("below")), "is not there");
        let target = directory.path().join("target");
        save(&target, &state("A=1")).unwrap();
        assert!(matches!(load(&target.join("below")), Err(LoadError::Io(_))));
        symlink(&target, &path).unwrap();
        assert_eq!(problem(&path), "is a symbolic link");
        save(&path, &state("B=1")).unwrap();
        assert!(fs::symlink_metadata(&path).unwrap().is_file(), "it is replaced, not followed");
        assert_eq!(load(&target).unwrap().given.len(), 1);
        fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(problem(&path), "is not a regular file");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(problem(&path), "is not a regular file");
    }

    #[test]
    fn what_somebody_else_wrote_is_not_believed() {
        let (_directory, path) = place();
        save(&path, &state("A=1")).unwrap();
        if chown(&path, Some(65534), None).is_err() {
            assert!(!geteuid().is_root(), "only root can make a file another user's");
            return;
        }
        assert!(problem(&path).contains("belongs to user 65534"), "{}", problem(&path));
    }
}
