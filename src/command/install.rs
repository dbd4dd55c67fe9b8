//! `install`: puts the agent's own binary where other containers of the pod find it. An image from scratch
//! has no `cp`.

use crate::{
    failure::{Class, ExitCode, Failure},
    output::atomic,
};
use std::path::Path;

/// Copies the running binary to `DIRECTORY/akv-agent`, atomically, executable by all.
pub(super) fn run(directory: &Path) -> Result<ExitCode, Failure> {
    let target = directory.join("akv-agent");
    let failure = |step: &str, error: std::io::Error| {
        Failure::new(Class::CannotCreate, format!("cannot install {}: {step}: {error}", target.display()))
    };
    let binary = std::fs::read("/proc/self/exe")
        .or_else(|_| std::fs::read(std::env::current_exe()?))
        .map_err(|error| failure("reading this binary", error))?;
    atomic::replace(&target, 0o755, &binary).map_err(|(step, error)| failure(step, error))?;
    super::print(&format!("{}\n", target.display()))?;
    Ok(ExitCode::OK)
}
