//! What is wrong from the start ends the agent with one line that names the thing and the remedy; what goes
//! wrong later leaves the last good set in place and is reported.

#![allow(clippy::unwrap_used)]

#[path = "bad_input/configuration.rs"]
mod configuration;
#[path = "bad_input/later.rs"]
mod later;
#[path = "bad_input/mount.rs"]
mod mount;
#[path = "bad_input/output.rs"]
mod output;
mod support;
#[path = "bad_input/vault.rs"]
mod vault;

use support::{Agent, Workdir};

/// For what is known at the first look. An agent that has all it needs would be done long before.
const SOON: &str = "400ms";

/// Runs each of the three uses, described further by `with`. All must end with `code` (125 in `exec`),
/// write nothing, start nothing, and say why in one line that has all these `words` in it.
fn refused(code: i32, words: &[&str], with: impl Fn(Agent<'_>) -> Agent<'_>) {
    let uses = ["init", "sidecar", "exec"].map(|command| (command, Workdir::new()));
    // Side by side, as most of them wait for the time limit.
    let started = uses.each_ref().map(|(command, work)| {
        let agent = match *command {
            "exec" => Agent::exec(work, &["touch", "started"]),
            command => Agent::new(work, command).env_file(),
        };
        with(agent.set("TIMEOUT", SOON)).start()
    });
    for ((command, work), agent) in uses.iter().zip(started) {
        let ended = agent.wait().expect(if *command == "exec" { 125 } else { code });
        let complaints = ended.complaints();
        assert_eq!(complaints.len(), 1, "{command}: one line says it all\n{}", ended.scene);
        for word in words {
            assert!(complaints[0].contains(word), "{command}: {word:?} is not in the line\n{}", ended.scene);
        }
        assert!(!work.path("started").exists() && !work.path("out/app.env").exists(), "{}", ended.scene);
    }
}
