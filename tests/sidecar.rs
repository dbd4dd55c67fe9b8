//! `akv-agent sidecar`: an env file that follows its sources, and a process that is told.

#![allow(clippy::unwrap_used)]

#[path = "sidecar/crash.rs"]
mod crash;
#[path = "sidecar/listener.rs"]
mod listener;
#[path = "sidecar/output.rs"]
mod output;
#[path = "sidecar/pace.rs"]
mod pace;
#[path = "sidecar/recovery.rs"]
mod recovery;
#[path = "sidecar/refresh.rs"]
mod refresh;
#[path = "sidecar/resume.rs"]
mod resume;
#[path = "sidecar/stale.rs"]
mod stale;
mod support;
#[path = "sidecar/target.rs"]
mod target;
#[path = "sidecar/telling.rs"]
mod telling;
#[path = "sidecar/vault.rs"]
mod vault;
#[path = "sidecar/volume.rs"]
mod volume;
