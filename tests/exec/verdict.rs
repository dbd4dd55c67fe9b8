//! Which set a verdict is about, and when it falls. Nobody asks the agent anything where that would wake it.

use super::support::{Agent, Running, Volume, Workdir, process};
use serde_json::json;
use std::{thread, time::Duration};

/// After this, the next change is acted on as soon as it is noticed.
const CALM: Duration = Duration::from_millis(300);

/// An app that ends when its password is a wrong one, at once or when it is let go.
const APP: &str = "case $SECRET in
                     *late*) echo refused; while ! test -e go; do sleep 0.02; done; exit 3;;
                     *wrong*) echo refused; exit 3;;
                   esac
                   trap 'exit 0' TERM; trap 'echo told' HUP
                   echo \"runs ${SECRET##*-}\"
                   while :; do sleep 0.05; done";

fn start<'w>(work: &'w Workdir, volume: &Volume, yaml: &str) -> Running<'w> {
    let agent = Agent::exec(work, &["sh", "-c", APP]).mount(volume, "SECRET=db,API_KEY=api").yaml(yaml);
    let agent = agent.start();
    agent.wait_until_ready();
    agent.wait_for_line("runs first");
    agent
}

fn wait_for_lines(agent: &Running<'_>, line: &str, count: usize) {
    let lines = || agent.out().lines().filter(|other| *other == line).count();
    agent.wait_until(&format!("{count} times {line:?}"), || (lines() == count).then_some(()));
}

#[test]
fn a_set_that_comes_long_after_a_rollback_is_taken_back_as_well() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first"), ("api", "one")]);
    let agent = start(&work, &volume, "");
    for round in 1..=3 {
        volume.rotate(&[("db", &format!("wrong{round}")), ("api", "one")]);
        wait_for_lines(&agent, "refused", round);
        wait_for_lines(&agent, "runs first", round + 1);
        // A change that follows soon waits for a turn of its own, and with it the verdict would have been in time.
        thread::sleep(CALM);
    }
    agent.stop().expect(0);
}

#[test]
fn a_rejected_set_that_comes_again_after_another_one_is_tried_again() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first"), ("api", "one")]);
    let agent = start(&work, &volume, "");
    for round in 1..=2 {
        volume.rotate(&[("db", "wrong"), ("api", "one")]);
        wait_for_lines(&agent, "refused", round);
        wait_for_lines(&agent, "runs first", round + 1);
        agent.wait_for_status("the set is held back", |status| status["rejected"].is_object());
        volume.rotate(&[("db", "first"), ("api", "one")]);
        agent.wait_for_status("nothing is held back", |status| {
            status["rejected"].is_null() && status["problems"] == json!([])
        });
    }
    agent.stop().expect(0);
}

#[test]
fn a_set_that_the_child_was_told_of_is_good_when_its_time_is_over() {
    for reaction in ["signal: HUP", "command: [\"true\"]"] {
        let work = Workdir::new();
        let volume = Volume::new(&work, &[("db", "first"), ("api", "one")]);
        let agent = start(&work, &volume, &format!("probation: 300ms\nonChange: [{{{reaction}}}]\n"));
        volume.rotate(&[("db", "second"), ("api", "one")]);
        agent.wait_for_status("the set is good", |status| {
            let child = &status["child"];
            status["changes"] == 1 && child["set"] == status["set"] && child["onProbation"] == false
        });
        // What happens to the child from now on has other reasons.
        process::send(agent.child(), libc::SIGKILL);
        agent.wait().expect(137);
    }
}

#[test]
fn a_corrected_set_that_is_there_when_the_wrong_one_fails_is_not_taken_for_that() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first"), ("api", "one")]);
    let agent = start(&work, &volume, "");
    volume.rotate(&[("db", "late"), ("api", "one")]);
    agent.wait_for_line("refused");
    let child = agent.child();
    // It learns of both at once.
    agent.signal(libc::SIGSTOP);
    work.write("go", "");
    agent.wait_until("the child's end", || (!process::is_running(child)).then_some(()));
    volume.rotate(&[("db", "corrected"), ("api", "one")]);
    agent.signal(libc::SIGCONT);
    agent.wait_for_line("runs corrected");
    let status = agent.status();
    assert_eq!(status["rejected"], json!(null), "{status:#}");
    agent.stop().expect(0);
}

#[test]
fn a_set_proves_nothing_before_the_child_has_all_of_it() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first"), ("api", "one")]);
    // The restart is put off for longer than the probation that begins with the command.
    let yaml = "probation: 200ms\nrestartBudget: {free: 1, first: 2s, longest: 2s, calm: 5s}\n\
                onChange: [{when: API_KEY, command: [\"true\"]}, {restart: true}]\n";
    let agent = start(&work, &volume, yaml);
    volume.rotate(&[("db", "second"), ("api", "one")]);
    agent.wait_for_line("runs second");
    agent.wait_for_status("the second is good", |status| {
        status["child"]["set"] == status["set"] && status["child"]["onProbation"] == false
    });
    volume.rotate(&[("db", "wrong"), ("api", "two")]);
    agent.wait_for_log("a restart is put off");
    agent.wait_for_line("refused");
    wait_for_lines(&agent, "runs second", 2);
    agent.stop().expect(0);
}

#[test]
fn a_set_that_was_good_before_is_not_rejected_but_tried_once_more() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first"), ("api", "one")]);
    let agent = start(&work, &volume, "");
    volume.rotate(&[("db", "second"), ("api", "one")]);
    agent.wait_for_line("runs second");
    volume.rotate(&[("db", "first"), ("api", "one")]);
    wait_for_lines(&agent, "runs first", 2);
    process::send(agent.child(), libc::SIGKILL);
    wait_for_lines(&agent, "runs first", 3);
    agent.wait_until_idle();
    let status = agent.status();
    let shown = (&status["rollbacks"], &status["rejected"], &status["problems"]);
    assert_eq!(shown, (&json!(0), &json!(null), &json!([])), "{status:#}");
    agent.stop().expect(0);
}
