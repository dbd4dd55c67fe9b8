//! Orphans of the wrapped program: how long their zombies stay.

use super::wrapped::{Wrapped, wrapped};
use crate::{
    bench::Bench,
    report::{cell, figure, table},
    statistics::{Summary, micros},
};
use anyhow::Context as _;
use std::{fs, process::Command};

/// What the payload has measured.
#[derive(Debug, Default, PartialEq)]
struct Reaped {
    singles: Vec<f64>,
    left: usize,
    /// Milliseconds, and how many never went.
    burst: Option<(f64, u64)>,
}

impl Reaped {
    fn parse(text: &str) -> Option<Self> {
        let mut reaped = Self::default();
        for line in text.lines() {
            match line.split(' ').collect::<Vec<_>>().as_slice() {
                ["left"] => reaped.left += 1,
                ["burst", time, left] => {
                    reaped.burst = Some((micros(time.parse().ok()?) / 1e3, left.parse().ok()?));
                }
                [time] => reaped.singles.push(micros(time.parse().ok()?)),
                _ => return None,
            }
        }
        Some(reaped)
    }
}

pub(crate) fn run(bench: &Bench) -> anyhow::Result<()> {
    let (singles, burst) = bench.effort((300, 1000), (80, 300));
    let mut rows = Vec::new();
    // Without a wrapper the program itself would be PID 1, and its orphans its children.
    for (name, wrap) in wrapped(bench)?.into_iter().skip(1) {
        let dir = bench.dir(name)?;
        let out = dir.join("reaped");
        let mut orphans = Command::new(&bench.payload);
        orphans.arg("orphans").arg(&out).args([singles.to_string(), burst.to_string()]);
        let mut process = Wrapped::start(bench, &dir, &wrap(&orphans)).with_context(|| name)?;
        let reaped = process
            .wait_for("the end of its orphans", || {
                let text = fs::read_to_string(&out).unwrap_or_default();
                Ok(text.ends_with('\n').then(|| Reaped::parse(&text)).flatten().filter(|r| r.burst.is_some()))
            })
            .with_context(|| name)?;
        let summary = Summary::of(reaped.singles.iter().copied());
        let (time, left) = reaped.burst.unwrap_or_default();
        rows.push(vec![
            name.to_owned(),
            cell(summary, |s| s.median),
            cell(summary, |s| s.p95),
            format!("{} of {singles}", reaped.left),
            figure(time),
            format!("{left} of {burst}"),
        ]);
    }
    let head = ["wrapper", "median µs", "p95 µs", "left as zombies", "burst ms", "left of the burst"];
    let caption = format!(
        "Orphans of the wrapped program, from their release until they are gone: {singles} one by one, then {burst} at once:"
    );
    Ok(table(&caption, &head, &rows)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_payload_writes_is_read() {
        let reaped = Reaped::parse("52000\nleft\nburst 3000000 2\n");
        assert_eq!(reaped, Some(Reaped { singles: vec![52.0], left: 1, burst: Some((3.0, 2)) }));
        assert_eq!(Reaped::parse("52000 x\n"), None);
    }
}
