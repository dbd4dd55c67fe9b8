use super::*;
use crate::{config::RestartPolicy, fingerprint::Key, program::environment};
use nix::{sys::wait::waitpid, unistd::Pid};

/// With a child that ends at once.
fn supervisor(policy: Exec) -> Supervisor {
    let program = Program { name: "true".into(), arguments: Vec::new() };
    let mut supervisor =
        Supervisor::new(program, policy, Vec::new(), environment::inherited(std::env::vars_os()));
    let set = Snapshot::default();
    supervisor.adopt(&set, Key::random().set(&set));
    supervisor.begin(Instant::now());
    supervisor
}

#[test]
fn who_gets_the_id_of_a_child_that_is_gone_is_not_taken_for_it() {
    let mut supervisor =
        supervisor(Exec { restart_policy: RestartPolicy::Always, probation: None, ..Exec::default() });
    let pid = supervisor.running().unwrap().pid;
    waitpid(Pid::from_raw(pid), None).unwrap();
    let end = Change::Ended(Ended::Exited(0));
    assert!(supervisor.changed(pid, end, Instant::now()));
    assert!(supervisor.running().is_none());
    assert!(!supervisor.changed(pid, end, Instant::now()));
}
