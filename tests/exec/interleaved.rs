//! Changes that come while another one is still on its way to the child, or on probation.

use super::support::{Agent, Running, Volume, Workdir, process};
use serde_json::Value;

/// An app that tells which password it has, and ends of a wrong one as soon as it may.
const APP: &str = "echo \"has ${SECRET##*-}\"
                   trap 'exit 0' TERM
                   case $SECRET in *wrong*) while [ ! -e \"$GO\" ]; do sleep 0.05; done; exit 3;; esac
                   while :; do sleep 0.05; done";

fn exec<'w>(work: &'w Workdir, volume: &Volume, yaml: &str) -> Agent<'w> {
    let agent = Agent::exec(work, &["sh", "-c", APP]).mount(volume, "SECRET=db").yaml(yaml);
    agent.var("GO", work.path("go"))
}

fn start<'w>(work: &'w Workdir, volume: &Volume, yaml: &str) -> Running<'w> {
    let agent = exec(work, volume, yaml).start();
    agent.wait_until_ready();
    agent.wait_for_line("has first");
    agent
}

fn wait_for(agent: &Running<'_>, line: &str, times: usize) {
    let count = || agent.out().lines().filter(|other| *other == line).count();
    agent.wait_until(&format!("{line:?}, {times} times"), || (count() == times).then_some(()));
}

#[test]
fn a_set_that_the_child_has_not_got_yet_is_not_rejected_for_the_one_that_it_had() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first")]);
    let agent = start(&work, &volume, "restartBudget: {free: 1, first: 1h, longest: 1h, calm: 1h}\n");
    volume.rotate(&[("db", "wrong")]);
    agent.wait_for_line("has wrong");
    volume.rotate(&[("db", "corrected")]);
    agent.wait_for_problem("a restart is put off for");
    work.write("go", "");
    agent.wait_for_line("has corrected");
    let status = agent.wait_for_status("nothing owed", |status| status.get("owed").is_none());
    assert_eq!((&status["rejected"], &status["rollbacks"]), (&().into(), &0.into()), "{status}");
    assert_eq!(status["child"]["set"], status["set"], "{status}");
    assert_eq!(status["child"]["onProbation"], true, "{status}");
    agent.stop().expect(0);
}

#[test]
fn what_is_gone_back_to_is_the_set_that_has_proved_itself_last() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first")]);
    work.write("go", "");
    let yaml = "restartBudget: {free: 1, first: 4s, longest: 4s, calm: 1h}\nprobation: 2s\n";
    let agent = start(&work, &volume, yaml);
    volume.rotate(&[("db", "second")]);
    agent.wait_for_line("has second");
    // It proves itself while this one waits for its turn.
    volume.rotate(&[("db", "wrong")]);
    agent.wait_for_problem("a restart is put off for");
    agent.wait_for_line("has wrong");
    wait_for(&agent, "has second", 2);
    let status = agent.wait_for_status("the rejected set", |status| status["rejected"].is_object());
    assert_eq!((&status["rollbacks"], &status["child"]["set"]), (&1.into(), &status["set"]), "{status}");
    agent.stop().expect(0);
}

#[test]
fn a_set_that_a_child_gets_because_the_last_one_died_has_to_prove_itself_as_well() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first")]);
    work.write("go", "");
    let agent = start(&work, &volume, "exec: {restartPolicy: Always}\nsplay: 24h\n");
    volume.rotate(&[("db", "wrong")]);
    agent.wait_for_status("the restart is owed", |status| status.get("owed").is_some());
    process::send(agent.child(), libc::SIGKILL);
    agent.wait_for_line("has wrong");
    wait_for(&agent, "has first", 2);
    // The child is started before the status says for which set.
    let is_over = |status: &Value| status.get("owed").is_none() && status["child"]["set"] == status["set"];
    let status = agent.wait_for_status("the child has the set that is out, and nothing is owed", is_over);
    assert_eq!(status["rollbacks"], 1, "{status}");
    agent.stop().expect(0);
}

#[test]
fn a_set_with_which_no_child_can_be_started_is_taken_back_whatever_it_is_started_for() {
    let work = Workdir::new();
    let names: Vec<String> = (0..60).map(|number| format!("V{number}")).collect();
    let files = |size| names.iter().map(|name| (name.as_str(), "x".repeat(size))).collect::<Vec<_>>();
    let volume = Volume::new(&work, &[("db", "first")]);
    volume.write_raw(&files(1));
    let env = names.iter().map(|name| format!("{name}={name}")).collect::<Vec<_>>().join(",");
    let agent =
        Agent::exec(&work, &["sh", "-c", "echo runs; trap 'exit 0' TERM; while :; do sleep 0.05; done"])
            .mount(&volume, &env)
            .yaml("exec: {restartPolicy: Always}\nsplay: 24h\n")
            .start();
    agent.wait_until_ready();
    agent.wait_for_line("runs");
    // Each is short enough for the kernel; all together are not, whatever the limit of the stack.
    volume.write_raw(&files(120_000));
    agent.wait_for_status("the restart is owed", |status| status.get("owed").is_some());
    process::send(agent.child(), libc::SIGKILL);
    wait_for(&agent, "runs", 2);
    let status = agent.wait_for_status("the rejected set", |status| status["rejected"].is_object());
    let reason = status["rejected"]["reason"].as_str().unwrap();
    assert!(reason.contains("the environment is too long as a whole"), "{reason}");
    agent.stop().expect(0);
}

#[test]
fn outputs_that_cannot_be_taken_back_are_tried_again_and_nobody_is_told_before() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first"), ("api", "one")]);
    let told = work.path("told");
    let yaml = format!(
        "onChange:\n  - {{when: [API_KEY], command: [cp, {}, {}]}}\n  - restart: true\n",
        work.path("out/app.env").display(),
        told.display()
    );
    let agent = exec(&work, &volume, &yaml).set("ENV", "SECRET=db,API_KEY=api").env_file().start();
    agent.wait_until_ready();
    agent.wait_for_line("has first");
    let good = work.read("out/app.env");
    volume.rotate(&[("db", "wrong"), ("api", "two")]);
    agent.wait_for_line("has wrong");
    // The agent's temporary file; even root cannot replace a directory by one.
    let obstacle = work.make_dir("out/.app.env.akv-agent-new");
    work.write("go", "");
    wait_for(&agent, "has first", 2);
    agent.wait_for_problem("app.env");
    std::fs::remove_dir(obstacle).unwrap();
    agent.wait_until("the good set is out", || (work.read("out/app.env") == good).then_some(()));
    agent.wait_until("the command has run again", || (work.read("told") == good).then_some(()));
    agent.wait_for_status("three reactions", |status| status["reactions"] == 3);
    agent.stop().expect(0);
}
