//! A writer that is slow, and switches that come close to each other.

use super::switch;
use crate::{
    bench::Bench,
    delivery,
    goals::Goal,
    report::table,
    rotation::{self, Rounds},
    scene::Scene,
};
use std::{thread, time::Duration};

/// A node that is busy: so long between the new files and the rename.
const SLOW: Duration = Duration::from_millis(20);

/// Switches of a group.
const GROUP: usize = 3;

/// The longest time between two of them, in microseconds.
const CLOSE: u64 = 20_000;

pub(crate) fn run(bench: &Bench) -> anyhow::Result<Vec<Goal>> {
    let mut scenes = switch::scenes(bench)?;
    let count = bench.effort(100, 25);
    let rounds = Rounds { count, pause: SLOW, quiet: Duration::from_millis(60) };
    let outcomes = rotation::rotate(&mut scenes, rounds)?;
    rotation::report(
        &format!(
            "A slow writer, {} ms between the new files and the rename, {count} switches each:",
            SLOW.as_millis()
        ),
        &scenes,
        &outcomes,
    )?;
    let name = format!("{} sidecar, env file", bench.agent.name);
    let Some(index) = scenes.iter().position(|scene| scene.name == name) else { return Ok(Vec::new()) };
    let tallies = groups(&mut scenes, bench.effort(60, 15))?;
    let wrong = u32::try_from(tallies[index].lost + tallies[index].early).unwrap_or(u32::MAX);
    Ok(vec![
        rotation::without_fault("a slow writer", &outcomes[index]),
        Goal::at_most(0.0, "", "switches close to each other: last one lost, early", Some(wrong.into())),
    ])
}

/// What came of all groups of one scene.
#[derive(Debug, Default)]
struct Groups {
    lost: usize,
    early: usize,
    deliveries: usize,
    last_doubled: usize,
}

fn groups(scenes: &mut [Scene], count: usize) -> anyhow::Result<Vec<Groups>> {
    let mut tallies: Vec<Groups> = scenes.iter().map(|_| Groups::default()).collect();
    let mut order: Vec<usize> = (0..scenes.len()).collect();
    for _ in 0..count {
        fastrand::shuffle(&mut order);
        for &index in &order {
            let (scene, tally) = (&mut scenes[index], &mut tallies[index]);
            scene.strays()?;
            let first = scene.volume.switch(Duration::ZERO)?;
            let mut last = first;
            for _ in 1..GROUP {
                thread::sleep(Duration::from_micros(fastrand::u64(..=CLOSE)));
                last = scene.volume.switch(Duration::ZERO)?;
            }
            let events = scene.deliveries(last, Duration::from_secs(5), Duration::from_millis(300))?;
            let of_last = events.iter().filter(|event| delivery::fulfils(event, last)).count();
            tally.lost += usize::from(of_last == 0);
            tally.last_doubled += of_last.saturating_sub(1);
            tally.early += events.iter().filter(|event| event.at < first.at).count();
            tally.deliveries += events.len();
        }
    }
    let rows: Vec<Vec<String>> = scenes
        .iter()
        .zip(&tallies)
        .map(|(scene, tally)| {
            let counts = [tally.lost, tally.early, tally.deliveries, tally.last_doubled];
            std::iter::once(scene.name.clone()).chain(counts.map(|count| count.to_string())).collect()
        })
        .collect();
    let head = ["watcher", "last content not delivered", "early", "deliveries", "last content again"];
    let caption = format!("{count} groups of {GROUP} switches, a random 0 to {} ms apart:", CLOSE / 1000);
    table(&caption, &head, &rows)?;
    Ok(tallies)
}
