//! Switches the volumes of several scenes in turn, in a new random order each round.

use crate::{
    delivery::Worth,
    goals::Goal,
    report::{cell, table},
    scene::Scene,
    statistics::{Ratio, Summary, micros},
    usage,
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// How to switch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rounds {
    pub(crate) count: usize,
    /// Between the new files and the rename.
    pub(crate) pause: Duration,
    /// Without a delivery, before the next switch.
    pub(crate) quiet: Duration,
}

/// Rounds that warm caches up and are not counted.
const WARM_UP: usize = 5;

/// A switch whose delivery is later than this was missed.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A random time before each switch, so that nothing periodic falls into step with it.
const GAP: std::ops::Range<u64> = 2_000..12_000;

/// At least so long between two switches of one volume. A watcher may slow down where changes come close to
/// each other, which is measured elsewhere.
const REST: Duration = Duration::from_millis(200);

/// What one scene made of all rounds.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) worth: Vec<Worth>,
    /// Deliveries when none was due.
    pub(crate) stray: usize,
    /// What the watcher itself needed for each switch.
    pub(crate) cpu: Vec<Duration>,
}

impl Outcome {
    /// Microseconds to the first good delivery of each round.
    pub(crate) fn latencies(&self) -> Vec<Option<f64>> {
        self.worth.iter().map(|worth| worth.latency.map(micros)).collect()
    }

    /// Microseconds without a process in each round; none where nothing was restarted.
    pub(crate) fn gaps(&self) -> Vec<Option<f64>> {
        self.worth.iter().map(|worth| worth.gap.map(micros)).collect()
    }

    /// Everything about a delivery that should not be.
    pub(crate) fn faults(&self) -> usize {
        let wrong = |worth: &Worth| worth.early + worth.stale + worth.doubled;
        self.missed() + self.stray + self.sum(wrong)
    }

    fn missed(&self) -> usize {
        self.worth.iter().filter(|worth| worth.latency.is_none()).count()
    }

    fn sum(&self, of: fn(&Worth) -> usize) -> usize {
        self.worth.iter().map(of).sum()
    }
}

/// The goal that each switch is delivered once, after it, with what it brought.
pub(crate) fn without_fault(what: &str, outcome: &Outcome) -> Goal {
    let faults = u32::try_from(outcome.faults()).unwrap_or(u32::MAX);
    Goal::at_most(0.0, "", format!("{what}: missed, early, stale, doubled"), Some(faults.into()))
}

/// Switches every scene's volume `rounds.count` times.
pub(crate) fn rotate(scenes: &mut [Scene], rounds: Rounds) -> anyhow::Result<Vec<Outcome>> {
    let mut outcomes: Vec<Outcome> = scenes.iter().map(|_| Outcome::default()).collect();
    let mut order: Vec<usize> = (0..scenes.len()).collect();
    let mut rested = vec![Instant::now(); scenes.len()];
    for round in 0..WARM_UP + rounds.count {
        fastrand::shuffle(&mut order);
        for &index in &order {
            let scene = &mut scenes[index];
            thread::sleep(rested[index].saturating_duration_since(Instant::now()));
            thread::sleep(Duration::from_micros(fastrand::u64(GAP)));
            let stray = scene.strays()?;
            let cpu = usage::cpu_time(scene.process.pid())?;
            let switch = scene.volume.switch(rounds.pause)?;
            rested[index] = Instant::now() + REST;
            let events = scene.deliveries(switch, TIMEOUT, rounds.quiet)?;
            if round >= WARM_UP {
                let cpu = usage::cpu_time(scene.process.pid())?.saturating_sub(cpu);
                outcomes[index].cpu.push(cpu);
                outcomes[index].stray += stray;
                outcomes[index].worth.push(Worth::of(switch, &events));
            }
        }
    }
    Ok(outcomes)
}

/// The table of what came of it; the first scene is the floor.
pub(crate) fn report(caption: &str, scenes: &[Scene], outcomes: &[Outcome]) -> anyhow::Result<()> {
    let (floor, floor_gaps) = (outcomes[0].latencies(), outcomes[0].gaps());
    let mut rows: Vec<Vec<String>> = scenes
        .iter()
        .zip(outcomes)
        .map(|(scene, outcome)| {
            let latencies = outcome.latencies();
            let summary = Summary::of(latencies.iter().flatten().copied());
            let ratio = Ratio::of(&latencies, &floor);
            let gaps = outcome.gaps();
            let stopped = Summary::of(outcome.worth.iter().filter_map(|worth| worth.stopped.map(micros)));
            let mut row = vec![scene.name.clone()];
            row.extend([
                cell(summary, |s| s.median),
                cell(summary, |s| s.p95),
                cell(summary, |s| s.min),
                cell(summary, |s| s.max),
                cell(ratio, |r| r.median),
                cell(ratio, |r| r.p95),
                outcome.missed().to_string(),
                outcome.sum(|worth| worth.early).to_string(),
                (outcome.sum(|worth| worth.stale) + outcome.stray).to_string(),
                outcome.sum(|worth| worth.doubled).to_string(),
                cell(Summary::of(outcome.cpu.iter().map(|cpu| cpu.as_secs_f64() * 1e6)), |s| s.median),
                cell(stopped, |s| s.median),
                cell(Summary::of(gaps.iter().flatten().copied()), |s| s.median),
                cell(Ratio::of(&gaps, &floor_gaps), |r| r.median),
            ]);
            row
        })
        .collect();
    let mut head = vec![
        "watcher",
        "median µs",
        "p95 µs",
        "min",
        "max",
        "× floor",
        "× p95",
        "missed",
        "early",
        "stale or late",
        "doubled",
        "CPU µs",
        "SIGTERM after µs",
        "old exit → new start µs",
        "× floor's gap",
    ];
    if outcomes.iter().all(|outcome| outcome.worth.iter().all(|worth| worth.stopped.is_none())) {
        head.truncate(head.len() - 3);
        for row in &mut rows {
            row.truncate(head.len());
        }
    }
    Ok(table(caption, &head, &rows)?)
}
