//! Starting a program, and why that can fail.

use super::{
    Program,
    child::Child,
    environment::Environment,
    sockets::{self, Listening},
};
use crate::{
    failure::ExitCode,
    sys::{self, Birth, ExecError, Execution},
};
use nix::{
    errno::Errno,
    unistd::{AccessFlags, access},
};
use std::{
    convert::Infallible,
    ffi::{CString, OsStr, OsString},
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd, RawFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

/// How a program is started.
#[derive(Debug, Clone, Copy, Default)]
pub struct Launch<'a> {
    /// The controlling terminal, of which its process group becomes the foreground.
    pub terminal: Option<BorrowedFd<'a>>,
    /// What the kernel sends it when the agent's main thread, which starts it, ends.
    pub parent_death_signal: Option<i32>,
    /// The sockets that it is handed.
    pub sockets: &'a [Listening],
    /// What it reads and where it writes.
    pub streams: Streams,
}

/// The standard streams of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Streams {
    /// Those of the agent.
    #[default]
    Inherited,
    /// It reads nothing, and all it says is for whoever reads the agent's log: standard output belongs to the
    /// app.
    Aside,
}

/// Why a program was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no such program.
    #[error("{}: no such program{}", Path::new(.0).display(), where_looked(.0))]
    NotFound(OsString),
    /// It is there but cannot be executed.
    #[error("{} cannot be executed: {source}{}", program.display(), remedy(source))]
    NotExecutable {
        /// Which file.
        program: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
    /// There is no process for it, or one that could not be given what it needs.
    #[error("{} cannot be started: {source}", program.display())]
    NoProcess {
        /// Which file.
        program: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

fn where_looked(name: &OsStr) -> &'static str {
    if name.as_bytes().contains(&b'/') { "" } else { " in PATH" }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::E2BIG) => "; the environment is too long as a whole, read large values from files",
        _ => "",
    }
}

impl StartError {
    fn new(program: &Program, file: &Path, shown: PathBuf, error: ExecError) -> Self {
        match error {
            ExecError::Process(source) => Self::NoProcess { program: shown, source },
            // An interpreter that is missing gives the same error as a program that is.
            ExecError::Exec(source)
                if matches!(source.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) && !file.exists() =>
            {
                Self::NotFound(program.name.clone())
            }
            ExecError::Exec(source) => Self::NotExecutable { program: shown, source },
        }
    }

    /// The code with which `exec` ends.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::NotFound(_) => ExitCode::NOT_FOUND,
            Self::NotExecutable { .. } => ExitCode::NOT_EXECUTABLE,
            Self::NoProcess { .. } => ExitCode::AGENT_FAILED,
        }
    }
}

impl Program {
    /// The file that would be executed, without doing so: as far as can be seen from outside, the kernel would
    /// take it.
    pub fn look_up(&self, environment: &Environment) -> Result<PathBuf, StartError> {
        let file = self.find(environment)?;
        let looked = match access(&file, AccessFlags::X_OK) {
            // A directory may be entered, not executed.
            Ok(()) if file.is_dir() => Err(Errno::EACCES),
            looked => looked,
        };
        match looked {
            Ok(()) => Ok(file),
            Err(errno) => {
                let shown = self.shown(file.clone(), environment);
                Err(StartError::new(self, &file, shown, ExecError::Exec(errno.into())))
            }
        }
    }

    /// A running child that leads a process group of its own, with default dispositions and an empty mask.
    ///
    /// Returns when the program has been loaded. The caller must take over SIGCHLD and reap it.
    pub fn spawn(&self, environment: &Environment, launch: &Launch<'_>) -> Result<Child, StartError> {
        let birth = Birth { terminal: launch.terminal, parent_death_signal: launch.parent_death_signal };
        self.with_execution(environment, launch, |execution| sys::spawn(execution, &birth).map(Child::new))
    }

    /// Replaces the agent by the program. Returns only if that failed.
    pub fn replace_self(&self, environment: &Environment, sockets: &[Listening]) -> StartError {
        let launch = Launch { sockets, ..Launch::default() };
        let never = |execution: &Execution<'_>| Err::<Infallible, _>(sys::replace(execution));
        match self.with_execution(environment, &launch, never) {
            Err(error) => error,
            Ok(never) => match never {},
        }
    }

    fn with_execution<T>(
        &self,
        environment: &Environment,
        launch: &Launch<'_>,
        execute: impl FnOnce(&Execution<'_>) -> Result<T, ExecError>,
    ) -> Result<T, StartError> {
        let file = self.find(environment)?;
        let failed = |error| StartError::new(self, &file, self.shown(file.clone(), environment), error);
        let prepared = || -> io::Result<_> {
            let null = (launch.streams == Streams::Aside).then(|| File::open("/dev/null")).transpose()?;
            sockets::prepare(launch.sockets)?;
            Ok((null, CString::new(file.as_os_str().as_bytes())?, self.argument_strings()?))
        };
        let (null, name, arguments) = match prepared() {
            Ok(prepared) => prepared,
            Err(error) => return Err(failed(ExecError::Process(error))),
        };

        let errors = io::stderr();
        let aside = null
            .iter()
            .flat_map(|null| [(null.as_fd(), libc::STDIN_FILENO), (errors.as_fd(), libc::STDOUT_FILENO)]);
        let handed = launch.sockets.iter().map(AsFd::as_fd).zip(sockets::FIRST..);
        let descriptors: Vec<(_, RawFd)> = aside.chain(handed).collect();

        let mut variables;
        let pid_variable;
        if launch.sockets.is_empty() {
            variables = environment.strings(&[]);
            pid_variable = None;
        } else {
            variables = environment.strings(&sockets::VARIABLES);
            variables.extend(sockets::variables(launch.sockets));
            pid_variable = Some(sockets::PID);
        }
        let execution = Execution {
            file: &name,
            arguments: &arguments,
            environment: &variables,
            pid_variable,
            descriptors: &descriptors,
        };
        execute(&execution).map_err(failed)
    }
}
