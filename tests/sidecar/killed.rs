//! Agents that are killed at any moment of a rotation leave no app without it.

use super::support::{Agent, App, Running, Volume, Workdir, secret};
use std::{thread, time::Duration};

/// Enough to notice what goes wrong often. `AKV_TEST_ROTATIONS=10000` takes its time.
fn rotations() -> u64 {
    std::env::var("AKV_TEST_ROTATIONS").ok().and_then(|number| number.parse().ok()).unwrap_or(120)
}

/// One that waits a moment between writing and telling, for the kill to fall into.
fn start<'w>(work: &'w Workdir, volume: &Volume) -> Running<'w> {
    Agent::sidecar(work)
        .mount(volume, "SECRET=db")
        .env_file()
        .set("ON_CHANGE", "signal:HUP")
        .set("TARGET", App::target(work, "survivor"))
        .set("SPLAY", "20ms")
        .start()
}

/// Every generation that the app has read when it was told to.
fn read(app: &App) -> Vec<u64> {
    let marker = secret("");
    let generation = |line: &str| {
        let (_, after) = line.strip_prefix("read ")?.split_once(&marker)?;
        after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    };
    app.out().lines().filter_map(generation).collect()
}

#[test]
fn no_rotation_is_missed_and_none_told_twice_without_a_kill() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "0")]);
    let file = work.text("out/app.env");
    let app = App::start(&work, "survivor", &["--stop-on", "0", "--read", &file]);
    start(&work, &volume).wait_until_ready();
    let (rotations, mut kills, mut told) = (rotations(), 0, vec![]);
    for generation in 1..=rotations {
        let rotate = || volume.rotate(&[("db", &generation.to_string())]);
        // Every other one while an agent runs, the rest while none does.
        let agent = if generation % 2 == 0 {
            let agent = start(&work, &volume);
            agent.wait_until_ready();
            rotate();
            agent
        } else {
            rotate();
            start(&work, &volume)
        };
        // From before the agent's first instruction to after its last; one in eight may live.
        if generation % 8 != 0 {
            thread::sleep(Duration::from_micros(generation * 7_919 % 45_000));
            drop(agent);
            kills += 1;
            // And nothing else happens that would make the next one tell.
            let next = start(&work, &volume);
            next.wait_until_ready();
            next.wait_until("that the app was told", || {
                (read(&app).last() == Some(&generation)).then_some(())
            });
            next.stop().expect(0);
        } else {
            agent.wait_until_ready();
            agent.wait_until("that the app was told", || {
                (read(&app).last() == Some(&generation)).then_some(())
            });
            agent.stop().expect(0);
        }
        let told_now = read(&app);
        let times = told_now.iter().filter(|read| **read == generation).count();
        let most = if generation % 8 == 0 { 1 } else { 2 };
        assert!((1..=most).contains(&times), "generation {generation} was told {times} times");
        told = told_now;
    }
    let twice = told.len() as u64 - rotations;
    println!("{rotations} rotations, {kills} kills, {twice} told twice");
    assert!(
        twice < kills / 4,
        "{twice} of {kills} kills cannot all have fallen between the signal and its note"
    );
}
