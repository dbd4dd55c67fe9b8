//! `akv-agent sidecar`: an env file that follows its sources, and a process that is told.

#![allow(clippy::unwrap_used)]

#[path = "sidecar/crash.rs"]
mod crash;
#[path = "sidecar/killed.rs"]
mod killed;
#[path = "sidecar/listener.rs"]
mod listener;
#[path = "sidecar/missed.rs"]
mod missed;
#[path = "sidecar/output.rs"]
mod output;
#[path = "sidecar/pace.rs"]
mod pace;
#[path = "sidecar/preflight.rs"]
mod preflight;
#[path = "sidecar/recovery.rs"]
mod recovery;
#[path = "sidecar/refresh.rs"]
mod refresh;
#[path = "sidecar/rest.rs"]
mod rest;
#[path = "sidecar/resume.rs"]
mod resume;
#[path = "sidecar/stale.rs"]
mod stale;
#[path = "sidecar/state_file.rs"]
mod state_file;
mod support;
#[path = "sidecar/target.rs"]
mod target;
#[path = "sidecar/telling.rs"]
mod telling;
#[path = "sidecar/vault.rs"]
mod vault;
#[path = "sidecar/volume.rs"]
mod volume;
