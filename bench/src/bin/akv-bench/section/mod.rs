//! What is measured, one file each.

mod burst;
mod cold;
mod forward;
mod idle;
mod race;
mod reap;
mod restart;
mod switch;
mod wrap;
mod wrapped;

use crate::{bench::Bench, goals::Goal};

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Switch,
    Restart,
    Race,
    Burst,
    Wrap,
    Forward,
    Reap,
    Idle,
    Cold,
}

impl Section {
    /// In the order in which they are run.
    pub(crate) const ALL: [Self; 9] = [
        Self::Switch,
        Self::Restart,
        Self::Race,
        Self::Burst,
        Self::Wrap,
        Self::Forward,
        Self::Reap,
        Self::Idle,
        Self::Cold,
    ];

    /// As on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Switch => "switch",
            Self::Restart => "restart",
            Self::Race => "race",
            Self::Burst => "burst",
            Self::Wrap => "wrap",
            Self::Forward => "forward",
            Self::Reap => "reap",
            Self::Idle => "idle",
            Self::Cold => "cold",
        }
    }

    /// The section of this name.
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|section| section.name() == name);
        found.ok_or_else(|| format!("there is no section {name}"))
    }

    /// Measures and reports; which goals it has something to say about.
    pub(crate) fn run(self, bench: &Bench) -> anyhow::Result<Vec<Goal>> {
        match self {
            Self::Switch => switch::run(bench),
            Self::Restart => restart::run(bench),
            Self::Race => race::run(bench),
            Self::Burst => burst::run(bench),
            Self::Wrap => wrap::run(bench),
            Self::Forward => forward::run(bench),
            Self::Reap => reap::run(bench),
            Self::Idle => idle::run(bench),
            Self::Cold => cold::run(bench),
        }
    }
}
