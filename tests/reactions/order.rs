//! Several reactions of one change, and changes while one is under way.

use super::{
    command::rule,
    support::{Agent, App, Running, Volume, Workdir},
};

fn start<'w>(work: &'w Workdir, volume: &Volume, rules: &str) -> Running<'w> {
    let agent = Agent::sidecar(work)
        .mount(volume, "A=a,B=b,C=c")
        .env_file()
        .set("TARGET", App::target(work, "ordered"))
        .yaml(&format!("onChange:\n{rules}"))
        .start();
    agent.wait_until_ready();
    agent
}

#[test]
fn they_follow_one_another_in_the_order_of_the_rules() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("a", "one"), ("b", "one"), ("c", "one")]);
    let noting = |name| rule(name, &format!("echo {name} begins >> log; sleep 0.2; echo {name} ends >> log"));
    let agent = start(&work, &volume, &["C", "A", "B"].map(noting).concat());
    volume.rotate(&[("a", "two"), ("b", "two"), ("c", "two")]);
    agent.wait_for_status("three reactions", |status| status["reactions"] == 3);
    let log = work.read("log");
    assert_eq!(
        log.lines().collect::<Vec<_>>(),
        ["C begins", "C ends", "A begins", "A ends", "B begins", "B ends"]
    );
}

#[test]
fn a_signal_waits_for_the_command_before_it() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("a", "one"), ("b", "one"), ("c", "one")]);
    let app = App::start(&work, "ordered", &["--stop-on", "0"]);
    let script = "touch begun; until test -e go; do sleep 0.01; done";
    let rules = rule("A", script) + "- {when: [B], signal: HUP}\n";
    let agent = start(&work, &volume, &rules);
    volume.rotate(&[("a", "two"), ("b", "two"), ("c", "one")]);
    agent.wait_until("the command runs", || work.path("begun").exists().then_some(()));
    // The loop turns meanwhile, so the signal would have been sent.
    let passes = agent.status()["passes"].as_u64().unwrap();
    agent.signal(libc::SIGHUP);
    agent.wait_for_status("another pass", |status| status["passes"].as_u64().unwrap() > passes);
    assert!(app.signals().is_empty());
    work.write("go", "");
    assert_eq!(app.wait_for_signals(1), [libc::SIGHUP]);
    agent.wait_for_status("two reactions", |status| status["reactions"] == 2);
}

#[test]
fn one_rule_is_carried_out_once_for_all_its_variables() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("a", "one"), ("b", "one"), ("c", "one")]);
    let rules = rule("C", "echo $AKV_AGENT_CHANGED >> c") + &rule("'*'", "echo $AKV_AGENT_CHANGED >> rest");
    let agent = start(&work, &volume, &rules);
    volume.rotate(&[("a", "two"), ("b", "two"), ("c", "two")]);
    agent.wait_for_status("two reactions", |status| status["reactions"] == 2);
    assert_eq!((&*work.read("c"), &*work.read("rest")), ("C\n", "A B\n"));
}

#[test]
fn a_change_while_a_command_runs_is_told_after_it_with_the_newest_value() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("a", "one"), ("b", "one"), ("c", "one")]);
    let script = "cp out/app.env seen.new; mv seen.new seen; echo $AKV_AGENT_CHANGED >> told; \
                  until test -e go; do sleep 0.01; done";
    let agent = start(&work, &volume, &rule("'*'", script));
    volume.rotate(&[("a", "two"), ("b", "one"), ("c", "one")]);
    agent.wait_until("the command runs", || (work.read("told") == "A\n").then_some(()));
    volume.rotate(&[("a", "three"), ("b", "one"), ("c", "one")]);
    agent.wait_for_status("the second change", |status| status["changes"] == 2);
    assert_eq!(work.read("told"), "A\n", "one at a time");
    let owed = |status: &serde_json::Value| status["owed"].as_array().map(Vec::len);
    agent.wait_for_status("the one that runs and the next", |status| owed(status) == Some(2));
    work.write("go", "");
    agent.wait_for_status("two reactions", |status| status["reactions"] == 2);
    assert_eq!(work.read("told"), "A\nA\n");
    assert_eq!(work.read("seen"), work.read("out/app.env"));
    agent.wait_until_well();
}

#[test]
fn what_waits_for_its_turn_is_shown() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("a", "one"), ("b", "one"), ("c", "one")]);
    let rules = rule("A", "exit 0") + &rule("'*'", "exit 1") + "splay: 1h\n";
    let agent = start(&work, &volume, &rules);
    volume.rotate(&[("a", "two"), ("b", "two"), ("c", "two")]);
    let status =
        agent.wait_for_status("two are owed", |status| status["owed"].as_array().map(Vec::len) == Some(2));
    let variables = |index: usize| status["owed"][index]["variables"].clone();
    assert_eq!((variables(0), variables(1)), (serde_json::json!(["A"]), serde_json::json!(["B", "C"])));
    let metrics = agent.request("GET", "/metrics").body;
    assert!(metrics.contains("akv_agent_reactions_owed 2\n"), "{metrics}");
    assert!(metrics.contains("akv_agent_problems 0\n"), "{metrics}");
    agent.stop().expect(0);
}
