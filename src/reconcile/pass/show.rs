//! What passes have achieved and the status does not show yet.

use super::{Missed, Progress, Rejected, seconds};
use crate::{config::EnvName, reconcile::Parts, source::watch, status::MountStatus};
use std::{collections::BTreeSet, time::SystemTime};

/// What has been achieved since the status was last brought up to date.
#[derive(Debug, Default)]
pub(super) struct Unshown {
    /// How many passes were made, and how many of them found another set.
    passes: u64,
    changes: u64,
    /// When a set was put out, if one was, and what was new about it.
    put_out: Option<SystemTime>,
    changed: BTreeSet<EnvName>,
    /// Whether that set is not the newest one, which was rejected.
    is_held_back: bool,
}

impl Unshown {
    /// A pass was made.
    pub(super) fn passed(&mut self, missed: Missed) {
        self.passes += 1;
        self.changes += u64::from(missed == Missed::Nothing(true));
    }

    /// A set was put out.
    pub(super) fn put_out(&mut self, changed: &[EnvName], is_held_back: bool) {
        self.put_out = Some(SystemTime::now());
        self.changed.extend(changed.iter().cloned());
        self.is_held_back = is_held_back;
    }
}

impl Progress {
    /// Brings the status up to date with what passes have achieved.
    pub(in crate::reconcile) fn show(&mut self, parts: &Parts<'_>) {
        let news = std::mem::take(&mut self.unshown);
        if news.passes == 0 && news.put_out.is_none() {
            return;
        }
        let mode = parts.sources.watch_mode();
        if self.watch != mode
            && let Some(watch::Mode::Poll(reason)) = mode
        {
            tracing::warn!(
                "the mount is read every {} as well: {}",
                seconds(watch::POLL_INTERVAL),
                reason.explain()
            );
        }
        self.watch = mode;
        let observed = parts.sources.observed();
        let set = self.applied.as_ref().map(|applied| self.key.set(applied));
        let mut status = parts.board.lock();
        if let (Some(at), Some(applied)) = (news.put_out, &self.applied) {
            let is_changed = |name: &str| news.changed.iter().any(|changed| changed.as_str() == name);
            status.adopt(applied, at, is_changed);
            status.set = set;
            status.rejected = self.rejected.as_ref().filter(|_| news.is_held_back).map(Rejected::show);
        }
        self.mount.show(parts.config, &mut status);
        status.passes += news.passes;
        status.changes += news.changes;
        status.ready = self.applied.is_some();
        status.mount = observed.mount.map(|mount| MountStatus {
            generation: mount.as_ref().ok().and_then(|set| set.generation.clone()),
            watch: if let Some(watch::Mode::Poll(_)) = mode { "poll" } else { "inotify" },
        });
    }
}
