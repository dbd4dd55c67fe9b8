//! The program that akv-agent's tests run under it and signal through it: it tells what happens to it.
//!
//! ```text
//! test-app [OPTION]...
//!   --log FILE        append every line but `env` to FILE as well, which others may share
//!   --roll-call       tell who in that file is still there
//!   --print NAME      show this variable at the start
//!   --read FILE       after every signal, tell what is in FILE
//!   --stop-on N       end on signal N instead of 15; 0: on none
//!   --stop-when FILE  once told to end, wait until FILE exists
//!   --code N          end with this code instead of 0
//!   --own-group       move to a process group of its own first
//!   --spawn 'OPTION...'  start another test-app with these options
//!   --into PGID       put what --spawn starts into this process group
//!
//! alive PID                            a test-app that once said `ready` in the log still runs
//! env NAME='value' or env NAME unset
//! ready pid=P ppid=P pgid=P
//! signal N                             once for every signal, whatever it is
//! read 'content' or read nothing
//! ended PID
//! ```
//!
//! Signals are blocked and read one by one, so that a real-time signal that was sent twice is told twice.

use std::{
    env,
    fmt::Display,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{self, Command, ExitCode},
    thread,
    time::Duration,
};

use lexopt::{Arg, Parser, ValueExt as _};
use nix::{
    sys::{
        signal::SigSet,
        signalfd::SignalFd,
        wait::{WaitPidFlag, waitpid},
    },
    unistd::{Pid, getpgrp, getpid, getppid, setpgid},
};

const SIGTERM: u32 = 15;
const SIGCHLD: u32 = 17;

/// How often a test-app that was told to end looks for the file it waits for.
const GLANCE: Duration = Duration::from_millis(2);

struct Options {
    log: Option<PathBuf>,
    roll_call: bool,
    print: Vec<String>,
    read: Option<PathBuf>,
    stop_on: u32,
    stop_when: Option<PathBuf>,
    code: u8,
    own_group: bool,
    spawn: Vec<String>,
    into: Option<i32>,
}

fn main() -> ExitCode {
    match parse(Parser::from_env()).map_err(io::Error::other).and_then(|options| run(&options)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let _ = writeln!(io::stderr(), "test-app: {error}");
            ExitCode::from(64)
        }
    }
}

fn parse(mut parser: Parser) -> Result<Options, lexopt::Error> {
    let mut options = Options {
        log: None,
        roll_call: false,
        print: Vec::new(),
        read: None,
        stop_on: SIGTERM,
        stop_when: None,
        code: 0,
        own_group: false,
        spawn: Vec::new(),
        into: None,
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Long("log") => options.log = Some(parser.value()?.into()),
            Arg::Long("roll-call") => options.roll_call = true,
            Arg::Long("print") => options.print.push(parser.value()?.string()?),
            Arg::Long("read") => options.read = Some(parser.value()?.into()),
            Arg::Long("stop-on") => options.stop_on = parser.value()?.parse()?,
            Arg::Long("stop-when") => options.stop_when = Some(parser.value()?.into()),
            Arg::Long("code") => options.code = parser.value()?.parse()?,
            Arg::Long("own-group") => options.own_group = true,
            Arg::Long("spawn") => options.spawn.push(parser.value()?.string()?),
            Arg::Long("into") => options.into = Some(parser.value()?.parse()?),
            other => return Err(other.unexpected()),
        }
    }
    Ok(options)
}

fn run(options: &Options) -> io::Result<u8> {
    if options.own_group {
        setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
    }
    // Before anybody can know that we are there, so that no signal does what it does by default.
    let all = SigSet::all();
    all.thread_block()?;
    let signals = SignalFd::new(&all)?;

    let mut story = Story::open(options.log.as_deref())?;
    if let Some(log) = options.log.as_deref().filter(|_| options.roll_call) {
        for pid in still_alive(log)? {
            story.tell(format_args!("alive {pid}"))?;
        }
    }
    for name in &options.print {
        match env::var_os(name) {
            Some(value) => show(format_args!("env {name}='{}'", value.to_string_lossy().escape_debug()))?,
            None => show(format_args!("env {name} unset"))?,
        }
    }
    for arguments in &options.spawn {
        spawn(arguments, options.into)?;
    }
    story.tell(format_args!("ready pid={} ppid={} pgid={}", getpid(), getppid(), getpgrp()))?;

    loop {
        let Some(info) = signals.read_signal()? else { continue };
        if info.ssi_signo == SIGCHLD {
            while waitpid(None, Some(WaitPidFlag::WNOHANG)).is_ok_and(|status| status.pid().is_some()) {}
            continue;
        }
        story.tell(format_args!("signal {}", info.ssi_signo))?;
        if let Some(file) = &options.read {
            match fs::read_to_string(file) {
                Ok(content) => show(format_args!("read '{}'", content.escape_debug()))?,
                Err(_) => show("read nothing")?,
            }
        }
        if info.ssi_signo == options.stop_on {
            break;
        }
    }
    while options.stop_when.as_deref().is_some_and(|file| !file.exists()) {
        thread::sleep(GLANCE);
    }
    story.tell(format_args!("ended {}", getpid()))?;
    Ok(options.code)
}

fn spawn(arguments: &str, group: Option<i32>) -> io::Result<()> {
    let mut command = Command::new(env::current_exe()?);
    command.args(arguments.split_whitespace());
    if let Some(group) = group {
        command.process_group(group);
    }
    command.spawn().map(drop)
}

/// Those that said `ready` in the log and are still there. One that ended but was not reaped is not.
fn still_alive(log: &Path) -> io::Result<Vec<u32>> {
    let text = fs::read_to_string(log)?;
    let started = text
        .lines()
        .filter_map(|line| line.strip_prefix("ready pid=")?.split(' ').next()?.parse::<u32>().ok());
    Ok(started.filter(|pid| *pid != process::id() && is_running(*pid)).collect())
}

fn is_running(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// Where the lines go.
struct Story {
    log: Option<File>,
}

impl Story {
    fn open(log: Option<&Path>) -> io::Result<Self> {
        let log = log.map(|path| OpenOptions::new().append(true).create(true).open(path)).transpose()?;
        Ok(Self { log })
    }

    fn tell(&mut self, line: impl Display) -> io::Result<()> {
        if let Some(log) = &mut self.log {
            write_line(log, &line)?;
        }
        show(line)
    }
}

fn show(line: impl Display) -> io::Result<()> {
    write_line(&mut io::stdout(), &line)
}

/// In one write, so that lines of several writers do not mix.
fn write_line(to: &mut impl io::Write, line: &impl Display) -> io::Result<()> {
    to.write_all(format!("{line}\n").as_bytes())
}
