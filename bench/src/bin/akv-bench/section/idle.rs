//! What a process costs that waits: memory, threads, wake-ups.

use crate::{
    agent,
    bench::Bench,
    goals::Goal,
    peers,
    process::{PATIENCE, Process},
    report::{figure, line, table},
    scene::{Place, Scene, Told},
    statistics::Summary,
    usage,
    vault::{SECRETS, Vault},
    volume::Volume,
};
use akv_bench::event::{Events, after, now};
use anyhow::{Context as _, ensure};
use nix::unistd::Pid;
use std::{
    fs,
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

const MOUNT_ONLY: &str = "akv-agent sidecar, mount only";
const WITH_VAULT: &str = "akv-agent sidecar, 50 secrets of a vault";

/// A process that waits, with all that it needs to wait.
struct Subject {
    pid: Pid,
    _parts: Parts,
}

enum Parts {
    Scene(#[expect(dead_code, reason = "kept for its drop")] Box<Scene>),
    Alone(#[expect(dead_code, reason = "kept for its drop")] Process),
}

/// What one start of a subject came to.
struct Sample {
    threads: u64,
    /// Just after its work, and when it rests.
    working: usage::Memory,
    memory: usage::Memory,
}

/// From a start to what is of the work, and from there to rest.
const WORK: Duration = Duration::from_millis(500);
const REST: Duration = Duration::from_millis(2500);

/// Starts a subject, in a directory of this name.
type Start<'a> = Box<dyn Fn(&'static str) -> anyhow::Result<Subject> + 'a>;

pub(crate) fn run(bench: &Bench) -> anyhow::Result<Vec<Goal>> {
    let vault = bench.dev_vault.is_some().then(|| Vault::start(bench)).transpose()?;
    if vault.is_none() {
        line("Without --dev-vault the agent is measured with a mount only.")?;
    }
    let subjects = subjects(bench, vault.as_ref())?;
    let starts = bench.effort(3, 1);
    let settle = bench.effort(Duration::from_secs(12), Duration::from_secs(3));
    let window = bench.effort(Duration::from_secs(30), Duration::from_secs(5));

    // One at a time, because a second process of the same program would take half of the shared pages over.
    let mut samples: Vec<Vec<Sample>> = Vec::new();
    for (name, start) in &subjects {
        let sample = || -> anyhow::Result<Sample> {
            let subject = start(name)?;
            thread::sleep(WORK);
            let working = usage::memory(subject.pid)?;
            thread::sleep(REST);
            let (threads, memory) = (usage::threads(subject.pid)?, usage::memory(subject.pid)?);
            Ok(Sample { threads, working, memory })
        };
        samples.push((0..starts).map(|_| sample().with_context(|| *name)).collect::<Result<_, _>>()?);
    }

    // Together, because what sleeps does not disturb. A thread pool may take a while to give up its threads.
    let running: Vec<Subject> = subjects.iter().map(|(name, start)| start(name)).collect::<Result<_, _>>()?;
    thread::sleep(settle);
    let threads: Vec<u64> =
        running.iter().map(|subject| usage::threads(subject.pid)).collect::<Result<_, _>>()?;
    let before = wakeups(&running)?;
    let start = Instant::now();
    thread::sleep(window);
    let seconds = start.elapsed().as_secs_f64();
    let after = wakeups(&running)?;

    let sizes: Vec<u64> =
        running.iter().map(|subject| usage::program_size(subject.pid)).collect::<Result<_, _>>()?;
    let mut rows = Vec::new();
    for (index, (name, _)) in subjects.iter().enumerate() {
        let median = |of: fn(&Sample) -> u64| {
            let values = samples[index].iter().map(|sample| to_float(of(sample)));
            Summary::of(values).map_or_else(|| "-".into(), |summary| figure(summary.median))
        };
        let early = samples[index].iter().map(|sample| sample.threads).max().unwrap_or(0);
        rows.push(vec![
            (*name).to_owned(),
            if early == threads[index] {
                early.to_string()
            } else {
                format!("{early}, later {}", threads[index])
            },
            figure(to_float(sizes[index]) / 1024.0),
            median(|sample| sample.working.resident),
            median(|sample| sample.memory.resident),
            median(|sample| sample.memory.proportional),
            median(|sample| sample.memory.anonymous),
            (after[index].0 - before[index].0).to_string(),
            figure(after[index].1.saturating_sub(before[index].1).as_secs_f64() * 1e6),
        ]);
    }
    let head = [
        "process",
        "threads",
        "program KiB",
        "RSS after work KiB",
        "RSS KiB",
        "PSS KiB",
        "anonymous KiB",
        "voluntary switches",
        "CPU µs",
    ];
    let caption = format!(
        "Memory {} s and {} s after the start ({starts} starts, medians), wake-ups and CPU in {seconds:.0} s from {} s after it:",
        WORK.as_secs_f32(),
        (WORK + REST).as_secs(),
        settle.as_secs()
    );
    table(&caption, &head, &rows)?;

    let mut goals = Vec::new();
    for (name, limit) in [(MOUNT_ONLY, 1.0), (WITH_VAULT, 2.5)] {
        let Some(index) = subjects.iter().position(|(found, _)| *found == name) else { continue };
        let resident = samples[index].iter().map(|sample| to_float(sample.memory.resident) / 1024.0);
        let switches = to_float(after[index].0 - before[index].0);
        goals.extend([
            Goal::at_most(limit, "MiB", format!("{name}: RSS"), Summary::of(resident).map(|s| s.median)),
            Goal::at_most(0.0, "", format!("{name}: wake-ups"), Some(switches)),
        ]);
        if name == MOUNT_ONLY {
            let size = to_float(sizes[index]) / f64::from(1 << 20);
            goals.push(Goal::at_most(1.0, "", format!("{name}: threads"), Some(to_float(threads[index]))));
            goals.push(Goal::at_most(4.0, "MiB", "the program", Some(size)));
        }
    }
    Ok(goals)
}

fn subjects<'a>(
    bench: &'a Bench,
    vault: Option<&'a Vault>,
) -> anyhow::Result<Vec<(&'static str, Start<'a>)>> {
    let (mount_listen, vault_listen) = (agent::free_address()?, agent::free_address()?);
    let mut all: Vec<(&'static str, Start<'a>)> = vec![
        (
            "floor: with env file",
            scene(bench, |place, pid| {
                let mut command = Command::new(&bench.floor);
                command.arg("render").arg(&place.volume).arg(pid).arg(&place.env_file);
                command
            }),
        ),
        (MOUNT_ONLY, scene(bench, |place, _| bench.agent.sidecar_with_env_file(place))),
        (
            "akv-agent sidecar, mount only, listener",
            scene(bench, move |place, _| {
                let mut command = bench.agent.sidecar_with_env_file(place);
                command.env("AKV_AGENT_LISTEN", &mount_listen);
                command
            }),
        ),
    ];
    if let Some(vault) = vault {
        all.push((WITH_VAULT, with_vault(bench, vault, "off".into())));
        all.push(("akv-agent sidecar, 50 secrets, listener", with_vault(bench, vault, vault_listen)));
    }
    all.push((
        "floor: fork, forward, reap",
        wrapper(bench, |_, program| {
            let mut command = Command::new(&bench.floor);
            command.arg("wrap").arg(program.get_program()).args(program.get_args());
            command
        }),
    ));
    all.push((
        "akv-agent exec, mount only",
        wrapper(bench, |volume, program| bench.agent.exec(volume, program)),
    ));
    for peer in peers::wrappers()? {
        all.push((peer.name, wrapper(bench, move |_, program| peer.command(program))));
    }
    Ok(all)
}

/// A watcher that has delivered a change.
fn scene<'a>(bench: &'a Bench, watcher: impl Fn(&Place, &str) -> Command + 'a) -> Start<'a> {
    Box::new(move |name| {
        let scene = Scene::start(bench, name, Told::ToReadEnvFile, &watcher)?;
        Ok(Subject { pid: scene.process.pid(), _parts: Parts::Scene(Box::new(scene)) })
    })
}

/// A sidecar that has written the secrets of a vault.
fn with_vault<'a>(bench: &'a Bench, vault: &'a Vault, listen: String) -> Start<'a> {
    Box::new(move |name| {
        let dir = bench.dir(name)?;
        let out = dir.join("app.env");
        let mut command = bench.agent.command();
        command.arg("sidecar").env("AKV_AGENT_ENV_FILE", &out).env("AKV_AGENT_LISTEN", &listen);
        agent::with_vault(&mut command, vault);
        // What is measured is the time between two polls, of which the first may come after a tenth of this.
        command.env("AKV_AGENT_POLL_INTERVAL", "1h");
        let mut process = Process::start(&bench.payload, &dir, &command)?;
        process.wait_for("env file", || Ok(out.exists().then_some(())))?;
        let lines = fs::read_to_string(&out)?.lines().count();
        ensure!(lines == SECRETS, "the env file has {lines} lines; {}", process.log());
        Ok(Subject { pid: process.pid(), _parts: Parts::Alone(process) })
    })
}

/// A wrapper whose program waits for signals.
fn wrapper<'a>(bench: &'a Bench, wrap: impl Fn(&Path, &Command) -> Command + 'a) -> Start<'a> {
    Box::new(move |name| {
        let dir = bench.dir(name)?;
        let volume = Volume::create(&dir.join("volume"))?;
        let fifo = dir.join("deliveries");
        let events = Events::create(&fifo)?;
        let mut program = Command::new(&bench.payload);
        program.arg("receiver").arg(&fifo).arg("none");
        let process = Process::start(&bench.payload, &dir, &wrap(volume.dir(), &program))?;
        let started = events.next(after(now(), PATIENCE))?;
        ensure!(started.is_some(), "the program was not started; {}", process.log());
        Ok(Subject { pid: process.pid(), _parts: Parts::Alone(process) })
    })
}

fn wakeups(subjects: &[Subject]) -> anyhow::Result<Vec<(u64, Duration)>> {
    subjects
        .iter()
        .map(|subject| Ok((usage::voluntary_switches(subject.pid)?, usage::cpu_time(subject.pid)?)))
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "sizes and counts of processes")]
fn to_float(number: u64) -> f64 {
    number as f64
}
