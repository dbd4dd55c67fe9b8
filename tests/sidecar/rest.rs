//! An agent that waits gives up the memory that only its work needs.

use super::support::{Agent, Running, Volume, Workdir};

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
