//! Reactions: how the app is told. A new reaction is one file here and one variant in the configuration.

pub mod process;
pub mod signal;
pub mod target;
