//! Outputs: what the app reads. Rendering is pure; only [`atomic`] touches the disk.
//!
//! A new format is a variant of [`format::Format`]; the compiler says what it has to answer.

pub mod atomic;
pub mod format;

use crate::{config::EnvFile, snapshot::Snapshot};
use std::{fs, io, os::unix::fs::PermissionsExt, path::PathBuf};
use zeroize::Zeroizing;

/// An output that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The format cannot express a value.
    #[error("{variable} cannot be written to {}: {source}", path.display())]
    Inexpressible {
        /// Which variable.
        variable: String,
        /// Which output.
        path: PathBuf,
        /// What the format refuses.
        source: format::Inexpressible,
    },
    /// The whole file is more than its reader takes.
    #[error("{} cannot be written: {source}", path.display())]
    TooLarge {
        /// Which output.
        path: PathBuf,
        /// What the format refuses.
        source: format::Inexpressible,
    },
    /// The kernel said no.
    #[error("cannot write {}: {step}: {source}", path.display())]
    Io {
        /// Which output.
        path: PathBuf,
        /// What was being done.
        step: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

/// One output as it should be on disk.
#[derive(Debug)]
pub struct Rendered {
    path: PathBuf,
    mode: u32,
    content: Zeroizing<Vec<u8>>,
}

/// How the file on disk compares to what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// There is none.
    Absent,
    /// It is exactly as it should be.
    Current,
    /// Only its permissions differ.
    OtherMode,
    /// It has other content: somebody may have started with it.
    Stale,
}

/// Renders one env file, refusing what its format cannot express.
pub fn render(output: &EnvFile, snapshot: &Snapshot) -> Result<Rendered, OutputError> {
    let format = output.format;
    // Sized once, so that growing leaves no copies of values behind in freed memory.
    let sizes = snapshot.entries.iter().map(|e| format::bound(e.variable.as_str(), e.value.expose()));
    let size = sizes.sum::<usize>() + format::END;
    let mut content = Zeroizing::new(Vec::with_capacity(size));
    for entry in &snapshot.entries {
        format.line(entry.variable.as_str(), entry.value.expose(), &mut content).map_err(|source| {
            OutputError::Inexpressible {
                variable: entry.variable.to_string(),
                path: output.path.clone(),
                source,
            }
        })?;
    }
    format
        .finish(&mut content)
        .map_err(|source| OutputError::TooLarge { path: output.path.clone(), source })?;
    debug_assert!(content.len() <= size, "the bound must be an upper bound");
    Ok(Rendered { path: output.path.clone(), mode: output.mode, content })
}

impl Rendered {
    /// Compares with what is on disk. A file that cannot be read counts as stale: it is replaced.
    pub fn compare(&self) -> Found {
        let metadata = match fs::symlink_metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Found::Absent,
            Err(_) => return Found::Stale,
        };
        if !metadata.is_file() || metadata.len() != self.content.len() as u64 {
            return Found::Stale;
        }
        match fs::read(&self.path).map(Zeroizing::new) {
            Ok(content) if *content == *self.content => {
                if metadata.permissions().mode() & 0o7777 == self.mode {
                    Found::Current
                } else {
                    Found::OtherMode
                }
            }
            _ => Found::Stale,
        }
    }

    /// Puts it on disk, atomically and durably.
    pub fn write(&self) -> Result<(), OutputError> {
        atomic::replace(&self.path, self.mode, &self.content).map_err(|(step, source)| OutputError::Io {
            path: self.path.clone(),
            step,
            source,
        })
    }
}
