//! Orphans of the wrapped program: how long their zombies stay, and what reaping them costs.

use super::wrapped::{Wrap, Wrapped, wrapped};
use crate::{
    bench::Bench,
    goals::Goal,
    report::{cell, table},
    statistics::{Summary, micros},
};
use anyhow::Context as _;
use std::{fs, process::Command};

/// Orphans in all.
const STORM: usize = 10_000;

/// What the payload has measured.
#[derive(Debug, Default, PartialEq)]
struct Reaped {
    singles: Vec<f64>,
    left: usize,
    storm: Option<Storm>,
}

/// Many at once, several times.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Storm {
    /// Milliseconds from their releases until they were gone.
    time: f64,
    /// Milliseconds that the wrapper spent.
    cpu: f64,
    /// How many never went.
    left: u64,
}

impl Reaped {
    fn parse(text: &str) -> Option<Self> {
        let mut reaped = Self::default();
        for line in text.lines() {
            match line.split(' ').collect::<Vec<_>>().as_slice() {
                ["left"] => reaped.left += 1,
                ["storm", time, cpu, left] => {
                    let millis = |nanos: &str| Some(micros(nanos.parse().ok()?) / 1e3);
                    reaped.storm =
                        Some(Storm { time: millis(time)?, cpu: millis(cpu)?, left: left.parse().ok()? });
                }
                [time] => reaped.singles.push(micros(time.parse().ok()?)),
                _ => return None,
            }
        }
        Some(reaped)
    }
}

pub(crate) fn run(bench: &Bench) -> anyhow::Result<Vec<Goal>> {
    let (turns, singles) = bench.effort((8, 50), (2, 30));
    // Without a wrapper the program itself would be PID 1, and its orphans its children.
    let wrappers: Vec<_> = wrapped(bench)?.into_iter().skip(1).collect();
    let mut all: Vec<Vec<Reaped>> = wrappers.iter().map(|_| Vec::new()).collect();
    let mut order: Vec<usize> = (0..wrappers.len()).collect();
    for _ in 0..turns {
        fastrand::shuffle(&mut order);
        for &index in &order {
            let (name, wrap) = &wrappers[index];
            all[index].push(turn(bench, name, wrap, singles).with_context(|| name.clone())?);
        }
    }

    let rows: Vec<Vec<String>> = wrappers
        .iter()
        .zip(&all)
        .map(|((name, _), turns)| {
            let summary = Summary::of(turns.iter().flat_map(|turn| turn.singles.iter().copied()));
            let storms = || turns.iter().filter_map(|turn| turn.storm);
            vec![
                name.clone(),
                cell(summary, |s| s.median),
                cell(summary, |s| s.p95),
                cell(summary, |s| s.min),
                turns.iter().map(|turn| turn.left).sum::<usize>().to_string(),
                cell(Summary::of(storms().map(|storm| storm.time)), |s| s.median),
                cell(Summary::of(storms().map(|storm| storm.cpu)), |s| s.median),
                storms().map(|storm| storm.left).sum::<u64>().to_string(),
            ]
        })
        .collect();
    let head = [
        "wrapper",
        "median µs",
        "p95 µs",
        "min",
        "left as zombies",
        "storm ms",
        "CPU ms for a storm",
        "left of storms",
    ];
    let caption = format!(
        "Orphans of the wrapped program, from their release until they are gone: {turns} turns of {singles} \
         one by one and a storm of {STORM}, 500 at a time (medians):"
    );
    table(&caption, &head, &rows)?;

    let of = |name: &str, value: fn(&Storm) -> f64| {
        let index = wrappers.iter().position(|(found, _)| found == name)?;
        let storms = all[index].iter().filter_map(|turn| turn.storm);
        Summary::of(storms.map(|storm| value(&storm))).map(|summary| summary.median)
    };
    let agent = format!("{} exec", bench.agent.name);
    let ratio = |value: fn(&Storm) -> f64| Some(of(&agent, value)? / of("tini", value)?);
    Ok(vec![
        Goal::at_most(1.0, "× tini", "10,000 orphans reaped", ratio(|storm| storm.time)),
        Goal::at_most(1.0, "× tini", "10,000 orphans reaped, CPU", ratio(|storm| storm.cpu)),
    ])
}

fn turn(bench: &Bench, name: &str, wrap: &Wrap<'_>, singles: usize) -> anyhow::Result<Reaped> {
    let dir = bench.dir(name)?;
    let out = dir.join("reaped");
    let mut orphans = Command::new(&bench.payload);
    orphans.arg("orphans").arg(&out).args([singles.to_string(), STORM.to_string()]);
    let mut process = Wrapped::start(bench, &dir, &wrap(&orphans))?;
    process.wait_for("the end of its orphans", || {
        let text = fs::read_to_string(&out).unwrap_or_default();
        Ok(Reaped::parse(&text).filter(|reaped| text.ends_with('\n') && reaped.storm.is_some()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_payload_writes_is_read() {
        let reaped = Reaped::parse("52000\nleft\nstorm 3000000 500000 2\n");
        let storm = Some(Storm { time: 3.0, cpu: 0.5, left: 2 });
        assert_eq!(reaped, Some(Reaped { singles: vec![52.0], left: 1, storm }));
        assert_eq!(Reaped::parse("52000 x\n"), None);
    }
}
