//! Secrets from Azure Key Vault as environment variables that follow rotation.
//!
//! Everything is one level-triggered loop, and data flows one way through it:
//!
//! ```text
//!  source/mount ┐                                                        ┌─▶ status ─▶ serve (HTTP), log
//!  source/vault ├─ wake-up ─▶ settle ─▶ snapshot ─▶ plan ─▶ output ─▶ reaction ─▶ supervise / signal
//!  timer, HUP   ┘             (when)    (observed)  (pure)  (files)   (processes)
//! ```
//!
//! A wake-up carries no value: each pass reads all sources again, so merged or lost events cannot
//! matter. A module may use the types of modules to its left only; [`reconcile`] alone knows them all.
//! `docs/design.md` has the reasons.

pub mod background;
pub mod config;
pub mod failure;
pub mod reference;
pub mod secret;
pub mod source;
pub mod wake;
