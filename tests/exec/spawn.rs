//! The state in which a program is started, whatever state the agent was started in.

use super::support::{Agent, Volume, Workdir, process, test_app};
use std::process::Command;

/// Prints its own signals. A shell would put its own mask right, and `grep` has a handler.
const SIGNALS: [&str; 4] = ["sed", "-n", "/^Sig[BI]/p", "/proc/self/status"];

const ALL_DEFAULT: &str = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n";

/// What it prints where [`hostile`] is.
const ALL_BUT_KILL_AND_STOP: &str = "SigBlk:\tfffffffffffbfeff\nSigIgn:\tfffffffffffbfeff\n";

/// A parent that has blocked and ignored all that it could.
fn hostile() -> [&'static str; 2] {
    ["python3", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/exec/block_and_ignore.py")]
}

fn exec<'w>(work: &'w Workdir, program: &[&str]) -> Agent<'w> {
    let volume = Volume::new(work, &[("db", "one")]);
    Agent::exec(work, program).mount(&volume, "SECRET=db")
}

#[test]
fn every_signal_is_as_it_is_by_default() {
    let line = [&hostile()[..], &SIGNALS].concat();
    let plain = Command::new(line[0]).args(&line[1..]).output().unwrap();
    assert_eq!(String::from_utf8(plain.stdout).unwrap(), ALL_BUT_KILL_AND_STOP, "the wrapper does its work");

    for flags in [&[][..], &["--no-watch"]] {
        for wrapper in [&[][..], &hostile()] {
            let work = Workdir::new();
            let ended = exec(&work, &SIGNALS).arguments(flags).under(wrapper).finish().expect(0);
            assert_eq!(ended.out, ALL_DEFAULT, "{flags:?} {wrapper:?}");
        }
    }
}

#[test]
fn a_parent_that_ignores_and_blocks_everything_makes_no_difference() {
    exec(&Workdir::new(), &["sh", "-c", "exit 7"]).under(&hostile()).finish().expect(7);
    let work = Workdir::new();
    let agent = exec(&work, &[&test_app()]).under(&hostile()).start();
    let child = agent.wait_for_start(1);
    for signal in [libc::SIGHUP, libc::SIGUSR1] {
        agent.signal(signal);
        agent.wait_for_signal(signal);
    }
    assert_eq!(process::stat(child.pid).map(|stat| stat.parent), Some(agent.pid()));
    agent.stop().expect(0);
}
