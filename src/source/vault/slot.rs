//! What a poller remembers of one object and of one list, between rounds and within one.

use super::{ListState, SecretState, VaultError, VaultSecret, list::Listed};
use crate::reference::ObjectId;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::time::Instant;

/// A list tells when a secret last changed in whole seconds, and two changes can share one. An answer that was
/// asked for this much later than a change was noticed holds all of that second's.
const SECOND_OVER: Duration = Duration::from_secs(2);

/// One wanted object.
pub(super) struct Slot {
    pub(super) id: ObjectId,
    pub(super) state: SecretState,
    /// The answer of the round that runs. It counts only when the whole round has ended well, so that a
    /// rotation of several secrets is not passed on by halves.
    fresh: Option<VaultSecret>,
    /// Is asked for in this round, and has had no answer in it yet.
    pub(super) due: bool,
    /// Nobody needs it at present.
    pub(super) spared: bool,
    /// When the list said that it last changed, and since when it has said so.
    noticed: Option<(u64, Instant)>,
    /// When the answer that is good was asked for.
    asked: Option<Instant>,
}

impl Slot {
    pub(super) fn new(id: ObjectId) -> Self {
        Self {
            id,
            state: SecretState::default(),
            fresh: None,
            due: true,
            spared: false,
            noticed: None,
            asked: None,
        }
    }

    /// A pinned version never changes its value. (It can be disabled; who has the value may keep it.)
    pub(super) fn can_change(&self) -> bool {
        !self.spared && (self.id.version.is_none() || self.state.good.is_none())
    }

    /// What the vault has refused for good is asked for again with the next round, not before.
    pub(super) fn is_wanting(&self) -> bool {
        let refused = self.state.problem.as_ref().is_some_and(|problem| !problem.transient);
        !self.spared && (self.due || (self.state.good.is_none() && !refused))
    }

    /// A list has this entry about the object: one that has not changed need not be asked for.
    pub(super) fn notice(&mut self, entry: &Listed, now: Instant) {
        let since = match self.noticed {
            Some((updated, since)) if updated == entry.updated => since,
            _ => now,
        };
        self.noticed = Some((entry.updated, since));
        let is_good = self.state.good.is_some() && self.state.problem.is_none();
        if is_good && self.asked.is_some_and(|asked| asked >= since + SECOND_OVER) {
            self.due = false;
            // The list has confirmed it.
            if let Some(good) = &mut self.state.good {
                good.read = SystemTime::now();
            }
        }
    }

    /// A definitive answer to what was asked at that time; the last good value stays whatever it is.
    pub(super) fn answer(&mut self, answer: Result<VaultSecret, VaultError>, asked: Instant) {
        self.due = false;
        match answer {
            Ok(secret) => (self.fresh, self.asked) = (Some(secret), Some(asked)),
            Err(problem) => (self.fresh, self.state.problem) = (None, Some(problem)),
        }
    }

    /// A round has ended, with this problem of the vault.
    pub(super) fn conclude(&mut self, problem: Option<&VaultError>) {
        if self.due {
            self.state.problem = problem.cloned();
        }
        if (problem.is_none() || self.state.good.is_none())
            && let Some(fresh) = self.fresh.take()
        {
            self.state = SecretState { good: Some(fresh), problem: None };
        }
    }
}

/// One wanted list.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) state: ListState,
    fresh: Option<Arc<[Listed]>>,
    pub(super) due: bool,
}

impl Listing {
    pub(super) fn is_wanting(&self) -> bool {
        let refused = self.state.problem.as_ref().is_some_and(|problem| !problem.transient);
        self.due || (self.state.good.is_none() && self.fresh.is_none() && !refused)
    }

    /// The newest entries, of the round that runs if it has them.
    pub(super) fn entries(&self) -> Option<&[Listed]> {
        self.fresh.as_deref().or(self.state.good.as_deref())
    }

    pub(super) fn answer(&mut self, answer: Result<Vec<Listed>, VaultError>) {
        self.due = false;
        match answer {
            Ok(entries) => self.fresh = Some(entries.into()),
            Err(problem) => (self.fresh, self.state.problem) = (None, Some(problem)),
        }
    }

    pub(super) fn conclude(&mut self, problem: Option<&VaultError>) {
        if self.due {
            self.state.problem = problem.cloned();
        }
        if (problem.is_none() || self.state.good.is_none())
            && let Some(fresh) = self.fresh.take()
        {
            self.state = ListState { good: Some(fresh), problem: None };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        reference::{Collection, ObjectName, ObjectVersion, VaultUrl},
        secret::SecretValue,
    };
    use std::collections::BTreeMap;

    fn slot() -> Slot {
        let (vault, name) = (VaultUrl("https://v.example".into()), ObjectName("a".into()));
        Slot::new(ObjectId { vault, collection: Collection::Secrets, name, version: None })
    }

    fn entry(updated: u64) -> Listed {
        let (name, tags) = (ObjectName("a".into()), BTreeMap::new());
        Listed { name, version: None, tags, managed: false, created: 0, updated, unusable: None }
    }

    fn secret() -> VaultSecret {
        let version = ObjectVersion("0".repeat(32).into());
        let read = SystemTime::UNIX_EPOCH;
        VaultSecret { value: SecretValue::new("x"), version, expires: None, not_before: None, read }
    }

    /// Plays a round at this time; says whether the secret was asked for.
    fn round(slot: &mut Slot, updated: u64, now: Instant) -> bool {
        slot.due = slot.can_change();
        slot.notice(&entry(updated), now);
        let due = slot.due;
        if due {
            slot.answer(Ok(secret()), now);
        }
        slot.conclude(None);
        due
    }

    #[test]
    fn what_the_list_shows_unchanged_is_asked_for_once_more_and_then_no_longer() {
        let (mut slot, start) = (slot(), Instant::now());
        let asked: Vec<_> = [(7, 0), (7, 1), (7, 2), (7, 60), (8, 120), (8, 180), (8, 240)]
            .map(|(updated, at)| round(&mut slot, updated, start + Duration::from_secs(at)))
            .into();
        assert_eq!(asked, [true, true, true, false, true, true, false]);
    }

    #[test]
    fn what_was_refused_is_asked_for_again_whatever_the_list_shows() {
        let (mut slot, start) = (slot(), Instant::now());
        round(&mut slot, 7, start);
        round(&mut slot, 7, start + Duration::from_secs(10));
        slot.state.problem = Some(VaultError {
            class: crate::failure::Class::Permission,
            transient: true,
            message: "no".into(),
        });
        assert!(round(&mut slot, 7, start + Duration::from_secs(20)));
    }
}
