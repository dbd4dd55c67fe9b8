//! The reaction `http`.

use super::{
    server::{SILENCE, Server},
    support::{Agent, Running, Volume, Workdir, free_address, test_app},
};
use serde_json::Value;

fn start<'w>(work: &'w Workdir, volume: &Volume, yaml: &str) -> Running<'w> {
    let agent = Agent::sidecar(work).mount(volume, "SECRET=db").env_file().yaml(yaml).start();
    agent.wait_until_ready();
    agent
}

#[test]
fn a_change_and_nothing_else_sends_the_request() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = Server::start(204);
    let agent = start(&work, &volume, &format!("onChange: [{{http: \"{}\"}}]\n", app.url("/-/reload?a=b")));
    volume.rotate(&[("db", "one"), ("other", "x")]);
    agent.wait_for_generation(&volume.generation());
    volume.rotate(&[("db", "two")]);
    assert_eq!(app.wait_for_requests(1), ["POST /-/reload?a=b"]);
    agent.wait_for_status("a reaction", |status| status["reactions"] == 1);
    volume.rotate(&[("db", "three")]);
    assert_eq!(app.wait_for_requests(2), ["POST /-/reload?a=b"; 2]);
    agent.wait_for_status("two reactions", |status| status["reactions"] == 2);
    agent.wait_until_well();
    agent.stop().expect(0);
    assert_eq!(app.requests().len(), 2);
    for head in app.heads() {
        super::support::assert_clean("the request", &head);
    }
}

#[test]
fn the_short_form_is_a_setting_too_and_all_parts_can_be_chosen() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = Server::start(200);
    let agent = Agent::sidecar(&work)
        .mount(&volume, "SECRET=db")
        .set("ON_CHANGE", format!("http:{}", app.url("/a")))
        .start();
    agent.wait_until_ready();
    volume.rotate(&[("db", "two")]);
    assert_eq!(app.wait_for_requests(1), ["POST /a"]);
    agent.stop().expect(0);

    let yaml = format!(
        "onChange: [{{http: {{url: \"{}\", method: PUT, expect: 503, timeout: 10s}}}}]\n",
        app.url("/b")
    );
    app.answer(503);
    let agent = start(&work, &volume, &yaml);
    volume.rotate(&[("db", "three")]);
    assert_eq!(app.wait_for_requests(2)[1..], ["PUT /b"]);
    agent.wait_for_status("a reaction", |status| status["reactions"] == 1);
    agent.wait_until_well();
}

#[test]
fn another_status_is_a_problem_that_names_the_request_without_its_query() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = Server::start(503);
    let yaml = format!("onChange: [{{http: \"{}\"}}]\n", app.url("/-/reload?key=hidden-part"));
    let agent = start(&work, &volume, &yaml);
    volume.rotate(&[("db", "two")]);
    let said = format!("POST {}: 503 Service Unavailable; expected 200 to 299", app.url("/-/reload"));
    agent.wait_for_problem(&said);
    let status = agent.status();
    assert_eq!(status["reactions"], 0);
    let owed = serde_json::json!({"reaction": said.split(": ").next(), "variables": ["SECRET"]});
    let is_owed = |status: &Value| {
        owed.as_object().unwrap().iter().all(|(key, value)| status["owed"][0][key] == *value)
    };
    assert!(is_owed(&status), "{status:#}");
    let later = agent.wait_for_status("two more", |now| {
        assert!(is_owed(now), "{now:#}");
        now["failedReactions"].as_u64() >= Some(3)
    });
    assert_eq!(later["passes"], status["passes"], "an answer is no reason to read the sources again");
    app.answer(302);
    agent.wait_for_problem("302 Found");
    app.answer(200);
    agent.wait_until_well();
    assert_eq!(agent.status()["reactions"], 1);
    let ended = agent.stop().expect(0);
    assert!(!ended.err.contains("hidden-part"), "{}", ended.scene);
}

#[test]
fn an_app_that_is_not_there_yet_is_told_when_it_is() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let address = free_address();
    let agent = start(&work, &volume, &format!("onChange: [{{http: \"http://{address}/\"}}]\n"));
    volume.rotate(&[("db", "two")]);
    agent.wait_for_problem("connection refused");
    let app = Server::start_at(address, 200);
    assert_eq!(app.wait_for_requests(1), ["POST /"]);
    agent.wait_until_well();
}

#[test]
fn an_app_that_does_not_answer_holds_up_nothing_else() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = Server::start(SILENCE);
    let yaml = format!("onChange: [{{http: {{url: \"{}\", timeout: 1h}}}}]\n", app.url("/"));
    let program = [&*test_app(), "--stop-on", "15"];
    let agent = Agent::exec(&work, &program).mount(&volume, "SECRET=db").env_file().yaml(&yaml).start();
    agent.wait_for_start(1);
    volume.rotate(&[("db", "two")]);
    app.wait_for_requests(1);
    agent.signal(libc::SIGUSR1);
    agent.wait_for_signal(libc::SIGUSR1);
    // Another change is read and written all the same.
    volume.rotate(&[("db", "three")]);
    agent.wait_for_status("the second change", |status| status["changes"] == 2);
    assert!(work.read("out/app.env").contains("three"));
    agent.stop().expect(0);
}

#[test]
fn an_answer_that_takes_too_long_is_a_failure() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = Server::start(SILENCE);
    let yaml = format!("onChange: [{{http: {{url: \"{}\", timeout: 200ms}}}}]\n", app.url("/"));
    let agent = start(&work, &volume, &yaml);
    volume.rotate(&[("db", "two")]);
    agent.wait_for_problem("no answer within 200 ms");
    app.answer(200);
    agent.wait_until_well();
}
