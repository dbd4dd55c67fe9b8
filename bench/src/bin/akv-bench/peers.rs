//! Other programs that do a part of the work, where they are installed.

use std::{env, io, path::PathBuf, process::Command};

/// Init processes for containers, and what they take before the program that they run.
const WRAPPERS: [(&str, &[&str]); 4] =
    [("tini", &["-s", "--"]), ("tini-static", &["-s", "--"]), ("dumb-init", &["--"]), ("catatonit", &["--"])];

/// A wrapper that is installed.
#[derive(Debug)]
pub(crate) struct Wrapper {
    pub(crate) name: &'static str,
    program: PathBuf,
    arguments: &'static [&'static str],
}

impl Wrapper {
    /// The command that runs `program` under this wrapper.
    pub(crate) fn command(&self, program: &Command) -> Command {
        let mut command = Command::new(&self.program);
        command.args(self.arguments).arg(program.get_program()).args(program.get_args());
        command
    }
}

/// The wrappers on this machine; says which are missing.
pub(crate) fn wrappers() -> io::Result<Vec<Wrapper>> {
    let mut found = Vec::new();
    for (name, arguments) in WRAPPERS {
        match find(name) {
            Some(program) => found.push(Wrapper { name, program, arguments }),
            None => crate::report::line(&format!("Not installed, so not measured: {name}"))?,
        }
    }
    Ok(found)
}

/// Where on the path a program is.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}
