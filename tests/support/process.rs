//! Processes as the kernel shows them.

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{collections::BTreeMap, fs, process::Command};

/// What `/proc/PID/stat` says of one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) state: char,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    /// The foreground group of its terminal.
    pub(crate) foreground: i32,
}

/// The process with this id, if there is one.
pub(crate) fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before it is in brackets and may hold anything.
    let mut fields = text.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?.chars().next()?;
    let mut number = || fields.next()?.parse().ok();
    let (parent, group, session, _terminal) = (number()?, number()?, number()?, number()?);
    Some(Stat { state, parent, group, session, foreground: number()? })
}

/// The name of the program that it executes.
pub(crate) fn name(pid: i32) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(name.trim_end().to_owned())
}

/// Whether it is there and has not ended.
pub(crate) fn is_running(pid: i32) -> bool {
    stat(pid).is_some_and(|stat| !matches!(stat.state, 'Z' | 'X'))
}

/// All that there are.
fn all() -> BTreeMap<i32, Stat> {
    let entries = fs::read_dir("/proc").expect("/proc is there").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, stat(pid)?))).collect()
}

/// The processes whose parent is `pid`, those that have ended but were not reaped included.
pub(crate) fn children(pid: i32) -> BTreeMap<i32, Stat> {
    all().into_iter().filter(|(_, stat)| stat.parent == pid).collect()
}

/// Children, their children, and so on, parents first.
pub(super) fn descendants(pid: i32) -> Vec<i32> {
    let all = all();
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(all.iter().filter(|(_, stat)| stat.parent == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}

/// Sends a signal by number, real-time signals included.
pub(crate) fn send(pid: i32, signal: i32) {
    if let Ok(signal) = Signal::try_from(signal) {
        // That it is gone already is what some tests are about; those look at more than this.
        let _ = kill(Pid::from_raw(pid), signal);
        return;
    }
    let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {pid}")]).status();
    assert!(sent.is_ok_and(|status| status.success()), "signal {signal} cannot be sent to {pid}");
}

/// Kills processes that a test has started, in this order.
pub(super) fn kill_all(pids: &[i32]) {
    for pid in pids {
        send(*pid, libc::SIGKILL);
    }
}
