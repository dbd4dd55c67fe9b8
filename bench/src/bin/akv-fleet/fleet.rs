//! The agents: started, looked after, ended.

use crate::{arguments::Options, secrets, vault::Vault};
use akv_bench::usage;
use anyhow::{Context as _, bail, ensure};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How often the env files are looked at. Often enough for what is told in tenths of a second.
const LOOK: Duration = Duration::from_millis(100);

/// How long the agents may take to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// All agents; they are killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Fleet {
    agents: Vec<Agent>,
}

#[derive(Debug)]
struct Agent {
    child: Child,
    env_file: PathBuf,
    log: PathBuf,
    wanted: Vec<usize>,
    /// It ended, when nobody had told it to or with another code than 0.
    failed: bool,
}

/// When the agents got what they waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reached {
    pub(crate) half: Duration,
    pub(crate) all: Duration,
}

/// What all agents use together; memory in KiB.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    pub(crate) resident: u64,
    pub(crate) proportional: u64,
    pub(crate) anonymous: u64,
}

impl Fleet {
    /// Starts them one after the other, as fast as that goes.
    pub(crate) fn start(
        options: &Options,
        vault: &Vault,
        payload: &Path,
        dir: &Path,
    ) -> anyhow::Result<Self> {
        let mut fleet = Self { agents: Vec::with_capacity(options.agents) };
        for number in 0..options.agents {
            let agent = Agent::start(number, options, vault, payload, dir);
            fleet.agents.push(agent.with_context(|| format!("agent {number}"))?);
        }
        Ok(fleet)
    }

    /// Waits until every env file is that of `generation`.
    pub(crate) fn reach(
        &mut self,
        generation: u32,
        since: Instant,
        limit: Duration,
    ) -> anyhow::Result<Reached> {
        let expected: Vec<String> =
            self.agents.iter().map(|agent| secrets::env_file(&agent.wanted, generation)).collect();
        let mut waiting: Vec<usize> = (0..self.agents.len()).collect();
        let mut half = None;
        loop {
            waiting.retain(|&agent| !self.agents[agent].has(&expected[agent]));
            let elapsed = since.elapsed();
            if waiting.len() <= self.agents.len() / 2 {
                half.get_or_insert(elapsed);
            }
            if waiting.is_empty() {
                return Ok(Reached { half: half.unwrap_or(elapsed), all: elapsed });
            }
            if self.failed() > 0 || elapsed > limit {
                let (count, failed) = (waiting.len(), self.failed());
                bail!(
                    "after {elapsed:.0?} {count} agents wait and {failed} have ended; {}",
                    self.last_words()
                );
            }
            thread::sleep(LOOK);
        }
    }

    /// Lets time pass, and sees to it that no agent ends in it.
    pub(crate) fn rest(&mut self, duration: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + duration;
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            let failed = self.failed();
            ensure!(failed == 0, "{failed} agents ended; {}", self.last_words());
            thread::sleep(left.min(LOOK * 5));
        }
        Ok(())
    }

    /// How many agents have ended without being told to.
    pub(crate) fn failed(&mut self) -> usize {
        self.agents.iter_mut().filter_map(|agent| agent.has_failed().then_some(())).count()
    }

    /// How many env files are not those of `generation`.
    pub(crate) fn wrong(&self, generation: u32) -> usize {
        let is_wrong = |agent: &&Agent| !agent.has(&secrets::env_file(&agent.wanted, generation));
        self.agents.iter().filter(is_wrong).count()
    }

    /// Tells all to end, and says how many did not do so with success.
    pub(crate) fn stop(&mut self) -> usize {
        let running: Vec<usize> =
            (0..self.agents.len()).filter(|&agent| !self.agents[agent].has_failed()).collect();
        for &agent in &running {
            let _ = kill(self.agents[agent].pid(), Signal::SIGTERM);
        }
        let start = Instant::now();
        let mut unsuccessful = 0;
        for agent in running {
            let agent = &mut self.agents[agent];
            let status = loop {
                match agent.child.try_wait() {
                    Ok(None) if start.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(5)),
                    Ok(status) => break status,
                    Err(_) => break None,
                }
            };
            unsuccessful += usize::from(!status.is_some_and(|status| status.success()));
        }
        unsuccessful
    }

    /// The CPU time of all together.
    pub(crate) fn cpu_time(&self) -> Duration {
        self.agents.iter().filter_map(|agent| usage::cpu_time(agent.pid()).ok()).sum()
    }

    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        let mut sum = Memory::default();
        for agent in &self.agents {
            let one = usage::memory(agent.pid())?;
            sum.resident += one.resident;
            sum.proportional += one.proportional;
            sum.anonymous += one.anonymous;
        }
        Ok(sum)
    }

    /// The end of the log of an agent that has ended, or of any.
    fn last_words(&self) -> String {
        let agent = self.agents.iter().find(|agent| agent.failed).or(self.agents.first());
        let text = agent.and_then(|agent| fs::read_to_string(&agent.log).ok()).unwrap_or_default();
        format!("the log of one ends: {}", text.lines().last().unwrap_or("(it is empty)"))
    }
}

impl Agent {
    fn start(
        number: usize,
        options: &Options,
        vault: &Vault,
        payload: &Path,
        dir: &Path,
    ) -> anyhow::Result<Self> {
        let dir = dir.join(format!("{number:05}"));
        fs::create_dir(&dir)?;
        let (env_file, log) = (dir.join("app.env"), dir.join("log"));
        let wanted = secrets::of_agent(number, options.each, options.secrets);
        let output = File::create(&log)?;
        let mut command = Command::new(payload);
        command.arg("guard").arg(&options.agent).arg("sidecar");
        command
            .env_clear()
            .envs(vault.environment())
            .env("AKV_AGENT_ENV", secrets::setting(&wanted))
            .env("AKV_AGENT_ENV_FILE", &env_file)
            .env("AKV_AGENT_POLL_INTERVAL", format!("{}s", options.poll.as_secs()))
            .env("AKV_AGENT_LISTEN", "off")
            .env("AKV_AGENT_LOG_LEVEL", "warn")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        Ok(Self { child: command.spawn()?, env_file, log, wanted, failed: false })
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap_or(i32::MAX))
    }

    fn has(&self, expected: &str) -> bool {
        fs::read(&self.env_file).is_ok_and(|content| content == expected.as_bytes())
    }

    fn has_failed(&mut self) -> bool {
        self.failed = self.failed || !matches!(self.child.try_wait(), Ok(None));
        self.failed
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for agent in &mut self.agents {
            let _ = agent.child.kill();
        }
        for agent in &mut self.agents {
            let _ = agent.child.wait();
        }
    }
}
