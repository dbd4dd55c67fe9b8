//! An agent that is killed at any moment leaves a whole file behind, and not one file more each time.

use super::support::{Agent, SayDone, Volume, Workdir, read_env_file, secret};
use std::{
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
    time::Duration,
};

const VARIABLES: &str = "A=a,B=b,C=c";

/// One generation of all three secrets.
fn rotate(volume: &Volume, generation: u32) {
    let label = generation.to_string();
    volume.rotate(&[("a", &label), ("b", &label), ("c", &label)]);
}

/// The generation that is in the file, all of it.
fn generation(work: &Workdir) -> Option<u32> {
    let variables = read_env_file(&work.path("out/app.env"))
        .unwrap_or_else(|| panic!("torn: {:?}", work.read("out/app.env")));
    assert_eq!(variables.len(), 3, "{variables:?}");
    let (a, rest) = (&variables["A"], [&variables["B"], &variables["C"]]);
    assert!(rest.iter().all(|value| *value == a), "mixed: {variables:?}");
    a.strip_prefix(&secret(""))?.parse().ok()
}

#[test]
fn fifty_kills_under_rotation_tear_nothing() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    rotate(&volume, 0);
    Agent::init(&work).mount(&volume, VARIABLES).env_file().finish().expect(0);

    let (done, last) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                rotate(&volume, last.load(Ordering::Relaxed) + 1);
                last.fetch_add(1, Ordering::Relaxed);
            }
        });
        let _say_done = SayDone(&done);
        let mut seen = 0;
        for round in 0..50_u64 {
            let agent = Agent::sidecar(&work).mount(&volume, VARIABLES).env_file().start();
            // Moments from before the first read to well after the first rewrites.
            thread::sleep(Duration::from_micros(round * 7_919 % 25_000));
            drop(agent);
            let now = generation(&work).expect("a generation");
            assert!(now >= seen, "the file went back from {seen} to {now}");
            seen = now;
            let names = work.names("out");
            assert!(names.len() <= 2, "leftovers: {names:?}");
        }
        assert!(seen > 0, "no agent lived long enough to write");
    });

    let agent = Agent::sidecar(&work).mount(&volume, VARIABLES).env_file().start();
    let last = last.into_inner();
    agent.wait_until("the last generation", || (generation(&work) == Some(last)).then_some(()));
    agent.stop().expect(0);
}
