//! Reactions: how the app is told. A new reaction is one file here and one variant in the configuration.

pub mod newer;
pub mod pid_file;
pub mod preflight;
pub mod process;
pub mod refusal;
pub mod sight;
pub mod signal;
pub mod target;
