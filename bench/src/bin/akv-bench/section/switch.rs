//! From the switch of `..data` to the signal, with and without an env file.

use crate::{
    bench::Bench,
    goals::Goal,
    rotation::{self, Rounds},
    scene::{Place, Scene, Told},
    statistics::Ratio,
};
use std::{process::Command, time::Duration};

pub(crate) fn run(bench: &Bench) -> anyhow::Result<Vec<Goal>> {
    let mut scenes = scenes(bench)?;
    let count = bench.effort(400, 80);
    let rounds = Rounds { count, pause: Duration::ZERO, quiet: Duration::from_millis(30) };
    let outcomes = rotation::rotate(&mut scenes, rounds)?;
    rotation::report(
        &format!("From just before rename(2) of `..data` to the signal, {count} switches of 3 keys each:"),
        &scenes,
        &outcomes,
    )?;
    let mut goals = Vec::new();
    for (kind, limit) in [("no output", 1.5), ("env file", 2.0)] {
        let name = format!("{} sidecar, {kind}", bench.agent.name);
        let Some(index) = scenes.iter().position(|scene| scene.name == name) else { continue };
        let ratio = Ratio::of(&outcomes[index].latencies(), &outcomes[0].latencies());
        let what = format!("switch → signal, {kind}");
        goals.extend([
            Goal::at_most(limit, "× floor", what.as_str(), ratio.map(|ratio| ratio.median)),
            Goal::at_most(3.0, "× floor", format!("{what}, p95"), ratio.map(|ratio| ratio.p95)),
            rotation::without_fault(&what, &outcomes[index]),
        ]);
    }
    Ok(goals)
}

/// The floors and the agent, each in both kinds.
pub(crate) fn scenes(bench: &Bench) -> anyhow::Result<Vec<Scene>> {
    let mut scenes = vec![floor_watch(bench)?];
    for build in bench.builds() {
        let name = format!("{} sidecar, no output", build.name);
        scenes.push(Scene::start(bench, &name, Told::ToReadVolume, |place, _| build.sidecar(place))?);
    }
    scenes.push(floor_render(bench)?);
    for build in bench.builds() {
        let name = format!("{} sidecar, env file", build.name);
        let sidecar = |place: &Place, _: &str| build.sidecar_with_env_file(place);
        scenes.push(Scene::start(bench, &name, Told::ToReadEnvFile, sidecar)?);
    }
    Ok(scenes)
}

/// Nothing but inotify and kill.
pub(crate) fn floor_watch(bench: &Bench) -> anyhow::Result<Scene> {
    Scene::start(bench, "floor: inotify + kill", Told::ToReadVolume, |place, pid| {
        let mut command = Command::new(&bench.floor);
        command.arg("watch").arg(&place.volume).arg(pid);
        command
    })
}

/// With an env file, replaced without any check.
pub(crate) fn floor_render(bench: &Bench) -> anyhow::Result<Scene> {
    Scene::start(bench, "floor: with env file", Told::ToReadEnvFile, |place, pid| {
        let mut command = Command::new(&bench.floor);
        command.arg("render").arg(&place.volume).arg(pid).arg(&place.env_file);
        command
    })
}
