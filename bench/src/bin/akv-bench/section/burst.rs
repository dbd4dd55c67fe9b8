//! A thousand switches back to back.

use super::switch;
use crate::{
    bench::Bench,
    delivery,
    goals::Goal,
    report::{cell, table},
    scene::{Scene, Told},
    statistics::{Summary, micros},
    usage,
};
use std::time::Duration;

const SWITCHES: u64 = 1000;

/// Longer than any pause that a watcher makes between two reactions.
const QUIET: Duration = Duration::from_secs(3);

/// One burst of one scene.
#[derive(Debug)]
struct Burst {
    took: f64,
    deliveries: f64,
    first: Option<f64>,
    last: Option<f64>,
    cpu: f64,
    resident: u64,
}

pub(crate) fn run(bench: &Bench) -> anyhow::Result<Vec<Goal>> {
    let mut scenes = [
        switch::floor_watch(bench)?,
        switch::floor_render(bench)?,
        Scene::start(bench, "akv-agent sidecar, env file", Told::ToReadEnvFile, |place, _| {
            bench.agent.sidecar_with_env_file(place)
        })?,
    ];
    let count = bench.effort(5, 2);
    let mut bursts: Vec<Vec<Burst>> = scenes.iter().map(|_| Vec::new()).collect();
    let mut order: Vec<usize> = (0..scenes.len()).collect();
    for _ in 0..count {
        fastrand::shuffle(&mut order);
        for &index in &order {
            bursts[index].push(burst(&mut scenes[index])?);
        }
    }
    let rows: Vec<Vec<String>> =
        scenes.iter().zip(&bursts).map(|(scene, bursts)| row(scene, bursts)).collect();
    let head = [
        "watcher",
        "burst took ms",
        "deliveries, most",
        "first switch → first delivery µs",
        "last content seen",
        "last switch → its delivery µs",
        "CPU ms",
        "CPU ms, most",
        "RSS KiB after",
    ];
    table(&format!("Bursts of {SWITCHES} switches, {count} each, medians:"), &head, &rows)?;
    let agent = bursts.last().map(Vec::as_slice).unwrap_or_default();
    let most = |of: fn(&Burst) -> f64| Summary::of(agent.iter().map(of)).map(|summary| summary.max);
    Ok(vec![
        Goal::at_most(4.0, "", "burst of 1,000: reactions, most", most(|burst| burst.deliveries)),
        Goal::at_most(17.0, "ms", "burst of 1,000: CPU, most", most(|burst| burst.cpu)),
        Goal::at_most(
            0.0,
            "",
            "burst of 1,000: last value lost",
            most(|burst| f64::from(u8::from(burst.last.is_none()))),
        ),
    ])
}

fn burst(scene: &mut Scene) -> anyhow::Result<Burst> {
    scene.strays()?;
    let pid = scene.process.pid();
    let cpu = usage::cpu_time(pid)?;
    let (first, last) = scene.volume.burst(SWITCHES)?;
    let events = scene.deliveries(last, Duration::from_secs(10), QUIET)?;
    let since = |at: u64, event: Option<&akv_bench::event::Event>| {
        event.map(|event| micros(event.at.saturating_sub(at)))
    };
    Ok(Burst {
        took: micros(last.at - first.at) / 1e3,
        deliveries: u32::try_from(events.len()).unwrap_or(u32::MAX).into(),
        first: since(first.at, events.first()),
        last: since(last.at, events.iter().find(|event| delivery::fulfils(event, last))),
        cpu: usage::cpu_time(pid)?.saturating_sub(cpu).as_secs_f64() * 1e3,
        resident: usage::memory(pid)?.resident,
    })
}

fn row(scene: &Scene, bursts: &[Burst]) -> Vec<String> {
    let summary = |of: fn(&Burst) -> Option<f64>| Summary::of(bursts.iter().filter_map(of));
    let seen = bursts.iter().filter(|burst| burst.last.is_some()).count();
    vec![
        scene.name.clone(),
        cell(summary(|burst| Some(burst.took)), |s| s.median),
        cell(summary(|burst| Some(burst.deliveries)), |s| s.max),
        cell(summary(|burst| burst.first), |s| s.median),
        format!("{seen} of {}", bursts.len()),
        cell(summary(|burst| burst.last), |s| s.median),
        cell(summary(|burst| Some(burst.cpu)), |s| s.median),
        cell(summary(|burst| Some(burst.cpu)), |s| s.max),
        bursts.last().map_or(0, |burst| burst.resident).to_string(),
    ]
}
