//! From a file and an environment to a [`Config`], or to the list of all that is wrong.

use super::{
    Config, Listen, Lookup,
    build::{File, build},
    environment::{self, Variables},
    problem::{At, Problems},
    value,
    yaml::{self, MAX_BYTES, Value},
};
use crate::{failure::Failure, files};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where the configuration file is if nobody says otherwise.
pub const DEFAULT_FILE: &str = "/etc/akv-agent/config.yaml";

/// What the command line says about the configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Args {
    /// `--config`.
    pub file: Option<PathBuf>,
}

/// Reads and checks everything. The failure has one line per problem.
pub fn load(args: &Args, lookup: &dyn Lookup) -> Result<Config, Failure> {
    load_with_default(args, lookup, Path::new(DEFAULT_FILE))
}

pub(super) fn load_with_default(args: &Args, lookup: &dyn Lookup, default: &Path) -> Result<Config, Failure> {
    let problems = Problems::default();
    let (config, name) = read(args, lookup, default, &problems);
    problems.or(config, name.as_deref().unwrap_or(default))
}

/// Where the agent of this configuration listens, whatever else may be wrong with it by now: a file that was
/// edited after the agent has started must not make its probes fail.
pub fn listen(args: &Args, lookup: &dyn Lookup) -> Listen {
    read(args, lookup, Path::new(DEFAULT_FILE), &Problems::default()).0.listen
}

fn read(args: &Args, lookup: &dyn Lookup, default: &Path, problems: &Problems) -> (Config, Option<PathBuf>) {
    let variables = environment::read(lookup, problems);
    let path = path(args, &variables, problems);
    let text = match &path {
        Err(Relative) => None,
        Ok(Some(path)) => text(path, problems),
        Ok(None) => match fs::exists(default) {
            Ok(false) => Some(String::new()),
            _ => text(default, problems),
        },
    };
    let root = text.as_deref().and_then(|text| yaml::parse(text, problems));
    let file = match &root {
        None => File::Broken,
        Some(root) if root.value == Value::Null => File::Absent,
        Some(root) => File::Read(root),
    };
    let config = build(&file, &variables, lookup, problems);
    (config, path.ok().flatten())
}

/// The variable does not say which file it means; that has been reported.
struct Relative;

/// The file that somebody asked for.
fn path(args: &Args, variables: &Variables, problems: &Problems) -> Result<Option<PathBuf>, Relative> {
    if let Some(file) = &args.file {
        return Ok(Some(file.clone()));
    }
    let Some((name, text)) = variables.get("AKV_AGENT_CONFIG") else { return Ok(None) };
    let path = value::file_path(text).map_err(|error| {
        problems.variable(name, error);
        Relative
    })?;
    Ok(Some(path))
}

fn text(path: &Path, problems: &Problems) -> Option<String> {
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    let bytes = files::read_regular(path, limit)
        .map_err(|error| {
            problems.file(format_args!("cannot be read: {error}; check the path and its permissions"));
        })
        .ok()?;
    if bytes.len() > MAX_BYTES {
        problems.file("larger than 1 MiB; a configuration file is expected here");
        return None;
    }
    String::from_utf8(bytes)
        .map_err(|error| {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = valid.split(|byte| *byte == b'\n').count();
            problems.add(At::Line(line), "", "not UTF-8 text; save the file as UTF-8");
        })
        .ok()
}
