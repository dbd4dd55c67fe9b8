//! From nothing to an env file: 50 secrets from a vault that takes its time.

use crate::{
    agent,
    bench::Bench,
    goals::Goal,
    report::{cell, line, table},
    statistics::{Ratio, Summary, micros},
    vault::{Requests, SECRETS, Vault},
};
use akv_bench::event::now;
use anyhow::ensure;
use std::{fs, process::Stdio, time::Duration};

const LATENCY: Duration = Duration::from_millis(20);

const WARM_UP: usize = 2;

pub(crate) fn run(bench: &Bench) -> anyhow::Result<Vec<Goal>> {
    let vault = Vault::start(bench)?;
    let count = bench.effort(40, 10);
    let ratio = measure(bench, &vault, LATENCY, count)?;
    measure(bench, &vault, Duration::ZERO, count)?;
    let what = format!("{SECRETS} secrets, cold, from a vault with {} ms latency", LATENCY.as_millis());
    Ok(vec![Goal::at_most(2.0, "× floor", what, ratio.map(|ratio| ratio.median))])
}

fn measure(bench: &Bench, vault: &Vault, latency: Duration, count: usize) -> anyhow::Result<Option<Ratio>> {
    vault.set_latency(latency)?;
    let (mut floor, mut init) = (Vec::new(), Vec::new());
    let mut requests = Requests::default();
    for round in 0..WARM_UP + count {
        let mut times = [None; 2];
        // Which comes first must not decide.
        let first = usize::from(fastrand::bool());
        for which in [first, 1 - first] {
            let start = now();
            if which == 0 {
                vault.fetch_one()?;
            } else {
                vault.take_requests()?;
                times[which] = Some(init_once(bench, vault)?);
                requests = vault.take_requests()?;
                continue;
            }
            times[which] = Some(micros(now() - start) / 1e3);
        }
        if round >= WARM_UP {
            floor.push(times[0]);
            init.push(times[1]);
        }
    }
    let row = |name: &str, times: &[Option<f64>]| {
        let (summary, ratio) = (Summary::of(times.iter().flatten().copied()), Ratio::of(times, &floor));
        vec![
            name.to_owned(),
            cell(summary, |s| s.median),
            cell(summary, |s| s.p95),
            cell(summary, |s| s.min),
            cell(ratio, |r| r.median),
            cell(ratio, |r| r.p95),
        ]
    };
    let rows = [
        row("floor: one token, one secret, one after the other", &floor),
        row(&format!("akv-agent init, {SECRETS} secrets, from spawn to its end"), &init),
    ];
    let head = ["", "median ms", "p95 ms", "min", "× floor", "× p95"];
    let caption =
        format!("A vault that answers every request after {} ms, {count} each:", latency.as_millis());
    table(&caption, &head, &rows)?;
    line(&format!(
        "Requests of one `init`: {} for a token, {} without a token, {} for secrets.",
        requests.token, requests.challenge, requests.vault
    ))?;
    Ok(Ratio::of(&init, &floor))
}

/// Milliseconds.
fn init_once(bench: &Bench, vault: &Vault) -> anyhow::Result<f64> {
    let out = bench.dir("cold")?.join("app.env");
    let mut command = bench.agent.command();
    agent::with_vault(command.arg("init").env_clear().env("AKV_AGENT_ENV_FILE", &out), vault);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let start = now();
    let output = command.output()?;
    let time = micros(now() - start) / 1e3;
    ensure!(output.status.success(), "init: {}; {}", output.status, String::from_utf8_lossy(&output.stderr));
    let variables = fs::read_to_string(&out)?.lines().count();
    ensure!(variables == SECRETS, "init wrote {variables} variables");
    Ok(time)
}
