//! Commands: how they end, and that nothing of them is left.

use super::*;
use nix::{
    sys::wait::{WaitPidFlag, WaitStatus, waitpid},
    unistd::Pid,
};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

impl Owner {
    fn run(&mut self, argv: &[&str], timeout: Duration) -> JobId {
        let argv = argv.iter().map(ToString::to_string).collect();
        let inherited = std::env::vars_os().collect::<Vec<_>>();
        let environment = environment(&inherited, &[]);
        self.start(Task::Command { command: Command { argv, timeout }, environment })
    }

    /// The process of the one command that runs.
    fn pid(&self) -> i32 {
        let mut pids = self.jobs.open.values().filter_map(|work| match work {
            Work::Command(running) => Some(running.pid()),
            _ => None,
        });
        let pid = pids.next().expect("a command runs");
        assert_eq!(pids.next(), None);
        pid
    }

    /// Reaps it as the loop does, and returns the result.
    fn ended(&mut self, id: JobId) -> Result<(), String> {
        let pid = self.pid();
        assert!(self.jobs.reaped(pid, reap(pid)));
        assert!(!self.jobs.reaped(pid, Ended::Exited(0)), "it ends once");
        self.result(id)
    }

    fn outcome(&mut self, argv: &[&str]) -> Result<(), String> {
        let id = self.run(argv, PATIENCE);
        self.ended(id)
    }
}

/// Waits for one process, and leaves those of other tests alone.
fn reap(pid: i32) -> Ended {
    eventually("the process ends", || {
        match waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG)).unwrap() {
            WaitStatus::Exited(_, code) => Some(Ended::Exited(u8::try_from(code).unwrap())),
            WaitStatus::Signaled(_, signal, _) => Some(Ended::Signalled(signal as i32)),
            _ => None,
        }
    })
}

fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "still not: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether the process is there and has not ended; who reaps orphans may take its time.
fn is_running(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// A command whose child ignores every polite request, and the id of that child. The command itself goes on
/// as `then` says.
fn with_stubborn_child(owner: &mut Owner, then: &str, timeout: Duration) -> (JobId, i32) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let written = file.display();
    let script = format!(
        "(trap '' TERM HUP INT; exec sleep 1000) & echo $! > {written}.new; mv {written}.new {written}; {then}"
    );
    let id = owner.run(&["sh", "-c", &script], timeout);
    let pid = eventually("the child's id is written", || fs::read_to_string(&file).ok()?.trim().parse().ok());
    (id, pid)
}

#[test]
fn exit_code_0_is_success_and_all_else_is_told() {
    let mut owner = Owner::new();
    assert_eq!(owner.outcome(&["true"]), Ok(()));
    assert_eq!(owner.outcome(&["sh", "-c", "exit 3"]), Err("run sh: exit code 3".into()));
    assert_eq!(owner.outcome(&["sh", "-c", "kill -KILL $$"]), Err("run sh: signal 9".into()));
}

#[test]
fn it_is_started_as_a_group_of_its_own_with_what_it_was_given() {
    let mut owner = Owner::new();
    let test = "[ \"$AKV_AGENT_CHANGED\" = 'A B' ] && [ $(ps -o pgid= -p $$) = $$ ] && [ \"$1\" = '$x y' ]";
    let names = ["A", "B"].map(|name| EnvName::parse(name).unwrap());
    let path = [("PATH".into(), std::env::var_os("PATH").unwrap())];
    let argv = ["sh", "-c", test, "name", "$x y"].map(Into::into).into();
    let task = Task::Command {
        command: Command { argv, timeout: PATIENCE },
        environment: environment(&path, &names),
    };
    let id = owner.start(task);
    assert_eq!(owner.ended(id), Ok(()));
}

#[test]
fn it_reads_nothing_and_writes_to_standard_error() {
    let mut owner = Owner::new();
    let test = "[ /proc/self/fd/0 -ef /dev/null ] && [ /proc/self/fd/1 -ef /proc/self/fd/2 ]";
    assert_eq!(owner.outcome(&["sh", "-c", test]), Ok(()));
}

#[test]
fn a_program_that_cannot_be_started_is_told_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("script");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let mut owner = Owner::new();
    for (program, said) in [
        ("no-such-program".to_owned(), "no-such-program: no such program in PATH".to_owned()),
        ("/no/such".to_owned(), "/no/such: no such program".to_owned()),
        (text(&script), format!("{} cannot be executed: Permission denied (os error 13)", text(&script))),
    ] {
        let id = owner.run(&[&program, "secret"], PATIENCE);
        assert_eq!(owner.result(id), Err(said));
    }
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let id = owner.run(&[&text(&script)], PATIENCE);
    assert_eq!(owner.ended(id), Ok(()));
}

#[test]
fn at_its_limit_the_whole_group_is_killed() {
    let mut owner = Owner::new();
    let limit = Duration::from_secs(7);
    let (id, child) = with_stubborn_child(&mut owner, "trap '' TERM; wait", limit);
    let pid = owner.pid();
    let deadline = owner.jobs.due().unwrap();
    owner.jobs.tick(deadline.checked_sub(Duration::from_millis(1)).unwrap());
    assert!(owner.jobs.finished().is_empty() && is_running(pid) && is_running(child));

    owner.jobs.tick(deadline);
    assert_eq!(owner.result(id), Err("run sh: still running after 7 s; killed".into()));
    assert_eq!(reap(pid), Ended::Signalled(libc::SIGKILL));
    assert!(!owner.jobs.reaped(pid, Ended::Signalled(libc::SIGKILL)), "its result has been told");
    eventually("the child is gone", || (!is_running(child)).then_some(()));
}

#[test]
fn what_a_command_leaves_behind_is_killed_at_its_end() {
    let mut owner = Owner::new();
    let (id, child) = with_stubborn_child(&mut owner, "exit 0", PATIENCE);
    assert!(is_running(child));
    assert_eq!(owner.ended(id), Ok(()));
    eventually("the child is gone", || (!is_running(child)).then_some(()));
}

#[test]
fn a_command_that_is_given_up_is_killed_and_has_no_result() {
    let mut owner = Owner::new();
    let (id, child) = with_stubborn_child(&mut owner, "wait", PATIENCE);
    let pid = owner.pid();
    owner.jobs.cancel(id);
    assert_eq!(reap(pid), Ended::Signalled(libc::SIGKILL));
    eventually("the child is gone", || (!is_running(child)).then_some(()));
    assert!(!owner.jobs.reaped(pid, Ended::Exited(0)));
    assert!(owner.jobs.finished().is_empty());
    assert_eq!(owner.jobs.due(), None);
}

#[test]
fn dropping_the_jobs_kills_what_runs() {
    let mut owner = Owner::new();
    let (_, child) = with_stubborn_child(&mut owner, "wait", PATIENCE);
    let pid = owner.pid();
    drop(owner);
    assert_eq!(reap(pid), Ended::Signalled(libc::SIGKILL));
    eventually("the child is gone", || (!is_running(child)).then_some(()));
}

#[test]
fn several_run_side_by_side_and_each_has_its_own_result() {
    let mut owner = Owner::new();
    let slow = owner.run(&["sleep", "1000"], Duration::from_secs(1000));
    let pid = owner.pid();
    let quick = owner.run(&["no-such-program"], PATIENCE);
    assert_ne!(slow, quick);
    let results = owner.jobs.finished();
    assert!(matches!(&results[..], [(id, Err(JobError::NotStarted(_)))] if *id == quick), "{results:?}");
    assert!(!owner.jobs.reaped(1, Ended::Exited(0)), "another process");
    assert!(is_running(pid));
    owner.jobs.cancel(slow);
    reap(pid);
}
