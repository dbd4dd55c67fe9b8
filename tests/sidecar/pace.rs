//! How fast, how often, and what is seen when a writer is slow or does not rest.

use super::support::{Agent, App, Running, Volume, Workdir, read_env_file, secret};
use std::{thread, time::Duration, time::Instant};

fn start<'w>(work: &'w Workdir, volume: &Volume, target: &str) -> Running<'w> {
    let agent = Agent::sidecar(work)
        .mount(volume, "SECRET=db")
        .env_file()
        .set("ON_CHANGE", "signal:HUP")
        .set("TARGET", App::target(work, target))
        .start();
    agent.wait_until_ready();
    agent
}

fn value(work: &Workdir) -> String {
    read_env_file(&work.path("out/app.env")).expect("a whole file")["SECRET"].clone()
}

/// Waits until the newest set is out and the app has been told of every change; says of how many.
fn wait_until_all_told(agent: &Running<'_>, volume: &Volume) -> u64 {
    let generation = volume.generation();
    let status = agent.wait_for_status("all told", |status| {
        status["mount"]["generation"] == *generation && status["reactions"] == status["changes"]
    });
    status["reactions"].as_u64().unwrap()
}

#[test]
fn a_slow_writer_is_not_read_before_it_is_done() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "0"), ("old", "x")]);
    let app = App::start(&work, "slow-writer", &["--stop-on", "0"]);
    let agent = start(&work, &volume, "slow-writer");
    for count in 1..=5 {
        // The app is told before the status is brought up to date.
        wait_until_all_told(&agent, &volume);
        let passes = agent.status()["passes"].clone();
        // A new name, too, so that its link appears early.
        let name = format!("new-{count}");
        volume.rotate_slowly(&[("db", &count.to_string()), (&name, "x")], || {
            // This is the writer's own slowness: long enough for an agent that is too eager.
            thread::sleep(Duration::from_millis(20));
            assert_eq!(value(&work), secret(&(count - 1).to_string()));
            assert_eq!(app.signals().len(), count - 1);
            assert_eq!(agent.status()["passes"], passes, "nothing is read while nothing is complete");
        });
        assert_eq!(app.wait_for_signals(count).len(), count);
        assert_eq!(value(&work), secret(&count.to_string()), "the file is there before the signal");
    }
    agent.stop().expect(0);
    assert_eq!(app.signals().len(), 5);
}

#[test]
fn two_switches_in_quick_succession_end_with_the_second() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = App::start(&work, "quick-pair", &["--stop-on", "0"]);
    let agent = start(&work, &volume, "quick-pair");
    volume.rotate(&[("db", "two")]);
    volume.rotate(&[("db", "three")]);
    agent.wait_until("the second", || (value(&work) == secret("three")).then_some(()));
    assert!((1..=2).contains(&wait_until_all_told(&agent, &volume)));
    let signals = app.wait_for_signals(1).len();
    assert!(signals <= 2, "{signals} signals");
}

#[test]
fn a_value_that_is_taken_back_leaves_the_first_one() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let app = App::start(&work, "taken-back", &["--stop-on", "0"]);
    let agent = start(&work, &volume, "taken-back");
    volume.rotate(&[("db", "two")]);
    volume.rotate(&[("db", "one")]);
    let told = wait_until_all_told(&agent, &volume);
    assert_eq!(value(&work), secret("one"));
    // It may have been too quick for the agent to see the other one at all.
    assert!(told == 0 || told == 2, "{told} reactions");
    if told == 2 {
        app.wait_for_signals(1);
    }
    assert!(app.signals().len() as u64 <= told);
}

#[test]
fn a_burst_of_a_thousand_switches_makes_few_signals_and_ends_with_the_last() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "0")]);
    let app = App::start(&work, "burst-app", &["--stop-on", "0"]);
    let agent = start(&work, &volume, "burst-app");
    let begin = Instant::now();
    for count in 1..=1000 {
        volume.rotate(&[("db", &count.to_string())]);
    }
    let took = begin.elapsed();
    agent.wait_until("the last", || (value(&work) == secret("1000")).then_some(()));
    let told = wait_until_all_told(&agent, &volume);
    // The gap between two starts at 25 ms and doubles until it is 2 s; the first and the last come on top.
    let allowed = 3 + u64::from((took.as_millis() / 25).max(1).ilog2()) + took.as_secs() / 2;
    assert!((1..=allowed).contains(&told), "{told} signals in {took:?}");
    // After the burst the next change counts like any other.
    volume.rotate(&[("db", "end")]);
    agent.wait_until("the next", || (value(&work) == secret("end")).then_some(()));
    assert_eq!(wait_until_all_told(&agent, &volume), told + 1);
    // Two that come before the app has taken the first are one for it.
    let got = app.wait_for_signals(1);
    assert!(got.len() as u64 <= told + 1, "{got:?}");
}

#[test]
fn a_quiet_time_can_be_asked_for() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "0")]);
    let agent =
        Agent::sidecar(&work).mount(&volume, "SECRET=db").env_file().set("SETTLE", "300ms:5s").start();
    agent.wait_until_ready();
    let begin = Instant::now();
    for count in 1..=5 {
        volume.rotate(&[("db", &count.to_string())]);
    }
    let took = begin.elapsed();
    agent.wait_until("the last", || (value(&work) == secret("5")).then_some(()));
    assert!(begin.elapsed() >= Duration::from_millis(300));
    // The file is there a moment before the status tells of it.
    let status = agent.wait_for_status("the change", |status| status["changes"] != 0);
    // On a machine so slow that the writer itself paused, the agent may have seen more.
    if took < Duration::from_millis(300) {
        assert_eq!(status["changes"], 1);
    }
}

#[test]
fn an_interval_lies_between_the_changes_that_are_acted_on() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "0")]);
    let app = App::start(&work, "interval-app", &["--stop-on", "0"]);
    let agent = Agent::sidecar(&work)
        .mount(&volume, "SECRET=db")
        .env_file()
        .set("ON_CHANGE", "signal:HUP")
        .set("TARGET", App::target(&work, "interval-app"))
        .set("SETTLE", "0s:5s:2s")
        .start();
    agent.wait_until_ready();
    let begin = Instant::now();
    volume.rotate(&[("db", "1")]);
    app.wait_for_signals(1);
    let first = begin.elapsed();
    for count in 2..=20 {
        volume.rotate(&[("db", &count.to_string())]);
    }
    app.wait_for_signals(2);
    assert!(begin.elapsed() >= Duration::from_secs(2), "{first:?}, {:?}", begin.elapsed());
    assert_eq!(value(&work), secret("20"));
    assert_eq!(wait_until_all_told(&agent, &volume), 2);
    assert_eq!(app.signals().len(), 2);
}
