//! A reaction that fails: reported, tried again by itself, with growing patience.

use super::{
    command::rule,
    server::Server,
    support::{Agent, Running, Volume, Workdir},
};
use std::os::unix::fs::MetadataExt as _;

fn start<'w>(work: &'w Workdir, volume: &Volume, rules: &str) -> Running<'w> {
    let agent = Agent::sidecar(work)
        .mount(volume, "SECRET=db,TLS_KEY=tls")
        .env_file()
        .yaml(&format!("onChange:\n{rules}"))
        .start();
    agent.wait_until_ready();
    agent
}

#[test]
fn it_holds_up_nobody_and_is_retried_alone_without_touching_the_outputs() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("tls", "one")]);
    let app = Server::start(500);
    let rules = [
        format!("- {{when: [SECRET], http: \"{}\"}}\n", app.url("/first")),
        rule("TLS_*", "echo told >> second"),
    ];
    let agent = start(&work, &volume, &rules.concat());
    volume.rotate(&[("db", "two"), ("tls", "two")]);
    agent.wait_for_status("the second one", |status| status["reactions"] == 1);
    let written = std::fs::metadata(work.path("out/app.env")).unwrap();
    app.wait_for_requests(3);
    let status = agent.status();
    assert!(status["failedReactions"].as_u64() >= Some(2), "{status:#}");
    let metrics = agent.request("GET", "/metrics").body;
    let command = "akv_agent_reactions_total{reaction=\"command\",result=\"success\"} 1\n";
    assert!(metrics.contains(command), "{metrics}");
    let count = |line: &str| {
        line.strip_prefix("akv_agent_reactions_total{reaction=\"http\",result=\"failure\"} ")?.parse().ok()
    };
    assert!(metrics.lines().find_map(count) >= Some(2), "{metrics}");
    assert!(metrics.contains("akv_agent_problems 1\n"), "{metrics}");
    app.answer(200);
    agent.wait_until_well();
    assert_eq!(agent.status()["reactions"], 2);
    let now = std::fs::metadata(work.path("out/app.env")).unwrap();
    assert_eq!((now.ino(), now.mtime_nsec()), (written.ino(), written.mtime_nsec()));
    assert_eq!(work.read("second"), "told\n");
    assert_eq!(agent.status()["changes"], 1);
    // What succeeded is owed no longer.
    let requests = app.requests().len();
    agent.stop().expect(0);
    assert_eq!(app.requests().len(), requests);
}

#[test]
fn the_pauses_grow() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("tls", "one")]);
    let agent = start(&work, &volume, &rule("'*'", "date +%s%3N >> tries; exit 1"));
    volume.rotate(&[("db", "two"), ("tls", "one")]);
    let tries = agent.wait_until("four tries", || {
        let tries: Vec<u64> = work.read("tries").lines().filter_map(|line| line.parse().ok()).collect();
        (tries.len() >= 4).then_some(tries)
    });
    // Not before its time; how much later depends on the machine.
    for (pair, at_least) in tries.windows(2).zip([1000, 2000, 4000]) {
        assert!(pair[1] - pair[0] >= at_least - 100, "{tries:?}");
    }
    // Not all three could be below, were the first pause longer than it is.
    assert!(tries[3] - tries[0] < 14_000, "{tries:?}");
}

#[test]
fn a_new_change_is_told_at_once_together_with_what_is_owed() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("tls", "one")]);
    let script = "echo $AKV_AGENT_CHANGED >> tries; test -e fine";
    let agent = start(&work, &volume, &rule("'*'", script));
    volume.rotate(&[("db", "two"), ("tls", "one")]);
    agent.wait_for_status("three failures", |status| status["failedReactions"].as_u64() >= Some(3));
    // The next try is four seconds away.
    work.write("fine", "");
    let before = std::time::Instant::now();
    volume.rotate(&[("db", "two"), ("tls", "two")]);
    agent.wait_for_status("a success", |status| status["reactions"] == 1);
    let took = before.elapsed();
    assert_eq!(work.read("tries").lines().last(), Some("SECRET TLS_KEY"), "{}", agent.scene());
    assert!(took.as_secs() < 3, "{took:?}");
    agent.wait_until_well();
}
