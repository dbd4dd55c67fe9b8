//! Refreshes that were asked for: begun, and answered when all is done that they led to.

use super::{Reconciler, Subject, is_due};
use crate::refresh::Tally;
use std::time::Instant;

impl Reconciler<'_> {
    /// Has every source read anew, at once. Says which round of reading that is.
    pub(super) fn read_anew(&mut self, now: Instant) -> u64 {
        tracing::info!("a refresh was asked for");
        self.settle.wake(now);
        self.parts.sources.refresh()
    }

    /// Takes in what clients ask for.
    pub(super) fn take_requests(&mut self, now: Instant) {
        for ask in self.inbox.take() {
            let mut status = self.parts.board.lock();
            status.refreshes += ask.count();
            self.refreshes.ask(ask, status.reactions, now);
        }
    }

    /// Has the sources read anew if clients have asked for it and its time has come.
    pub(super) fn begin_refresh(&mut self, now: Instant) {
        if is_due(self.refreshes.round_due(), now) {
            let round = self.read_anew(now);
            self.refreshes.begin(round, now);
        }
    }

    /// Answers those who have waited long enough, one way or the other.
    pub(super) fn answer_refreshes(&mut self, now: Instant) {
        if !self.refreshes.is_idle() {
            let status = self.parts.board.lock();
            let tally = self.tally(status.reactions);
            self.refreshes.answer(tally, &status, now);
        }
    }

    /// How the reactions stand, of which `done` have succeeded.
    fn tally(&self, done: u64) -> Tally {
        let (failed, waiting) = self.owed.count();
        let pending = waiting + u64::from(self.acting.is_some());
        match &self.parts.subject {
            // A change has been carried out when the child is there that got it.
            Subject::Child(supervisor) if !supervisor.is_running() => {
                Tally { done: done.saturating_sub(1), failed, pending: pending + 1 }
            }
            _ => Tally { done, failed, pending },
        }
    }
}
