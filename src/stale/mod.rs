//! Whether the mount keeps up with the vault, where a secret is in both. Pure: told in each pass what both
//! have, it says which files are behind, and since when.
//!
//! Values alone decide: times of files, events and intervals of the mount's writer mean something else with
//! each of its versions. The clock of a file starts with the first answer of the vault that is newer than the
//! file and has another value. An answer that is older than the file says nothing: the file may well be what
//! the vault has had since. Such a difference is looked at again after the next round, which comes anyway.
//!
//! A vault that gives no answer for a secret says nothing about the mount: no clock starts, and none ends.

mod content;

use crate::{
    config::{StaleMount, Trusted},
    reference::{MountPath, ObjectId, ObjectVersion},
    secret::SecretValue,
    source::vault::{SecretState, VaultSecret},
};
use content::{Comparison, Form};
use std::{
    collections::BTreeMap,
    time::{Instant, SystemTime},
};

/// A file of the mount and the secret of a vault that it stands for.
pub type Pair = (MountPath, ObjectId);

/// What one pass sees of a pair.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// The file.
    pub mount: &'a SecretValue,
    /// What is known of the secret.
    pub vault: &'a SecretState,
}

/// What both clocks show in one pass.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For what lasts.
    pub at: Instant,
    /// For what is told.
    pub wall: SystemTime,
}

/// How a file stands to its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has the vault's value.
    Level,
    /// It has another one since then, and may have for a while.
    Behind(SystemTime),
    /// It has had another one for too long.
    Stale(SystemTime),
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// This file is stale from now on.
    Stale(Pair),
    /// A stale file has got the vault's value.
    CaughtUp(Pair),
    /// A stale file has changed, to something else.
    Moved(Pair),
}

/// All pairs over time.
#[derive(Debug)]
pub struct Tracker {
    rule: StaleMount,
    pairs: BTreeMap<Pair, State>,
    due: Option<Instant>,
}

#[derive(Debug)]
struct State {
    mount: SecretValue,
    /// When a pass first saw this value.
    mount_since: Instant,
    /// The newest answer that was good.
    vault: Option<VaultSecret>,
    comparison: Option<Comparison>,
    /// The form in which the two last agreed.
    form: Option<Form>,
    /// Since when an answer has been known that the file has not followed.
    behind: Option<Now>,
    is_stale: bool,
    /// The vault's value as the file would have it, while it is stale.
    instead: Option<SecretValue>,
}

/// Whether two values are the same content, in whatever form.
pub fn is_same(mount: &SecretValue, vault: &SecretValue) -> bool {
    content::compare(mount, vault) != Comparison::Different
}

impl Tracker {
    /// Nothing has been seen yet.
    pub fn new(rule: StaleMount) -> Self {
        Self { rule, pairs: BTreeMap::new(), due: None }
    }

    /// Takes in what a pass sees: all pairs whose file is there. The others are forgotten.
    pub fn observe<'a>(&mut self, seen: impl IntoIterator<Item = (Pair, Sight<'a>)>, now: Now) -> Vec<News> {
        let mut before = std::mem::take(&mut self.pairs);
        self.due = None;
        let mut news = Vec::new();
        for (pair, sight) in seen {
            if self.pairs.contains_key(&pair) {
                continue;
            }
            let mut state = before.remove(&pair).unwrap_or_else(|| State::new(sight.mount, now.at));
            let was_stale = state.is_stale;
            let due = state.look(&self.rule, sight, now);
            self.due = [self.due, due].into_iter().flatten().min();
            match (was_stale, state.is_stale) {
                (false, true) => news.push(News::Stale(pair.clone())),
                (true, false) if matches!(state.comparison, Some(Comparison::Same(_))) => {
                    news.push(News::CaughtUp(pair.clone()));
                }
                (true, false) => news.push(News::Moved(pair.clone())),
                _ => {}
            }
            self.pairs.insert(pair, state);
        }
        news
    }

    /// When to look again although nothing happens.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// How a file stands to its secret; `None` where there is nothing to compare.
    pub fn standing(&self, pair: &Pair) -> Option<Standing> {
        let state = self.pairs.get(pair)?;
        match (state.comparison?, state.behind) {
            (Comparison::Incomparable, _) => None,
            (_, Some(since)) if state.is_stale => Some(Standing::Stale(since.wall)),
            (_, Some(since)) => Some(Standing::Behind(since.wall)),
            (_, None) => Some(Standing::Level),
        }
    }

    /// The version that a stale file lacks.
    pub fn lacks(&self, pair: &Pair) -> Option<&ObjectVersion> {
        let state = self.pairs.get(pair).filter(|state| state.is_stale)?;
        state.vault.as_ref().map(|answer| &answer.version)
    }

    /// What counts instead of the file, if the vault is to be trusted and the file is stale.
    pub fn instead(&self, pair: &Pair) -> Option<&SecretValue> {
        self.pairs.get(pair)?.instead.as_ref()
    }
}

impl State {
    fn new(mount: &SecretValue, now: Instant) -> Self {
        Self {
            mount: mount.clone(),
            mount_since: now,
            vault: None,
            comparison: None,
            form: None,
            behind: None,
            is_stale: false,
            instead: None,
        }
    }

    /// Says when to look again.
    fn look(&mut self, rule: &StaleMount, sight: Sight<'_>, now: Now) -> Option<Instant> {
        let has_moved = self.mount != *sight.mount;
        if has_moved {
            (self.mount, self.mount_since) = (sight.mount.clone(), now.at);
        }
        // A last good value is not what the vault has now.
        let answer = sight.vault.good.as_ref().filter(|_| sight.vault.problem.is_none());
        let mut is_new = false;
        if let Some(answer) = answer {
            is_new = self.vault.as_ref().is_none_or(|known| known.value != answer.value);
            self.vault = Some(answer.clone());
        }
        if (has_moved || is_new)
            && let Some(known) = &self.vault
        {
            self.comparison = Some(content::compare(&self.mount, &known.value));
        }
        match self.comparison {
            Some(Comparison::Different) => {}
            Some(Comparison::Same(form)) => {
                self.form = Some(form);
                self.rest();
                return None;
            }
            _ => {
                self.rest();
                return None;
            }
        }
        // A stale file that misses one more version is not a bit less stale.
        if has_moved || (is_new && !self.is_stale) {
            self.rest();
        }
        // Without an answer nothing is learned, and the next one wakes the loop.
        let answer = answer?;
        if self.behind.is_none() {
            self.behind = when(answer, now).filter(|read| read.at >= self.mount_since);
        }
        let Some(since) = self.behind else { return Some(now.at + rule.after) };
        let end = since.at + rule.after;
        if !self.is_stale && end > now.at {
            return Some(end);
        }
        if rule.use_ == Trusted::Vault && (is_new || !self.is_stale) {
            let form = self.form.unwrap_or_else(|| content::guess(&self.mount, &answer.value));
            // A value that cannot be put down in that form leaves the one before.
            self.instead = content::written(form, &self.mount, &answer.value).or(self.instead.take());
        }
        self.is_stale = true;
        None
    }

    /// No clock runs.
    fn rest(&mut self) {
        (self.behind, self.is_stale, self.instead) = (None, false, None);
    }
}

/// When an answer was read, on both clocks. Where the wall clock was set back meanwhile, it is now.
fn when(answer: &VaultSecret, now: Now) -> Option<Now> {
    let age = now.wall.duration_since(answer.read).unwrap_or_default();
    Some(Now { at: now.at.checked_sub(age)?, wall: now.wall.min(answer.read) })
}

#[cfg(test)]
mod tests;
