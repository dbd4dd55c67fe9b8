//! Whoever reads the env file at any moment finds a whole one, of one generation, and never an older one.

#![allow(clippy::unwrap_used)]

mod support;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};
use support::{Agent, SayDone, Volume, Workdir, parse_env_file, secret};

const VARIABLES: &str = "A=a,B=b,LONG=long";

/// Makes the file several pages long, so that a write that is not atomic has a middle.
const LONG: usize = 16 << 10;

fn rotate(volume: &Volume, generation: u32) {
    let label = secret(&generation.to_string());
    let long = format!("{label} {}", "x".repeat(LONG));
    volume.write_raw(&[("a", &label), ("b", &label), ("long", &long)]);
}

fn generation(text: &str) -> u32 {
    let variables = parse_env_file(text).unwrap_or_else(|| panic!("torn: {} bytes", text.len()));
    let (a, b, long) = (&variables["A"], &variables["B"], &variables["LONG"]);
    assert!(a == b && long.split(' ').next() == Some(a), "mixed generations: {a}, {b}");
    assert_eq!(long.len(), a.len() + 1 + LONG, "torn within a value");
    a.strip_prefix(&secret("")).and_then(|number| number.parse().ok()).expect("a number")
}

/// Reads the env file again and again while `rotate` goes on; gives the number of reads.
fn hammer(work: &Workdir, rotations: impl FnOnce()) -> u32 {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut reads, mut seen) = (0, 0);
            while !done.load(Ordering::Relaxed) {
                let text = std::fs::read_to_string(work.path("out/app.env")).expect("it is always there");
                let now = generation(&text);
                assert!(now >= seen, "it went back from {seen} to {now}");
                (reads, seen) = (reads + 1, now);
            }
            reads
        });
        let say_done = SayDone(&done);
        rotations();
        drop(say_done);
        reader.join().unwrap()
    })
}

#[test]
fn five_hundred_runs_of_init_are_each_seen_whole() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    rotate(&volume, 0);
    let init = || Agent::init(&work).mount(&volume, VARIABLES).env_file().finish().expect(0);
    init();
    let reads = hammer(&work, || {
        for count in 1..=500 {
            rotate(&volume, count);
            init();
            assert_eq!(generation(&work.read("out/app.env")), count);
        }
    });
    assert!(reads > 500, "{reads} reads");
    assert_eq!(work.names("out"), ["app.env"]);
}

#[test]
fn a_sidecar_under_a_writer_that_does_not_rest_is_seen_whole() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    rotate(&volume, 0);
    let agent = Agent::sidecar(&work).mount(&volume, VARIABLES).env_file().start();
    agent.wait_until_ready();
    let reads = hammer(&work, || {
        for count in 1..=1000 {
            rotate(&volume, count);
        }
        agent.wait_until("the last", || (generation(&work.read("out/app.env")) == 1000).then_some(()));
    });
    assert!(reads > 100, "{reads} reads");
    assert_eq!(agent.status()["problems"], serde_json::json!([]));
    agent.stop().expect(0);
    assert_eq!(work.names("out"), ["app.env"]);
}

#[test]
fn a_set_is_never_read_half_before_and_half_after_a_switch() {
    const FILES: usize = 32;
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    let names: Vec<String> = (0..FILES).map(|number| format!("file-{number}")).collect();
    let rotate = |generation: u32| {
        let value = secret(&generation.to_string());
        volume.write_raw(&names.iter().map(|name| (name, &value)).collect::<Vec<_>>());
    };
    let env: Vec<String> = names.iter().enumerate().map(|(n, name)| format!("V{n}={name}")).collect();
    rotate(0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        // A switch every moment, so that many a read has one in the middle.
        let writer = scope.spawn(|| {
            let mut generation = 0;
            while !done.load(Ordering::Relaxed) {
                generation += 1;
                rotate(generation);
            }
            generation
        });
        let say_done = SayDone(&done);
        for _ in 0..150 {
            Agent::init(&work).mount(&volume, &env.join(",")).env_file().finish().expect(0);
            let variables = parse_env_file(&work.read("out/app.env")).expect("a whole file");
            assert_eq!(variables.len(), FILES);
            let first = &variables["V0"];
            assert!(variables.values().all(|value| value == first), "mixed: {variables:?}");
        }
        drop(say_done);
        assert!(writer.join().unwrap() > 150);
    });
}
