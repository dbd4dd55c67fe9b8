//! From the switch of `..data` to the signal, with and without an env file.

use crate::{
    agent,
    bench::Bench,
    rotation::{self, Rounds},
    scene::{Scene, Told},
};
use std::{process::Command, time::Duration};

pub(crate) fn run(bench: &Bench) -> anyhow::Result<()> {
    let mut scenes = scenes(bench)?;
    let count = bench.effort(400, 80);
    let rounds = Rounds { count, pause: Duration::ZERO, quiet: Duration::from_millis(30) };
    let outcomes = rotation::rotate(&mut scenes, rounds)?;
    rotation::report(
        &format!("From just before rename(2) of `..data` to the signal, {count} switches of 3 keys each:"),
        &scenes,
        &outcomes,
    )
}

/// The floors and the agent, each in both kinds.
pub(crate) fn scenes(bench: &Bench) -> anyhow::Result<Vec<Scene>> {
    Ok(vec![
        floor_watch(bench)?,
        Scene::start(bench, "akv-agent sidecar, no output", Told::ToReadVolume, |place, _| {
            agent::sidecar(bench, place)
        })?,
        floor_render(bench)?,
        Scene::start(bench, "akv-agent sidecar, env file", Told::ToReadEnvFile, |place, _| {
            agent::sidecar_with_env_file(bench, place)
        })?,
    ])
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
