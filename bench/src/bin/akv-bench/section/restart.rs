//! From the switch of `..data` to the new process.

use crate::{
    agent,
    bench::Bench,
    goals::Goal,
    rotation::{self, Rounds},
    scene::{Scene, Told},
    statistics::Ratio,
};
use std::{fs, process::Command, time::Duration};

pub(crate) fn run(bench: &Bench) -> anyhow::Result<Vec<Goal>> {
    let config = bench.dir("restart")?.join("config.yaml");
    // Nobody rotates hundreds of times within minutes, which the budget is there to slow down.
    fs::write(&config, "restartBudget: off\n")?;
    let mut scenes = vec![Scene::start(bench, "floor: kill, wait, start", Told::ByRestart, |place, _| {
        let file = place.volume.join(crate::volume::KEYS[0]);
        let program = place.receiver(bench, &format!("file:{}", file.display()));
        let mut command = Command::new(&bench.floor);
        command.arg("restart").arg(&place.volume).arg(program.get_program()).args(program.get_args());
        command
    })?];
    for build in bench.builds() {
        let name = format!("{} exec", build.name);
        scenes.push(Scene::start(bench, &name, Told::ByRestart, |place, _| {
            let program = place.receiver(bench, &format!("env:{}", agent::GENERATION));
            let mut command = build.exec(&place.volume, &program);
            command.env("AKV_AGENT_CONFIG", &config);
            command
        })?);
    }
    let count = bench.effort(200, 50);
    let rounds = Rounds { count, pause: Duration::ZERO, quiet: Duration::from_millis(60) };
    let outcomes = rotation::rotate(&mut scenes, rounds)?;
    rotation::report(
        &format!(
            "From just before rename(2) of `..data` to the first instruction of the new process, {count} each:"
        ),
        &scenes,
        &outcomes,
    )?;
    let [floor, agent, ..] = outcomes.as_slice() else { return Ok(Vec::new()) };
    let whole = Ratio::of(&agent.latencies(), &floor.latencies());
    let gap = Ratio::of(&agent.gaps(), &floor.gaps());
    Ok(vec![
        Goal::at_most(2.0, "× floor", "switch → new process", whole.map(|ratio| ratio.median)),
        Goal::at_most(2.0, "× floor", "old process's end → new process", gap.map(|ratio| ratio.median)),
        rotation::without_fault("restart", agent),
    ])
}
