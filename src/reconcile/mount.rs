//! The mount compared with the vault, pass by pass: what is seen is handed to [`crate::stale`], and what that
//! says is told.

use crate::{
    config::{Binding, Config, Trusted},
    log::timestamp,
    reference::Origin,
    snapshot::Observed,
    stale::{News, Now, Pair, Sight, Standing, Tracker},
    status::Status,
};
use std::time::{Instant, SystemTime};

/// What the passes so far have seen of mount and vault.
#[derive(Debug, Default)]
pub(super) struct Mount {
    /// `None`: they are not compared.
    pub(super) tracker: Option<Tracker>,
    /// When to look again although nothing was noticed.
    pub(super) due: Option<Instant>,
    /// What is stale, a line each.
    pub(super) problems: Vec<String>,
}

impl Mount {
    pub(super) fn new(config: &Config) -> Self {
        Self { tracker: config.compared().map(Tracker::new), ..Self::default() }
    }

    /// Takes in what a pass sees.
    pub(super) fn look(&mut self, config: &Config, observed: &Observed<'_>, now: Instant) {
        let Some(tracker) = &mut self.tracker else { return };
        // A mount that cannot be read is not what it was, and not something else either.
        let Some(Ok(set)) = observed.mount else { return };
        let seen = config.env.iter().filter_map(pair).filter_map(|pair| {
            let mount = set.files.get(&pair.0)?;
            let vault = observed.vault?.secrets.get(&pair.1)?;
            Some((pair, Sight { mount, vault }))
        });
        let news = tracker.observe(seen, Now { at: now, wall: SystemTime::now() });
        self.due = tracker.due();

        self.problems.clear();
        let mut told: Vec<Pair> = Vec::new();
        for pair in config.env.iter().filter_map(pair) {
            if !told.contains(&pair) {
                self.problems.extend(problem(tracker, config, &pair));
                told.push(pair);
            }
        }
        for news in news {
            match news {
                News::Stale(pair) => {
                    let problem = problem(tracker, config, &pair).unwrap_or_default();
                    tracing::warn!("{problem}");
                }
                News::CaughtUp(pair) => {
                    let variables = variables(config, &pair);
                    tracing::info!(variables, "the mount's file '{}' has the vault's value again", pair.0);
                }
                News::Moved(pair) => {
                    let variables = variables(config, &pair);
                    tracing::info!(
                        variables,
                        "the mount's file '{}', which was stale, has changed and counts again",
                        pair.0
                    );
                }
            }
        }
    }

    /// Shows how each variable's file stands to the vault.
    pub(super) fn show(&self, config: &Config, status: &mut Status) {
        for binding in &config.env {
            let standing = pair(binding).and_then(|pair| self.tracker.as_ref()?.standing(&pair));
            if let Some(variable) = status.variables.get_mut(binding.variable.as_str()) {
                variable.stale = standing.map(|standing| matches!(standing, Standing::Stale(_)));
                variable.behind_since = match standing {
                    Some(Standing::Behind(since) | Standing::Stale(since)) => Some(since),
                    _ => None,
                };
            }
        }
    }
}

/// What is wrong with a file, if it is stale.
fn problem(tracker: &Tracker, config: &Config, pair: &Pair) -> Option<String> {
    let Some(Standing::Stale(since)) = tracker.standing(pair) else { return None };
    let (file, id) = pair;
    let version = tracker.lacks(pair)?;
    let used = match config.stale_mount?.use_ {
        Trusted::Vault if tracker.instead(pair).is_some() => "; the vault's value is used instead",
        _ => "",
    };
    Some(format!(
        "{}: the mount's file '{file}' is stale: since {} at the latest the vault has had another value, now \
         {id}/{version}{used}; is rotation enabled in the CSI driver, and what do its log and the provider's \
         say? (From v1.6 on, the driver shows failed rotations nowhere else.)",
        variables(config, pair),
        timestamp(since),
    ))
}

/// The variables that are read from a file.
fn variables(config: &Config, of: &Pair) -> String {
    let names = config.env.iter().filter(|binding| pair(binding).as_ref() == Some(of));
    names.map(|binding| binding.variable.as_str()).collect::<Vec<_>>().join(", ")
}

fn pair(binding: &Binding) -> Option<Pair> {
    match &binding.reference.origin {
        Origin::MountElseVault(file, id) => Some((file.clone(), id.clone())),
        Origin::Mount(_) | Origin::Vault(_) => None,
    }
}
