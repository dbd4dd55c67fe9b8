//! An agent that waits gives up the memory that only its work needs.

use super::support::{Agent, Running, Volume, Workdir, secret};
use dev_vault::DevVault;

/// What is resident of the files that the agent has mapped, which is itself, in KiB. `RssFile` of `/proc/PID/status`.
fn resident_program(agent: &Running<'_>) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssFile:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn wait_for_rest(agent: &Running<'_>) {
    agent.wait_until("its program to be unmapped", || (resident_program(agent) < 1024).then_some(()));
}

#[test]
fn an_agent_unmaps_its_program_after_each_piece_of_work() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = Agent::sidecar(&work).mount(&volume, "DB=db").env_file().start();
    agent.wait_for_generation(&volume.generation());
    wait_for_rest(&agent);
    volume.rotate(&[("db", "two")]);
    agent.wait_for_generation(&volume.generation());
    wait_for_rest(&agent);
    agent.stop().expect(0);
}

#[test]
fn it_does_so_after_an_answer() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = Agent::sidecar(&work).mount(&volume, "DB=db").env_file().start();
    agent.wait_until_ready();
    wait_for_rest(&agent);
    for path in ["/metrics", "/readyz"] {
        agent.request("GET", path);
        wait_for_rest(&agent);
    }
    agent.stop().expect(0);
}

#[test]
fn it_does_so_after_a_poll_that_finds_nothing_new() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("one")).start().unwrap();
    let agent =
        Agent::sidecar(&work).vault(&vault, "SECRET=db").env_file().set("POLL_INTERVAL", "3s").start();
    agent.wait_until("the env file", || work.path("out/app.env").exists().then_some(()));
    for _ in 0..2 {
        wait_for_rest(&agent);
        vault.clear_requests();
        agent.wait_until("a poll", || (!vault.requests().is_empty()).then_some(()));
    }
    wait_for_rest(&agent);
    agent.stop().expect(0);
}
