//! The phases one after the other, what is counted in each, and the verdict.

use crate::{
    arguments::Options,
    fleet::{Fleet, Reached},
    vault::{Traffic, Vault},
};
use akv_bench::report::{figure, heading, line, load, table};
use anyhow::{Context as _, ensure};
use std::{
    env, fs,
    path::PathBuf,
    time::{Duration, Instant},
};

/// What one phase may take in addition to the polls it waits for. The agents themselves give up two minutes
/// after their start.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many intervals the steady state is watched for.
const STEADY: u32 = 3;

/// Everything that a phase works with.
struct Experiment<'o> {
    options: &'o Options,
    vault: Vault,
    rows: Vec<Vec<String>>,
    findings: Vec<String>,
    vault_cpu: Duration,
    fleet_cpu: Duration,
}

/// The experiment's own directory; removed when this is dropped.
struct Directory(PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Runs all phases and prints what came of them; fails if an agent did, or the limit was not held.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let payload = env::current_exe()?.with_file_name("bench-payload");
    let dir = Directory(options.dir.join(format!("akv-fleet-{}", std::process::id())));
    fs::create_dir_all(&dir.0).with_context(|| dir.0.display().to_string())?;
    heading(&format!(
        "{} agents, {} of {} secrets each, polled every {} s, limit {}{}",
        options.agents,
        options.each,
        options.secrets,
        options.poll.as_secs(),
        options.throttle,
        if options.retry_after { " with Retry-After" } else { "" }
    ))?;
    let vault = Vault::start(options, &payload, &dir.0)?;
    let (vault_cpu, _) = vault.usage()?;
    let mut experiment = Experiment {
        options,
        vault,
        rows: Vec::new(),
        findings: Vec::new(),
        vault_cpu,
        fleet_cpu: Duration::ZERO,
    };

    if options.late {
        experiment.vault.go_down()?;
    }
    let start = Instant::now();
    let mut fleet = Fleet::start(options, &experiment.vault, &payload, &dir.0)?;
    line(&format!("\n{} processes started in {:.1} s", options.agents, start.elapsed().as_secs_f64()))?;
    let result = experiment.phases(&mut fleet, start);
    experiment.print()?;
    load("After")?;
    result?;
    ensure!(experiment.findings.is_empty(), "{}", experiment.findings.join("; "));
    line("\nNo agent ended, every value is right, and the limit was held.")?;
    Ok(())
}

impl Experiment<'_> {
    fn phases(&mut self, fleet: &mut Fleet, start: Instant) -> anyhow::Result<()> {
        let poll = self.options.poll;
        if self.options.late {
            fleet.rest(self.options.down)?;
            self.close("vault is down", fleet, None)?;
            self.vault.come_back()?;
        }
        let since = if self.options.late { Instant::now() } else { start };
        let reached = fleet.reach(1, since, PATIENCE)?;
        let traffic = self.close("start", fleet, Some(reached))?;
        let wanted = (self.options.agents * self.options.each) as u64;
        self.judge(traffic.refused <= 2 * wanted, || {
            format!("at the start {} requests were refused, for {wanted} that were wanted", traffic.refused)
        });

        // Until the first polls are over, and what the start has put off.
        fleet.rest(poll.mul_f64(1.2))?;
        self.close("first polls", fleet, None)?;
        fleet.rest(poll * STEADY)?;
        let traffic = self.close("steady state", fleet, None)?;
        self.judge(traffic.refused == 0, || {
            format!("in the steady state {} requests were refused", traffic.refused)
        });
        let memory = fleet.memory()?;
        let (_, vault_memory) = self.vault.usage()?;
        line(&format!(
            "\nMemory after the steady state: all agents {} MiB proportional, {} MiB anonymous; one {} KiB \
             resident, {} KiB proportional, {} KiB anonymous; the vault {} MiB",
            memory.proportional / 1024,
            memory.anonymous / 1024,
            memory.resident / self.options.agents as u64,
            memory.proportional / self.options.agents as u64,
            memory.anonymous / self.options.agents as u64,
            vault_memory / 1024
        ))?;

        let since = Instant::now();
        self.vault.rotate(2, PATIENCE)?;
        let reached = fleet.reach(2, since, poll * 4 + PATIENCE)?;
        self.close("rotation", fleet, Some(reached))?;
        let mut generation = 2;
        if !self.options.down.is_zero() {
            generation = 3;
            self.vault.go_down()?;
            self.vault.rotate(generation, PATIENCE)?;
            fleet.rest(self.options.down)?;
            self.close("vault is down", fleet, None)?;
            self.vault.come_back()?;
            let reached = fleet.reach(generation, Instant::now(), poll * 4 + PATIENCE)?;
            self.close("recovery", fleet, Some(reached))?;
        }
        let (wrong, failed) = (fleet.wrong(generation), fleet.failed());
        let unsuccessful = fleet.stop();
        self.judge(wrong == 0, || format!("{wrong} env files are wrong"));
        self.judge(failed == 0, || format!("{failed} agents ended"));
        self.judge(unsuccessful == 0, || format!("{unsuccessful} agents did not end with 0 when told to"));
        Ok(())
    }

    /// Ends a phase: what happened in it is a row.
    fn close(&mut self, name: &str, fleet: &Fleet, reached: Option<Reached>) -> anyhow::Result<Traffic> {
        let traffic = self.vault.take_traffic()?;
        let (vault_cpu, _) = self.vault.usage()?;
        let fleet_cpu = fleet.cpu_time();
        let seconds = |time: Duration| figure(time.as_secs_f64());
        let time = |of: fn(&Reached) -> Duration| {
            reached.as_ref().map_or("-".into(), |reached| seconds(of(reached)))
        };
        self.rows.push(vec![
            name.to_owned(),
            time(|reached| reached.half),
            time(|reached| reached.all),
            traffic.allowed.to_string(),
            traffic.refused.to_string(),
            traffic.busiest_second.to_string(),
            traffic.busiest_window.to_string(),
            seconds(fleet_cpu.saturating_sub(self.fleet_cpu)),
            seconds(vault_cpu.saturating_sub(self.vault_cpu)),
        ]);
        (self.vault_cpu, self.fleet_cpu) = (vault_cpu, fleet_cpu);
        Ok(traffic)
    }

    fn judge(&mut self, is_good: bool, finding: impl FnOnce() -> String) {
        if !is_good {
            self.findings.push(finding());
        }
    }

    fn print(&self) -> anyhow::Result<()> {
        table(
            "Times in seconds; what was asked in the busiest second and window counts refused requests too.",
            &[
                "phase",
                "half have it",
                "all",
                "allowed",
                "refused",
                "busiest second",
                "busiest window",
                "CPU agents",
                "CPU vault",
            ],
            &self.rows,
        )?;
        Ok(())
    }
}
