//! Refreshes that were asked for: when the sources are asked again, and what is answered to those who wait.
//!
//! A request is met by a round of reading that began after it. Requests that come together share one, and
//! rounds begin a second apart, so that who asks in a loop does not use up the vault's budget for everybody.
//! [`Refreshes`] is pure; the [`Inbox`] brings requests from the server to the loop.

mod inbox;

pub use inbox::{Full, Inbox, Place};

use crate::{config::EnvName, status::Status};
use serde::Serialize;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// Between two rounds that are begun by requests.
const GAP: Duration = Duration::from_secs(1);

/// What is wanted.
#[derive(Debug)]
pub enum Ask {
    /// A round, without an answer; wanted so many times.
    Nudge(u64),
    /// A round, and what came of it.
    Wait {
        /// How long the answer may take.
        within: Duration,
        /// Where it goes.
        reply: oneshot::Sender<Answer>,
    },
}

impl Ask {
    /// How many requests this is.
    pub fn count(&self) -> u64 {
        match self {
            Self::Nudge(times) => *times,
            Self::Wait { .. } => 1,
        }
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// How far it got.
    pub verdict: Verdict,
    /// What there is to tell.
    pub report: Report,
}

/// How far a request got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The set that was read is out, and what it led to has been done or has failed.
    Done,
    /// That takes longer than somebody wanted to wait.
    Late,
    /// What was read makes no complete set, or an output could not be written.
    Incomplete,
}

/// What a request has led to so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether a complete set is out, be it an older one.
    pub ready: bool,
    /// The variables that have had another value since the request.
    pub changed: BTreeSet<String>,
    /// What became of the reactions.
    pub reactions: Tally,
    /// What is wrong at present.
    pub problems: Vec<String>,
}

/// Reactions, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Succeeded.
    pub done: u64,
    /// Failed, and will be tried again.
    pub failed: u64,
    /// Not tried yet, or under way.
    pub pending: u64,
}

/// The requests that are not met yet.
#[derive(Debug, Default)]
pub struct Refreshes {
    waiting: Vec<Waiting>,
    /// Since when a round has been wanted that has not begun.
    wanted: Option<Instant>,
    /// When the last one began.
    begun: Option<Instant>,
}

/// Somebody who waits.
#[derive(Debug)]
struct Waiting {
    until: Instant,
    reply: oneshot::Sender<Answer>,
    stage: Stage,
    changed: BTreeSet<String>,
    /// Reactions that had succeeded before.
    before: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The round has not begun.
    Asked,
    /// This round has been asked for.
    Reading(u64),
    /// What was read is out.
    Out,
    /// What was read could not be put out.
    Missed,
}

impl Refreshes {
    /// Takes a request in. `done` is how many reactions have succeeded so far.
    pub fn ask(&mut self, ask: Ask, done: u64, now: Instant) {
        self.wanted.get_or_insert(now);
        if let Ask::Wait { within, reply } = ask {
            let (stage, changed) = (Stage::Asked, BTreeSet::new());
            self.waiting.push(Waiting { until: now + within, reply, stage, changed, before: done });
        }
    }

    /// When the sources are to be asked, if they are.
    pub fn round_due(&self) -> Option<Instant> {
        let wanted = self.wanted?;
        Some(self.begun.map_or(wanted, |begun| wanted.max(begun + GAP)))
    }

    /// When there is something to do at the latest: a round to begin, or somebody to send away.
    pub fn due(&self) -> Option<Instant> {
        let patience = self.waiting.iter().map(|waiting| waiting.until);
        self.round_due().into_iter().chain(patience).min()
    }

    /// The sources have been asked; what they read from now on belongs to `round` or a later one.
    pub fn begin(&mut self, round: u64, now: Instant) {
        (self.wanted, self.begun) = (None, Some(now));
        for waiting in &mut self.waiting {
            if waiting.stage == Stage::Asked {
                waiting.stage = Stage::Reading(round);
            }
        }
    }

    /// A pass has been made with what was read in `round`, and with newer values maybe. `changed` are the
    /// variables that have another value by it; `None` if it could not put a complete set out.
    pub fn passed(&mut self, round: u64, changed: Option<&[EnvName]>) {
        for waiting in &mut self.waiting {
            waiting.changed.extend(changed.unwrap_or_default().iter().map(ToString::to_string));
            if matches!(waiting.stage, Stage::Reading(wanted) if wanted <= round) {
                waiting.stage = if changed.is_some() { Stage::Out } else { Stage::Missed };
            }
        }
    }

    /// Whether nobody waits.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Answers those whose request is met and those who do not want to wait any longer. `reactions` are all
    /// that there have been and are.
    pub fn answer(&mut self, reactions: Tally, status: &Status, now: Instant) {
        let verdict = |waiting: &Waiting| match waiting.stage {
            Stage::Missed => Some(Verdict::Incomplete),
            Stage::Out if reactions.pending == 0 => Some(Verdict::Done),
            _ => (waiting.until <= now).then_some(Verdict::Late),
        };
        // Who has hung up needs no answer.
        self.waiting.retain(|waiting| !waiting.reply.is_closed());
        for waiting in self.waiting.extract_if(.., |waiting| verdict(waiting).is_some()) {
            let Some(verdict) = verdict(&waiting) else { continue };
            let report = Report {
                ready: status.ready,
                changed: waiting.changed,
                reactions: Tally { done: reactions.done.saturating_sub(waiting.before), ..reactions },
                problems: status.problems.clone(),
            };
            let _ = waiting.reply.send(Answer { verdict, report });
        }
    }
}

#[cfg(test)]
mod tests;
