//! A signal to the wrapper, until the wrapped program has it.

use super::wrapped::{Wrapped, wrapped};
use crate::{
    bench::Bench,
    goals::Goal,
    report::{cell, table},
    statistics::{Ratio, Summary, micros},
};
use akv_bench::event::{Events, Kind, after, now};
use anyhow::{Context as _, bail};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{process::Command, thread, time::Duration};

const WARM_UP: usize = 10;

/// A signal that takes longer was not forwarded.
const TIMEOUT: Duration = Duration::from_millis(500);

/// A random time before each signal.
const GAP: std::ops::Range<u64> = 500..2000;

/// One wrapper with a receiver in it.
#[derive(Debug)]
struct Subject {
    name: String,
    wrapped: Wrapped,
    pid: Pid,
    events: Events,
    times: Vec<Option<f64>>,
}

pub(crate) fn run(bench: &Bench) -> anyhow::Result<Vec<Goal>> {
    let mut subjects = Vec::new();
    for (name, wrap) in wrapped(bench)? {
        let dir = bench.dir(&name)?;
        let fifo = dir.join("deliveries");
        let events = Events::create(&fifo)?;
        let mut receiver = Command::new(&bench.payload);
        receiver.arg("receiver").arg(&fifo).arg("none");
        let mut wrapped = Wrapped::start(bench, &dir, &wrap(&receiver)).with_context(|| name.clone())?;
        let pid = wrapped.pid().with_context(|| name.clone())?;
        let started = events.next(after(now(), crate::process::PATIENCE))?;
        if started.is_none() {
            bail!("{name}: the receiver was not started; {}", wrapped.log());
        }
        subjects.push(Subject { name, wrapped, pid, events, times: Vec::new() });
    }

    let count = bench.effort(500, 150);
    let mut order: Vec<usize> = (0..subjects.len()).collect();
    for round in 0..WARM_UP + count {
        fastrand::shuffle(&mut order);
        for &index in &order {
            let subject = &mut subjects[index];
            thread::sleep(Duration::from_micros(fastrand::u64(GAP)));
            let time = subject.signal()?;
            if round >= WARM_UP {
                subject.times.push(time);
            }
        }
    }

    let rows: Vec<Vec<String>> = subjects
        .iter()
        .map(|subject| {
            let summary = Summary::of(subject.times.iter().flatten().copied());
            let ratio = Ratio::of(&subject.times, &subjects[0].times);
            let lost = subject.times.iter().filter(|time| time.is_none()).count();
            vec![
                subject.name.clone(),
                cell(summary, |s| s.median),
                cell(summary, |s| s.p95),
                cell(summary, |s| s.min),
                cell(summary, |s| s.max),
                cell(ratio, |r| r.median),
                lost.to_string(),
            ]
        })
        .collect();
    let head = ["wrapper", "median µs", "p95 µs", "min", "max", "× direct", "not forwarded"];
    let caption = format!(
        "SIGUSR1 to PID 1 of a PID namespace, from before kill(2) until the wrapped program has it, {count} each:"
    );
    table(&caption, &head, &rows)?;

    let find = |name: &str| subjects.iter().find(|subject| subject.name == name);
    let agent = find(&format!("{} exec", bench.agent.name));
    let ratio = agent.zip(find("tini")).and_then(|(agent, tini)| Ratio::of(&agent.times, &tini.times));
    Ok(vec![Goal::at_most(1.0, "× tini", "a forwarded signal", ratio.map(|ratio| ratio.median))])
}

impl Subject {
    fn signal(&mut self) -> anyhow::Result<Option<f64>> {
        while self.events.next(now())?.is_some() {}
        let start = now();
        kill(self.pid, Signal::SIGUSR1)
            .with_context(|| format!("{} is gone; {}", self.name, self.wrapped.log()))?;
        while let Some(event) = self.events.next(after(start, TIMEOUT))? {
            if event.kind == Kind::Signalled(Signal::SIGUSR1 as i32) {
                return Ok(Some(micros(event.at - start)));
            }
        }
        Ok(None)
    }
}
