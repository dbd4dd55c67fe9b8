//! What a child was told of, or not even that, is not in its environment: only a start shows what a set is worth
//! for one.

use super::{
    probation::server,
    support::{Agent, Running, Volume, Workdir, process},
};
use serde_json::{Value, json};

/// An app that takes nothing in but at its start, and ends of what is wrong there, at once or when it is told.
const APP: &str = "trap 'exit 0' TERM
                   trap 'echo told; case $TLS_KEY in *late*) exit 3;; esac' HUP
                   echo \"starts with ${TLS_KEY##*-} ${SECRET##*-}\"
                   case $TLS_KEY$SECRET in *bad*|*wrong*) exit 3;; esac
                   while :; do sleep 0.05; done";

fn start<'w>(work: &'w Workdir, volume: &Volume, yaml: &str) -> Running<'w> {
    let agent = Agent::exec(work, &["sh", "-c", APP]).mount(volume, "TLS_KEY=tls,SECRET=db").yaml(yaml);
    let agent = agent.env_file().start();
    agent.wait_until_ready();
    wait_for_starts(&agent, &["one one"]);
    agent
}

/// With an app that reads its env file at its start, and anew when it is told.
fn reloading<'w>(work: &'w Workdir, volume: &Volume, app: &str) -> Running<'w> {
    let agent = Agent::exec(work, &["sh", "-c", app])
        .mount(volume, "SECRET=db")
        .yaml("probation: 2s\nonChange: [{signal: HUP}]\n")
        .env_file()
        .var("FILE", work.path("out/app.env"))
        .start();
    agent.wait_until_ready();
    agent.wait_for_line("has first");
    agent
}

fn wait_for_lines(agent: &Running<'_>, lines: &[&str]) {
    agent.wait_until(&format!("{lines:?}"), || agent.out().lines().eq(lines.iter().copied()).then_some(()));
}

fn rules(for_key: &str) -> String {
    format!("probation: 2s\nonChange: [{{when: TLS_KEY, {for_key}}}, {{restart: true}}]\n")
}

/// Waits for all starts, with which values, in their order.
fn wait_for_starts(agent: &Running<'_>, starts: &[&str]) {
    agent.wait_until(&format!("starts with {starts:?}"), || {
        let out = agent.out();
        out.lines()
            .filter_map(|line| line.strip_prefix("starts with "))
            .eq(starts.iter().copied())
            .then_some(())
    });
}

/// Whether the child was told of the set that is out, and has lived with it.
fn is_told(status: &Value) -> bool {
    status["child"]["set"] == status["set"] && status["child"]["onProbation"] == false
}

/// The status when the sets that were gone back to are `count`, and nothing is under way.
fn after_rollbacks(agent: &Running<'_>, count: u64) -> Value {
    agent.wait_for_status("a child that has the set that is out", |status| {
        status["rollbacks"] == count && is_told(status) && status.get("owed").is_none()
    })
}

#[test]
fn a_set_that_no_child_was_started_with_is_not_the_last_to_go_back_to() {
    let http = format!("http: \"http://{}/reload\"", server("200 OK"));
    for rule in ["none: true", "signal: HUP", "command: [\"true\"]", &http] {
        let work = Workdir::new();
        let volume = Volume::new(&work, &[("tls", "one"), ("db", "one")]);
        let agent = start(&work, &volume, &rules(rule));
        let good = work.read("out/app.env");
        volume.rotate(&[("tls", "bad"), ("db", "one")]);
        agent.wait_for_status("a child that lives", |status| {
            status["changes"] == 1 && (rule.starts_with("none") || is_told(status))
        });
        volume.rotate(&[("tls", "bad"), ("db", "second")]);
        wait_for_starts(&agent, &["one one", "bad second", "bad one", "one one"]);
        let status = after_rollbacks(&agent, 2);
        let reason = status["rejected"]["reason"].as_str().unwrap();
        assert!(reason.contains("it differs in SECRET TLS_KEY"), "{rule}: {reason}");
        assert_eq!(work.read("out/app.env"), good, "{rule}");

        // Neither of the two is tried again, and a corrected one is.
        let passes = status["passes"].as_u64().unwrap();
        volume.rotate(&[("tls", "bad"), ("db", "one")]);
        let next =
            |status: &Value| status["passes"].as_u64().unwrap() > passes && status["rejected"].is_object();
        agent.wait_for_status("a pass that finds the second", next);
        volume.rotate(&[("tls", "third"), ("db", "second")]);
        wait_for_starts(&agent, &["one one", "bad second", "bad one", "one one", "third second"]);
        agent.stop().expect(0);
    }
}

#[test]
fn what_the_child_has_taken_in_is_kept_when_the_next_change_is_taken_back() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("tls", "one"), ("db", "one")]);
    let agent = start(&work, &volume, &rules("signal: HUP"));
    volume.rotate(&[("tls", "second"), ("db", "one")]);
    agent.wait_for_status("a child that lives", |status| status["changes"] == 1 && is_told(status));
    let good = work.read("out/app.env");
    volume.rotate(&[("tls", "second"), ("db", "wrong")]);
    wait_for_starts(&agent, &["one one", "second wrong", "second one"]);
    let status = after_rollbacks(&agent, 1);
    let reason = status["rejected"]["reason"].as_str().unwrap();
    assert!(reason.contains("it differs in SECRET)"), "{reason}");
    assert_eq!(work.read("out/app.env"), good);
    // Now a child was started with it, and from now on that is what it was.
    volume.rotate(&[("tls", "second"), ("db", "wrong2")]);
    wait_for_starts(&agent, &["one one", "second wrong", "second one", "second wrong2", "second one"]);
    assert_eq!(after_rollbacks(&agent, 2)["child"]["onProbation"], false);
    agent.stop().expect(0);
}

#[test]
fn a_child_that_reloads_gets_back_what_it_had_reloaded_last() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first")]);
    let app = "load() { . $FILE; case $SECRET in *wrong*) echo refused; exit 3;; esac; echo \"has ${SECRET##*-}\"; }
               trap load HUP; trap 'exit 0' TERM; load; while :; do sleep 0.05; done";
    let agent = reloading(&work, &volume, app);
    volume.rotate(&[("db", "second")]);
    agent.wait_for_line("has second");
    agent.wait_for_status("a child that lives", |status| status["changes"] == 1 && is_told(status));
    volume.rotate(&[("db", "wrong")]);
    agent.wait_for_line("refused");
    wait_for_lines(&agent, &["has first", "has second", "refused", "has second"]);
    after_rollbacks(&agent, 1);
    agent.stop().expect(0);
}

#[test]
fn a_child_that_dies_of_what_it_was_started_with_says_nothing_of_what_it_was_told_since() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("tls", "one"), ("db", "one")]);
    let agent = start(&work, &volume, &rules("signal: HUP").replace("500ms", "1h"));
    volume.rotate(&[("tls", "late"), ("db", "second")]);
    wait_for_starts(&agent, &["one one", "late second"]);
    volume.rotate(&[("tls", "second"), ("db", "second")]);
    // It ends of that.
    wait_for_starts(&agent, &["one one", "late second", "second second"]);
    let status = agent.wait_for_status("the child with the newest set", |status| {
        status["changes"] == 2 && status["child"]["set"] == status["set"]
    });
    let shown = (&status["rollbacks"], &status["rejected"], &status["child"]["onProbation"]);
    assert_eq!(shown, (&json!(0), &json!(null), &json!(true)), "{status:#}");
    agent.stop().expect(0);
}

#[test]
fn a_set_that_the_sources_have_is_not_rejected_when_it_is_what_is_gone_back_to() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first")]);
    // It refuses each of them once, when it is let.
    let app = "load() { . $FILE; now=${SECRET##*-};
                        if [ -e refuse-$now ]; then rm refuse-$now; echo \"refuses $now\"; exit 3; fi
                        echo \"has $now\"; }
               trap load HUP; trap 'exit 0' TERM; load; while :; do sleep 0.05; done";
    let agent = reloading(&work, &volume, app);
    work.write("refuse-first", "");
    volume.rotate(&[("db", "second")]);
    agent.wait_for_line("has second");
    agent.wait_for_status("a child that lives", |status| status["changes"] == 1 && is_told(status));
    work.write("refuse-second", "");
    volume.rotate(&[("db", "first")]);
    wait_for_lines(&agent, &["has first", "has second", "refuses first", "refuses second", "has first"]);
    let status = after_rollbacks(&agent, 2);
    assert_eq!((&status["rejected"], &status["problems"]), (&json!(null), &json!([])), "{status:#}");
    agent.stop().expect(0);
}

#[test]
fn a_child_that_dies_later_gets_such_a_set_on_probation() {
    for rule in ["none: true", "command: [\"true\"]"] {
        let work = Workdir::new();
        let volume = Volume::new(&work, &[("tls", "one"), ("db", "one")]);
        let agent = start(&work, &volume, &format!("{}exec: {{restartPolicy: Always}}\n", rules(rule)));
        volume.rotate(&[("tls", "bad"), ("db", "one")]);
        agent.wait_for_status("a child that lives", |status| {
            status["changes"] == 1 && (rule.starts_with("none") || is_told(status))
        });
        process::send(agent.child(), libc::SIGKILL);
        wait_for_starts(&agent, &["one one", "bad one", "one one"]);
        let status = after_rollbacks(&agent, 1);
        let reason = status["rejected"]["reason"].as_str().unwrap();
        assert!(reason.contains("it differs in TLS_KEY)"), "{rule}: {reason}");
        assert_eq!(status["problems"], json!([reason]), "{rule}");
        agent.stop().expect(0);
    }
}

/// Lets one restart through, and puts the next one off for a while.
const ONE_RESTART: &str = "restartBudget: {free: 1, first: 5s, longest: 5s, calm: 1h}\n";

#[test]
fn a_change_that_is_taken_back_before_its_turn_restarts_nothing() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("tls", "one"), ("db", "one")]);
    let agent = start(&work, &volume, &format!("{}{ONE_RESTART}", rules("none: true")));
    volume.rotate(&[("tls", "one"), ("db", "second")]);
    wait_for_starts(&agent, &["one one", "one second"]);
    volume.rotate(&[("tls", "one"), ("db", "third")]);
    agent.wait_for_problem("a restart is put off for");
    // What the child need not have is none of its business.
    volume.rotate(&[("tls", "other"), ("db", "second")]);
    let status = agent.wait_for_status("nothing owed", |status| {
        status["changes"] == 3 && status.get("owed").is_none() && status["problems"] == json!([])
    });
    assert_eq!(status["child"]["restarts"], 1, "{status:#}");
    volume.rotate(&[("tls", "other"), ("db", "fourth")]);
    wait_for_starts(&agent, &["one one", "one second", "other fourth"]);
    agent.stop().expect(0);
}

#[test]
fn a_change_of_which_the_child_was_told_is_not_taken_back_without_its_knowing() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("tls", "one"), ("db", "one")]);
    let agent = start(&work, &volume, &format!("{}{ONE_RESTART}", rules("signal: HUP")));
    volume.rotate(&[("tls", "one"), ("db", "second")]);
    wait_for_starts(&agent, &["one one", "one second"]);
    volume.rotate(&[("tls", "other"), ("db", "second")]);
    agent.wait_for_line("told");
    // The restart is for both.
    volume.rotate(&[("tls", "third"), ("db", "third")]);
    agent.wait_for_problem("a restart is put off for");
    volume.rotate(&[("tls", "one"), ("db", "second")]);
    wait_for_starts(&agent, &["one one", "one second", "one second"]);
    agent.stop().expect(0);
}
