//! One task for each vault: waits for its schedule or for a request, asks, judges, publishes.
//!
//! A try that fails half-way is continued by the next one, not begun again, so that a vault that is already
//! short of capacity is never asked twice for the same thing.

use super::{
    SecretState, VaultError, VaultSecret,
    board::{Board, VaultStatus},
    client::VaultClient,
    error::{Verdict, judge},
    identity::Identity,
    schedule::{Ending, Extent, Schedule},
    transport::{Target, Transport},
};
use crate::{
    backoff,
    failure::Class,
    reference::{ObjectId, VaultUrl},
};
use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use std::{
    collections::BTreeSet,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout_at},
};

/// Requests at the same time while a value is missing and somebody waits for it. HTTP/1.1 needs a connection
/// for each, so 50 secrets take two rounds of 25: with the token that is three round trips.
const EAGER: usize = 25;

/// Requests at the same time once everything is known. A poll is in no hurry, and fewer connections mean
/// fewer handshakes for both sides.
const STEADY: usize = 4;

/// The task of one vault.
pub(super) struct Poller {
    pub(super) vault: VaultUrl,
    pub(super) target: Target,
    pub(super) client: VaultClient,
    pub(super) transport: Arc<Transport>,
    pub(super) identity: Identity,
    pub(super) board: Arc<Board>,
    pub(super) slots: Vec<Slot>,
    pub(super) status: VaultStatus,
}

/// One wanted secret.
pub(super) struct Slot {
    id: ObjectId,
    state: SecretState,
    /// The answer of the round that runs. It counts only when the whole round has ended well, so that a
    /// rotation of several secrets is not passed on by halves.
    fresh: Option<VaultSecret>,
    /// Is asked for in this round, and has had no answer in it yet.
    due: bool,
    /// Nobody needs it at present.
    spared: bool,
}

impl Slot {
    pub(super) fn new(id: ObjectId) -> Self {
        Self { id, state: SecretState::default(), fresh: None, due: true, spared: false }
    }

    /// A pinned version never changes its value. (It can be disabled; who has the value may keep it.)
    fn can_change(&self) -> bool {
        !self.spared && (self.id.version.is_none() || self.state.good.is_none())
    }

    /// What the vault has refused for good is asked for again with the next round, not before.
    fn is_wanting(&self) -> bool {
        let refused = self.state.problem.as_ref().is_some_and(|problem| !problem.transient);
        !self.spared && (self.due || (self.state.good.is_none() && !refused))
    }

    /// A definitive answer; the last good value stays whatever it is.
    fn answer(&mut self, answer: Result<VaultSecret, VaultError>) {
        self.due = false;
        match answer {
            Ok(secret) => self.fresh = Some(secret),
            Err(problem) => (self.fresh, self.state.problem) = (None, Some(problem)),
        }
    }
}

impl Poller {
    /// Runs until the source is dropped.
    pub(super) async fn run(
        mut self,
        interval: Option<Duration>,
        mut refresh: watch::Receiver<BTreeSet<ObjectId>>,
    ) {
        let mut schedule = Schedule::new(interval, Instant::now());
        while let Some(asked) = wait(&schedule, &mut refresh).await {
            let spared = refresh.borrow().clone();
            self.slots.iter_mut().for_each(|slot| slot.spared = spared.contains(&slot.id));
            let extent = schedule.begin(Instant::now(), asked, backoff::random());
            if extent == Extent::All {
                self.slots.iter_mut().for_each(|slot| slot.due = slot.can_change());
            }
            // A bug in what parses answers from the network must not end the app whose parent we may be.
            let ending = AssertUnwindSafe(self.ask()).catch_unwind().await.unwrap_or_else(|_| {
                let message = format!("{}: the vault client failed (a bug); see the log", self.vault).into();
                let error = VaultError { class: Class::Bug, transient: true, message };
                self.conclude(Some((error, None)))
            });
            schedule.end(Instant::now(), ending, backoff::random());
            self.publish();
        }
    }

    /// Asks for what is wanting, with bounded concurrency, until all is answered or the vault fails.
    async fn ask(&mut self) -> Ending {
        self.slots.iter_mut().for_each(|slot| slot.due = slot.is_wanting());
        let missing = self.slots.iter().any(|slot| slot.state.good.is_none());
        let limit = if missing { EAGER } else { STEADY };
        let mut wanting = (0..self.slots.len()).filter(|&slot| self.slots[slot].due).collect::<Vec<_>>();
        // Popped from the end, and this keeps the order of the configuration.
        wanting.reverse();

        let client = &self.client;
        let get = |slot: usize, id: ObjectId| async move { (slot, client.get(&id).await) };
        let mut running = FuturesUnordered::new();
        let mut failure = None;
        loop {
            while failure.is_none() && running.len() < limit {
                let Some(slot) = wanting.pop() else { break };
                running.push(get(slot, self.slots[slot].id.clone()));
            }
            // What is under way when the vault fails is still awaited: its answers have been paid for.
            let Some((slot, answer)) = running.next().await else { break };
            let slot = &mut self.slots[slot];
            match answer.map_err(|error| judge(&slot.id, &self.identity, &error)) {
                Ok(secret) => slot.answer(Ok(secret)),
                Err(Verdict::Secret(problem)) => slot.answer(Err(problem)),
                Err(Verdict::Vault { error, retry_after }) => {
                    let longest = failure.take().and_then(|(_, wait)| wait).max(retry_after);
                    failure = Some((error, longest));
                }
            }
        }
        drop(running);
        self.transport.hang_up(&self.target);
        self.conclude(failure)
    }

    fn conclude(&mut self, failure: Option<(VaultError, Option<Duration>)>) -> Ending {
        self.status.rounds += 1;
        let (problem, retry_after) = failure.unzip();
        if problem.is_none() {
            self.status.last_success = Some(SystemTime::now());
        }
        for slot in self.slots.iter_mut().filter(|slot| slot.due) {
            slot.state.problem.clone_from(&problem);
        }
        let is_whole = problem.is_none();
        for slot in self.slots.iter_mut().filter(|slot| is_whole || slot.state.good.is_none()) {
            if let Some(fresh) = slot.fresh.take() {
                slot.state = SecretState { good: Some(fresh), problem: None };
            }
        }
        self.status.problem = problem;
        if self.slots.iter().any(Slot::is_wanting) {
            Ending::Incomplete(retry_after.flatten())
        } else {
            Ending::Complete
        }
    }

    fn publish(&self) {
        let secrets = self.slots.iter().map(|slot| (slot.id.clone(), slot.state.clone()));
        self.board.publish(&self.vault, self.status.clone(), secrets, self.transport.vault_requests());
    }
}

/// Waits until a try is due or asked for, and says which; `None` when the source is gone.
///
/// Requests that arrive while a try runs are seen here as one. Both waits can be dropped at any time: a
/// timer holds nothing, and an unseen change stays unseen.
async fn wait(schedule: &Schedule, refresh: &mut watch::Receiver<BTreeSet<ObjectId>>) -> Option<bool> {
    let asked = match schedule.due() {
        Some(due) => timeout_at(due, refresh.changed()).await.ok(),
        None => Some(refresh.changed().await),
    };
    match asked {
        None => Some(false),
        Some(Err(_)) => None,
        Some(Ok(())) => {
            sleep_until(schedule.not_before()).await;
            refresh.mark_unchanged();
            Some(true)
        }
    }
}
