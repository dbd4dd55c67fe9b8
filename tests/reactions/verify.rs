//! The proof that the app took a change that it was told of.

use super::{
    command::rule,
    server::Server,
    support::{Agent, App, Running, Volume, Workdir, free_address, test_app},
};
use std::net::TcpListener;

const APP: &str = "verified";

/// A sidecar of two variables, each with its own rule if there are two.
fn start<'w>(work: &'w Workdir, volume: &Volume, rules: &str) -> Running<'w> {
    let agent = Agent::sidecar(work)
        .mount(volume, "SECRET=db,TLS_KEY=tls")
        .env_file()
        .set("TARGET", App::target(work, APP))
        .yaml(&format!("onChange:\n{rules}"))
        .start();
    agent.wait_until_ready();
    agent
}

fn volume(work: &Workdir) -> Volume {
    Volume::new(work, &[("db", "one"), ("tls", "one")])
}

#[test]
fn a_signal_is_a_success_once_the_app_shows_it() {
    let work = Workdir::new();
    let volume = volume(&work);
    let app = App::start(&work, APP, &["--stop-on", "0"]);
    let page = Server::start(503);
    let verify =
        format!("- {{when: [SECRET], signal: HUP, verify: {{http: \"{}\"}}}}\n", page.url("/version"));
    let agent = start(&work, &volume, &(verify + &rule("TLS_*", "echo ran >> second")));
    volume.rotate(&[("db", "two"), ("tls", "two")]);
    page.wait_for_requests(2);
    let status = agent.status();
    assert_eq!((&status["reactions"], &status["failedReactions"]), (&0.into(), &0.into()), "{status:#}");
    assert!(!work.path("second").exists(), "the next one waits for the outcome");
    page.answer(200);
    agent.wait_for_status("both", |status| status["reactions"] == 2);
    let status = agent.status();
    assert_eq!(status["verifications"], serde_json::json!({"success": 1, "failure": 0}));
    assert!(page.requests().iter().all(|request| request == "GET /version"));
    let metrics = agent.request("GET", "/metrics").body;
    assert!(metrics.contains("akv_agent_verifications_total{result=\"success\"} 1\n"), "{metrics}");
    agent.wait_until_well();
    agent.stop().expect(0);
    assert_eq!(app.signals(), [libc::SIGHUP]);
    assert_eq!(work.read("second"), "ran\n");
}

#[test]
fn an_app_that_does_not_show_it_is_told_again_and_that_is_reported() {
    let work = Workdir::new();
    let volume = volume(&work);
    let app = App::start(&work, APP, &["--stop-on", "0"]);
    let page = Server::start(503);
    let verify = format!(
        "- {{signal: HUP, verify: {{http: {{url: \"{}\", expect: 204}}, within: 600ms}}}}\n",
        page.url("/version?key=hidden-part")
    );
    let agent = start(&work, &volume, &verify);
    volume.rotate(&[("db", "two"), ("tls", "one")]);
    let said = format!("GET {}: 503 Service Unavailable; expected 204", page.url("/version"));
    agent.wait_for_problem(&said);
    // It is there while it is tried again as well.
    let status = agent.wait_for_status("another failure", |status| {
        assert!(status["problems"].to_string().contains(&said), "{status:#}");
        assert_eq!(status["owed"][0]["reaction"], "SIGHUP", "{status:#}");
        status["failedReactions"].as_u64() >= Some(2)
    });
    app.wait_for_signals(2);
    assert!(status["unverified"].to_string().contains(&said), "{status:#}");
    assert!(status["verifications"]["failure"].as_u64() >= Some(2), "{status:#}");
    assert_eq!(status["reactions"], 0);
    page.answer(204);
    agent.wait_until_well();
    let status = agent.wait_for_status("a success", |status| status["reactions"] == 1);
    assert_eq!(status["verifications"]["success"], 1);
    assert!(status.get("unverified").is_none(), "{status:#}");
    let ended = agent.stop().expect(0);
    assert!(!ended.err.contains("hidden-part"), "{}", ended.scene);
}

#[test]
fn a_request_can_be_verified_by_a_command_that_gets_no_secret() {
    let work = Workdir::new();
    let volume = volume(&work);
    let app = Server::start(200);
    let rule = format!(
        "- {{http: \"{}\", verify: {{command: [sh, -c, 'env > seen; test -e reloaded']}}}}\n",
        app.url("/reload")
    );
    let agent = start(&work, &volume, &rule);
    volume.rotate(&[("db", "two"), ("tls", "one")]);
    app.wait_for_requests(1);
    agent.wait_until("the check was made", || work.path("seen").exists().then_some(()));
    assert_eq!(agent.status()["reactions"], 0);
    work.write("reloaded", "");
    agent.wait_for_status("a success", |status| status["reactions"] == 1);
    assert_eq!(app.requests(), ["POST /reload"]);
    super::support::assert_clean("the environment of the check", &work.read("seen"));
}

#[test]
fn a_connection_is_a_proof() {
    let work = Workdir::new();
    let volume = volume(&work);
    let _app = App::start(&work, APP, &["--stop-on", "0"]);
    let address = free_address();
    let agent =
        start(&work, &volume, &format!("- {{signal: HUP, verify: {{tcp: \"{address}\", within: 1h}}}}\n"));
    volume.rotate(&[("db", "two"), ("tls", "one")]);
    // Waits as well as it works: nothing is there, and that is no failure yet.
    agent.wait_for_status("the change", |status| status["changes"] == 1);
    assert_eq!(agent.status()["failedReactions"], 0);
    let _listener = TcpListener::bind(address).unwrap();
    agent.wait_for_status("a success", |status| status["verifications"]["success"] == 1);
}

#[test]
fn that_the_app_was_started_since_is_a_proof() {
    let work = Workdir::new();
    let volume = volume(&work);
    let app = App::start(&work, APP, &["--stop-on", "1"]);
    let agent = start(&work, &volume, "- {signal: HUP, verify: {startTime: true, within: 1h}}\n");
    volume.rotate(&[("db", "two"), ("tls", "one")]);
    assert_eq!(app.wait_for_signals(1), [libc::SIGHUP]);
    assert_eq!(agent.status()["reactions"], 0);
    drop(app);
    let _next = App::start(&work, APP, &["--stop-on", "0"]);
    let status = agent.wait_for_status("a success", |status| status["reactions"] == 1);
    assert_eq!(status["verifications"], serde_json::json!({"success": 1, "failure": 0}));
}

#[test]
fn a_signal_to_the_child_of_exec_can_be_verified() {
    let work = Workdir::new();
    let volume = volume(&work);
    let yaml = "onChange: [{signal: USR1, verify: {command: [test, -e, reloaded], within: 1h}}]\n";
    let agent = Agent::exec(&work, &[&*test_app()]).mount(&volume, "SECRET=db").yaml(yaml).start();
    agent.wait_for_start(1);
    volume.rotate(&[("db", "two"), ("tls", "one")]);
    agent.wait_for_signal(libc::SIGUSR1);
    assert_eq!(agent.status()["reactions"], 0);
    work.write("reloaded", "");
    agent.wait_for_status("a success", |status| status["verifications"]["success"] == 1);
    assert_eq!(agent.signals(), [libc::SIGUSR1]);
    // One that is told to end does not wait for a proof.
    std::fs::remove_file(work.path("reloaded")).unwrap();
    volume.rotate(&[("db", "three"), ("tls", "one")]);
    agent.wait_until("the second signal", || (agent.signals().len() == 2).then_some(()));
    agent.stop().expect(0);
}
