//! `POST /v1/refresh`: reads everything anew and tells what came of it.

use super::support::{Agent, Answer, App, Running, Volume, Workdir, read_env_file, secret};
use dev_vault::{Action, DevVault, Endpoint, Fault};
use serde_json::{Value, json};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

fn refresh(agent: &Running<'_>, query: &str) -> Answer {
    agent.request("POST", &format!("/v1/refresh{query}"))
}

/// The answer's body, after a look at its status.
fn report(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    answer.json()
}

fn value(work: &Workdir, variable: &str) -> String {
    read_env_file(&work.path("out/app.env")).expect("a whole file")[variable].clone()
}

fn reactions(done: u64, failed: u64, pending: u64) -> Value {
    json!({"done": done, "failed": failed, "pending": pending})
}

/// A sidecar that asks a vault only if it is told to.
fn unpolled<'w>(work: &'w Workdir, vault: &DevVault, env: &str) -> Agent<'w> {
    Agent::sidecar(work).vault(vault, env).env_file().set("POLL_INTERVAL", "off")
}

#[test]
fn the_answer_comes_when_all_is_done_and_says_what_that_was() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("one")).secret("api", &secret("key"));
    let vault = vault.start().unwrap();
    let app = App::start(&work, "refreshed", &["--stop-on", "0"]);
    let agent = unpolled(&work, &vault, "SECRET=db,API_KEY=api")
        .set("ON_CHANGE", "signal:HUP")
        .set("TARGET", App::target(&work, "refreshed"))
        .start();
    agent.wait_until_ready();
    for (count, label) in [(1, "two"), (2, "three")] {
        vault.set_secret("db", &secret(label));
        let told = report(&refresh(&agent, ""), 200);
        // Neither is waited for here: the answer says that it is so.
        assert_eq!(value(&work, "SECRET"), secret(label));
        assert_eq!(agent.status()["reactions"], count);
        assert_eq!(
            told,
            json!({"ready": true, "changed": ["SECRET"], "reactions": reactions(1, 0, 0), "problems": []})
        );
        app.wait_for_signals(count);
    }
    let told = report(&refresh(&agent, ""), 200);
    assert_eq!((&told["changed"], &told["reactions"]), (&json!([]), &reactions(0, 0, 0)));
    let metrics = agent.request("GET", "/metrics").body;
    assert!(metrics.contains("akv_agent_refreshes_total 3\n"), "{metrics}");
}

#[test]
fn a_mount_alone_is_read_again_too() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = Agent::sidecar(&work).mount(&volume, "SECRET=db").env_file().start();
    agent.wait_until_ready();
    let passes = agent.status()["passes"].as_u64().unwrap();
    report(&refresh(&agent, ""), 200);
    assert!(agent.status()["passes"].as_u64().unwrap() > passes);
    volume.rotate(&[("db", "two")]);
    report(&refresh(&agent, ""), 200);
    assert_eq!(value(&work, "SECRET"), secret("two"));
}

#[test]
fn every_vault_must_have_answered() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("one")).secret_in("other", "api", &secret("one"));
    let vault = vault.start().unwrap();
    let other = vault.vault_url("other");
    let env = format!("SECRET=db,API_KEY=akv://{}/api", other.trim_start_matches("https://"));
    let agent = unpolled(&work, &vault, &env).start();
    agent.wait_until_ready();
    vault.set_secret("db", &secret("two"));
    vault.vault("other").set_secret("api", &secret("two"));
    // Longer than any other connection may last.
    let slow = Fault::new(Endpoint::Vault, Action::latency(Duration::from_secs(6))).vault("other");
    vault.faults().push(slow);
    let begin = Instant::now();
    let told = report(&refresh(&agent, "?timeout=1m"), 200);
    assert!(begin.elapsed() >= Duration::from_secs(6));
    assert_eq!(told["changed"], json!(["API_KEY", "SECRET"]));
    assert_eq!((value(&work, "SECRET"), value(&work, "API_KEY")), (secret("two"), secret("two")));
}

#[test]
fn requests_at_the_same_time_share_a_round() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("one")).start().unwrap();
    let agent = unpolled(&work, &vault, "SECRET=db").start();
    agent.wait_until_ready();
    vault.set_secret("db", &secret("two"));
    vault.clear_requests();
    let begin = Instant::now();
    thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| report(&refresh(&agent, ""), 200));
        }
    });
    let rounds = vault.requests().iter().filter(|request| request.path.contains("/secrets/db")).count();
    // Those that come while the first round runs need a second one; a slow machine may need more.
    let allowed = 2 + usize::try_from(begin.elapsed().as_secs()).unwrap();
    assert!((1..=allowed).contains(&rounds), "{rounds} rounds in {:?}", begin.elapsed());
    assert_eq!(value(&work, "SECRET"), secret("two"));
}

#[test]
fn asking_in_a_loop_does_not_use_up_the_vault() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("one")).start().unwrap();
    let agent = unpolled(&work, &vault, "SECRET=db").start();
    agent.wait_until_ready();
    vault.clear_requests();
    let begin = Instant::now();
    let mut asked = 0;
    while begin.elapsed() < Duration::from_millis(2500) {
        assert_eq!(refresh(&agent, "?wait=false").status, 202);
        asked += 1;
    }
    // The last one counts as well.
    report(&refresh(&agent, ""), 200);
    let rounds = vault.requests().iter().filter(|request| request.path.contains("/secrets/db")).count();
    let allowed = 2 + usize::try_from(begin.elapsed().as_secs()).unwrap();
    assert!((2..=allowed).contains(&rounds), "{rounds} rounds for {asked} in {:?}", begin.elapsed());
    assert_eq!(agent.status()["refreshes"], asked + 1);
}

#[test]
fn what_takes_longer_is_told_as_far_as_it_got() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = App::start(&work, "told-later", &["--stop-on", "0"]);
    let agent = Agent::sidecar(&work)
        .mount(&volume, "SECRET=db")
        .env_file()
        .set("ON_CHANGE", "signal:HUP")
        .set("TARGET", App::target(&work, "told-later"))
        .set("SPLAY", "1h")
        .start();
    agent.wait_until_ready();
    volume.rotate(&[("db", "two")]);
    // The change may be noticed before the request is.
    agent.wait_for_status("the change", |status| status["changes"] == 1);
    let told = report(&refresh(&agent, "?timeout=300ms"), 202);
    assert_eq!((&told["ready"], &told["reactions"]), (&json!(true), &reactions(0, 0, 1)));
    assert!(app.signals().is_empty());
    agent.stop().expect(0);
    assert_eq!(app.wait_for_signals(1), [libc::SIGHUP], "what is owed is done before the end");
}

#[test]
fn a_vault_that_does_not_answer_is_waited_for_and_then_told() {
    let work = Workdir::new();
    let vault = DevVault::builder().secret("db", &secret("one")).start().unwrap();
    let agent = unpolled(&work, &vault, "SECRET=db").start();
    agent.wait_until_ready();
    vault.faults().push(Fault::new(Endpoint::Vault, Action::status(503)));
    vault.set_secret("db", &secret("two"));
    assert_eq!(refresh(&agent, "?wait=false").status, 202);
    agent.wait_for_problem("503");
    let told = report(&refresh(&agent, "?timeout=500ms"), 202);
    assert_eq!((&told["ready"], &told["changed"]), (&json!(true), &json!([])));
    let problems = told["problems"].as_array().unwrap();
    assert!(problems.iter().any(|problem| problem.as_str().unwrap().contains("503")), "{told}");
    // The vault recovers while somebody waits.
    thread::scope(|scope| {
        let waiting = scope.spawn(|| report(&refresh(&agent, "?timeout=1m"), 200));
        agent.wait_for_status("the request is there", |status| status["refreshes"] == 3);
        vault.faults().clear();
        assert_eq!(waiting.join().unwrap()["changed"], json!(["SECRET"]));
    });
    assert_eq!(value(&work, "SECRET"), secret("two"));
}

#[test]
fn a_reaction_that_fails_is_told() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = Agent::sidecar(&work)
        .mount(&volume, "SECRET=db")
        .env_file()
        .set("ON_CHANGE", "signal:HUP")
        .set("TARGET", App::target(&work, "nobody-of-this-name"))
        .start();
    agent.wait_until_ready();
    volume.rotate(&[("db", "two")]);
    let told = report(&refresh(&agent, ""), 200);
    assert_eq!(told["reactions"], reactions(0, 1, 0), "{told}");
    let problem = told["problems"][0].as_str().unwrap();
    assert!(problem.contains("nobody-of-this-name"), "{problem}");
}

#[test]
fn without_a_complete_set_the_answer_is_no_success() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    let agent = Agent::sidecar(&work).mount(&volume, "SECRET=db").env_file().start();
    let told = report(&refresh(&agent, ""), 503);
    assert_eq!(told["ready"], false);
    assert!(told["problems"][0].as_str().unwrap().contains("is empty"), "{told}");
    volume.rotate(&[("db", "one")]);
    agent.wait_until_ready();
    assert_eq!(report(&refresh(&agent, ""), 200)["ready"], true);
    // The last good set stays, and the refresh has failed.
    volume.rotate(&[("other", "x")]);
    let told = report(&refresh(&agent, ""), 503);
    assert_eq!(told["ready"], true);
    assert!(told["problems"][0].as_str().unwrap().contains("SECRET"), "{told}");
}

/// A client that waits for a refresh on a connection of its own.
fn wait_on(agent: &Running<'_>) -> TcpStream {
    let mut stream = TcpStream::connect(agent.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "POST /v1/refresh?timeout=5m HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    stream
}

#[test]
fn those_who_wait_are_bounded_and_keep_nobody_else_out() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    // The pass that they wait for does not come.
    let agent = Agent::sidecar(&work).mount(&volume, "SECRET=db").env_file().set("SETTLE", "1h:2h").start();
    assert_eq!(agent.request("GET", "/livez").status, 200);
    let mut waiting = Vec::new();
    // A few at a time: of those who have not said yet what they want, there are not too many places either.
    while waiting.len() < 64 {
        waiting.extend((0..16).map(|_| wait_on(&agent)));
        agent.wait_for_status("all are there", |status| status["refreshes"] == waiting.len());
    }
    let refused = refresh(&agent, "");
    assert_eq!(refused.status, 429, "{}", refused.body);
    assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
    // Nobody who waits has to go for one who says nothing.
    let silent: Vec<_> = (0..80).map(|_| TcpStream::connect(agent.address()).unwrap()).collect();
    assert_eq!(agent.request("GET", "/livez").status, 200);
    drop(silent);
    assert_eq!(refresh(&agent, "").status, 429, "all of them still wait");
    // Who hangs up makes room.
    waiting.pop();
    agent.wait_until("a free place", || (refresh(&agent, "?timeout=1ms").status == 202).then_some(()));
    // The others end with the agent.
    agent.stop().expect(143);
    for mut stream in waiting {
        let mut answer = String::new();
        assert!(stream.read_to_string(&mut answer).is_ok() && answer.is_empty(), "{answer}");
    }
}
