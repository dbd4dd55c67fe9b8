//! What every section works with: the programs, a directory, and how much effort to spend.

use crate::{
    agent::Build,
    arguments::Options,
    goals::{self, Goal},
    report,
};
use anyhow::Context as _;
use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// What every section works with.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) agent: Build,
    /// Another build of it, measured beside it.
    beside: Option<Build>,
    pub(crate) dev_vault: Option<PathBuf>,
    pub(crate) floor: PathBuf,
    pub(crate) payload: PathBuf,
    dir: Directory,
    quick: bool,
}

impl Bench {
    fn new(options: &Options) -> anyhow::Result<Self> {
        let own = env::current_exe().context("cannot find out where akv-bench is")?;
        let dir = Directory(options.dir.join(format!("akv-bench-{}", std::process::id())));
        let programs = dir.0.join("programs");
        fs::create_dir_all(&programs).with_context(|| programs.display().to_string())?;
        let copy = |path: &Path| copy(path, &programs);
        let other = dir.0.join("beside");
        fs::create_dir_all(&other).with_context(|| other.display().to_string())?;
        let beside =
            |path: &PathBuf| Ok::<_, anyhow::Error>(Build::new("other build", self::copy(path, &other)?));
        Ok(Self {
            agent: Build::new("akv-agent", copy(&options.agent)?),
            beside: options.beside.as_ref().map(beside).transpose()?,
            dev_vault: options.dev_vault.as_deref().map(copy).transpose()?,
            floor: copy(&own.with_file_name("bench-floor"))?,
            payload: copy(&own.with_file_name("bench-payload"))?,
            dir,
            quick: options.quick,
        })
    }

    /// Every build of the agent that there is.
    pub(crate) fn builds(&self) -> impl Iterator<Item = &Build> {
        std::iter::once(&self.agent).chain(&self.beside)
    }

    /// How often, or how long, something is done.
    pub(crate) fn effort<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// An empty directory under this name; what was there before is gone.
    pub(crate) fn dir(&self, name: &str) -> anyhow::Result<PathBuf> {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
        let dir = self.dir.0.join(name.chars().map(plain).collect::<String>());
        if dir.exists() {
            fs::remove_dir_all(&dir).with_context(|| format!("cannot clear {}", dir.display()))?;
        }
        fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(dir)
    }
}

/// The benchmark's own directory; removed when this is dropped.
#[derive(Debug)]
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs the sections one after the other.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let bench = Bench::new(options)?;
    let mut goals: Vec<Goal> = Vec::new();
    for section in &options.sections {
        let name = section.name();
        report::heading(name)?;
        goals.extend(section.run(&bench).with_context(|| format!("section {name}"))?);
        report::load("After")?;
    }
    report::heading("goals")?;
    Ok(goals::report(&goals)?)
}

/// Copies a program into `dir`.
///
/// How much of a program counts as resident depends on how it lies in the page cache: where that has large
/// folios, the kernel maps each as a whole. A fresh copy on a tmpfs is the same in every run.
fn copy(program: &Path, dir: &Path) -> anyhow::Result<PathBuf> {
    let name = program.file_name().with_context(|| format!("{} is not a program", program.display()))?;
    let copy = dir.join(name);
    fs::copy(program, &copy).with_context(|| format!("cannot copy {}", program.display()))?;
    Ok(copy)
}
