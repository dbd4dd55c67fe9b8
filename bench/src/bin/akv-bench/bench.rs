//! What every section works with: the programs, a directory, and how much effort to spend.

use crate::{arguments::Options, report};
use anyhow::{Context as _, ensure};
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// What every section works with.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) agent: PathBuf,
    pub(crate) dev_vault: Option<PathBuf>,
    pub(crate) floor: PathBuf,
    pub(crate) payload: PathBuf,
    dir: PathBuf,
    quick: bool,
}

impl Bench {
    fn new(options: &Options) -> anyhow::Result<Self> {
        let own = env::current_exe().context("cannot find out where akv-bench is")?;
        let beside = |name| program(&own.with_file_name(name));
        Ok(Self {
            agent: program(&options.agent)?,
            dev_vault: options.dev_vault.as_deref().map(program).transpose()?,
            floor: beside("bench-floor")?,
            payload: beside("bench-payload")?,
            dir: options.dir.join(format!("akv-bench-{}", std::process::id())),
            quick: options.quick,
        })
    }

    /// How often, or how long, something is done.
    pub(crate) fn effort<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// An empty directory under this name; what was there before is gone.
    pub(crate) fn dir(&self, name: &str) -> anyhow::Result<PathBuf> {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
        let dir = self.dir.join(name.chars().map(plain).collect::<String>());
        if dir.exists() {
            fs::remove_dir_all(&dir).with_context(|| format!("cannot clear {}", dir.display()))?;
        }
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(dir)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Runs the sections one after the other.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let bench = Bench::new(options)?;
    for section in &options.sections {
        let name = section.name();
        report::heading(name)?;
        section.run(&bench).with_context(|| format!("section {name}"))?;
        report::load("After")?;
    }
    Ok(())
}

fn program(path: &Path) -> anyhow::Result<PathBuf> {
    let path = path.canonicalize().with_context(|| path.display().to_string())?;
    ensure!(path.is_file(), "{} is not a program", path.display());
    Ok(path)
}
