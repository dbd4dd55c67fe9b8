//! Secrets from Azure Key Vault as environment variables that follow rotation.
//!
//! Everything is one level-triggered loop, and data flows one way through it:
//!
//! ```text
//!  source/mount ┐                                                        ┌─▶ status ─▶ serve (HTTP)
//!  source/vault ├─ wake-up ─▶ settle ─▶ snapshot ─▶ plan ─▶ output ─▶ reaction ─▶ supervise
//!  timer, HUP   ┘             (when)    (observed)  (pure)  (files)   (processes)
//! ```
//!
//! A wake-up carries no value: each pass reads all sources again, so merged or lost events cannot
//! matter. A module may use the types of modules to its left only; [`reconcile`] alone knows them all.
//! `docs/design.md` has the reasons.

pub mod ask;
pub mod background;
pub mod backoff;
pub mod certificate;
pub mod cli;
pub mod command;
pub mod config;
pub mod failure;
pub mod files;
pub mod fingerprint;
pub mod heartbeat;
pub mod job;
pub mod log;
pub mod lookup;
pub mod ordered;
pub mod output;
pub mod plan;
pub mod program;
pub mod public_key;
pub mod reaction;
pub mod reconcile;
pub mod reference;
pub mod refresh;
pub mod rest;
pub mod secret;
pub mod selection;
pub mod serve;
pub mod settle;
pub mod signals;
pub mod snapshot;
pub mod source;
pub mod stale;
pub mod state;
pub mod status;
pub mod supervise;
pub mod sys;
pub mod view;
pub mod wake;

#[cfg(test)]
#[path = "../tests/support/openssl.rs"]
mod openssl;
