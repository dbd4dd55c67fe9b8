//! What a wrapper adds to the start and the end of a short program: time, and CPU time, which says more where
//! the machine is busy and whoever needs the processor twice may wait for it twice.

use crate::{
    agent,
    bench::Bench,
    goals::Goal,
    peers,
    report::{cell, table},
    statistics::{Ratio, Summary, added, micros},
    volume::Volume,
};
use akv_bench::{event::now, usage};
use anyhow::{Context as _, ensure};
use std::{
    ffi::OsStr,
    process::{Command, Stdio},
};

const WARM_UP: usize = 10;

pub(crate) fn run(bench: &Bench) -> anyhow::Result<Vec<Goal>> {
    let volume = Volume::create(&bench.dir("wrap")?)?;
    let program = Command::new(peers::find("true").context("there is no program called true")?);
    let variable = ("AKV_AGENT_ENV", "DB_PASSWORD=db-password");

    let mut floor = Command::new(&bench.floor);
    floor.arg("wrap").arg(program.get_program());
    let mut subjects =
        vec![("plain exec".to_owned(), rebuilt(&program)), ("floor: fork, forward, reap".to_owned(), floor)];
    for build in bench.builds() {
        let mut exec = build.exec(volume.dir(), &program);
        exec.env(variable.0, variable.1);
        let mut listening = build.exec(volume.dir(), &program);
        listening.envs([variable, ("AKV_AGENT_LISTEN", &agent::free_address()?)]);
        let mut no_watch = build.command();
        no_watch.args(["exec", "--no-watch", "--"]).arg(program.get_program());
        no_watch.envs([("AKV_AGENT_MOUNT", volume.dir().as_os_str()), (variable.0, OsStr::new(variable.1))]);
        subjects.extend([
            (format!("{} exec", build.name), exec),
            (format!("{} exec, listener", build.name), listening),
            (format!("{} exec --no-watch", build.name), no_watch),
        ]);
    }
    for wrapper in peers::wrappers()? {
        subjects.push((wrapper.name.to_owned(), wrapper.command(&program)));
    }
    for (_, command) in &mut subjects {
        *command = rebuilt(command);
    }

    let count = bench.effort(400, 100);
    let mut times: Vec<Vec<Option<f64>>> = subjects.iter().map(|_| Vec::new()).collect();
    let mut cpu_times = times.clone();
    let mut order: Vec<usize> = (0..subjects.len()).collect();
    for round in 0..WARM_UP + count {
        fastrand::shuffle(&mut order);
        for &index in &order {
            let (name, command) = &mut subjects[index];
            let cpu = usage::cpu_time_of_reaped()?;
            let start = now();
            let status = command.status().with_context(|| name.clone())?;
            let time = micros(now() - start);
            ensure!(status.success(), "{name}: {status}");
            if round >= WARM_UP {
                times[index].push(Some(time));
                let cpu = usage::cpu_time_of_reaped()?.saturating_sub(cpu);
                cpu_times[index].push(Some(cpu.as_secs_f64() * 1e6));
            }
        }
    }

    let rows: Vec<Vec<String>> = subjects
        .iter()
        .zip(times.iter().zip(&cpu_times))
        .map(|((name, _), (own, cpu))| {
            let summary = Summary::of(own.iter().flatten().copied());
            let ratio = Ratio::of(own, &times[0]);
            vec![
                name.clone(),
                cell(summary, |s| s.median),
                cell(summary, |s| s.p95),
                cell(summary, |s| s.min),
                cell(ratio, |r| r.median),
                cell(ratio, |r| r.p95),
                cell(added(own, &times[0]), |s| s.median),
                cell(Summary::of(cpu.iter().flatten().copied()), |s| s.median),
                cell(Ratio::of(cpu, &cpu_times[0]), |r| r.median),
            ]
        })
        .collect();
    let head =
        ["wrapper", "median µs", "p95 µs", "min", "× plain", "× p95", "added µs", "CPU µs", "× plain's CPU"];
    let program = program.get_program().display();
    table(&format!("{program}, from spawn to reaped, {count} runs each:"), &head, &rows)?;

    let find = |name: &str| subjects.iter().position(|(found, _)| found == name);
    let [exec, no_watch] =
        ["exec", "exec --no-watch"].map(|command| find(&format!("{} {command}", bench.agent.name)));
    let ratio = |of: &[Vec<Option<f64>>], index: Option<usize>, floor: Option<usize>| {
        Ratio::of(&of[index?], &of[floor?]).map(|ratio| ratio.median)
    };
    let plain = Some(0);
    let tini = find("tini-static");
    Ok(vec![
        Goal::at_most(2.0, "× plain exec", "exec -- true", ratio(&times, exec, plain)),
        Goal::at_most(1.0, "× static tini", "exec -- true", ratio(&times, exec, tini)),
        Goal::at_most(1.0, "× static tini", "exec -- true, CPU", ratio(&cpu_times, exec, tini)),
        Goal::at_most(1.0, "× exec", "exec --no-watch -- true", ratio(&times, no_watch, exec)),
    ])
}

/// The same command, silent and with no environment but its own.
fn rebuilt(command: &Command) -> Command {
    let mut copy = Command::new(command.get_program());
    copy.args(command.get_args());
    copy.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    copy.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    copy
}
