//! One task for each vault: waits for its schedule or for a request, asks, judges, publishes.
//!
//! A round first asks for the lists that are wanted, because they say which objects there are and which may
//! have changed, then for the objects. A try that fails half-way is continued by the next one, not begun
//! again, so that a vault that is already short of capacity is never asked twice for the same thing.

use super::{
    Orders, VaultError,
    asked::Asked,
    board::{Board, VaultStatus},
    client::VaultClient,
    error::{Verdict, judge},
    identity::Identity,
    list::List,
    pace::Pace,
    schedule::{Ending, Extent, Schedule},
    slot::{Listing, Slot},
    transport::{Target, Transport},
    wanted::Wanted,
};
use crate::{
    backoff,
    failure::Class,
    ordered::Ordered as _,
    reference::{ObjectId, VaultUrl},
};
use futures::{FutureExt, StreamExt, stream::FuturesUnordered};
use std::{
    collections::BTreeMap,
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
    pub(super) status: VaultStatus,
    wanted: Wanted,
    lists: BTreeMap<List, Listing>,
    slots: BTreeMap<ObjectId, Slot>,
    /// The request to refresh that the last round meets.
    refresh: u64,
    pace: Pace,
}

/// The vault as a whole failed.
struct Outage {
    /// Why.
    error: VaultError,
    /// How long it wants to be left alone.
    retry_after: Option<Duration>,
    /// Whether it was too much that was asked of it.
    throttled: bool,
}

impl Poller {
    pub(super) fn new(
        vault: VaultUrl,
        target: Target,
        client: VaultClient,
        transport: Arc<Transport>,
        identity: Identity,
        board: Arc<Board>,
        wanted: Wanted,
    ) -> Self {
        let lists = wanted.lists().into_iter().map(|list| (list, Listing::default())).into_map();
        let slots = wanted.objects.iter().map(|id| (id.clone(), Slot::new(id.clone()))).into_map();
        let status = VaultStatus::default();
        Self {
            vault,
            target,
            client,
            transport,
            identity,
            board,
            status,
            wanted,
            lists,
            slots,
            refresh: 0,
            pace: Pace::new(EAGER),
        }
    }

    /// Runs until the source is dropped.
    pub(super) async fn run(mut self, interval: Option<Duration>, mut orders: watch::Receiver<Orders>) {
        let mut schedule = Schedule::new(interval, Instant::now());
        while let Some(asked) = wait(&schedule, &mut orders).await {
            let Orders { refresh, spared } = orders.borrow().clone();
            self.slots.values_mut().for_each(|slot| slot.spared = spared.contains(&slot.id));
            let extent = schedule.begin(Instant::now(), asked, backoff::random());
            if extent == Extent::All {
                self.refresh = refresh;
                self.lists.values_mut().for_each(|list| list.due = true);
                self.slots.values_mut().for_each(|slot| slot.due = slot.can_change());
            }
            // A bug in what parses answers from the network must not end the app whose parent we may be.
            let outage = AssertUnwindSafe(self.ask()).catch_unwind().await.unwrap_or_else(|_| {
                let message = format!("{}: the vault client failed (a bug); see the log", self.vault).into();
                let error = VaultError { class: Class::Bug, transient: true, message };
                Some(Outage { error, retry_after: None, throttled: false })
            });
            let ending = self.conclude(outage);
            schedule.end(Instant::now(), ending, backoff::random());
            self.publish();
        }
    }

    /// Asks for what is wanting, with bounded concurrency, until all is answered or the vault fails.
    async fn ask(&mut self) -> Option<Outage> {
        let missing = self.slots.values().any(|slot| slot.state.good.is_none())
            || self.lists.values().any(|list| list.state.good.is_none());
        let limit = if missing { EAGER } else { STEADY };
        let mut outage = self.ask_lists(limit).await;
        if outage.is_none() {
            self.follow_lists();
            outage = self.ask_objects(limit).await;
        }
        self.transport.hang_up(&self.target);
        outage
    }

    async fn ask_lists(&mut self, limit: usize) -> Option<Outage> {
        self.lists.values_mut().for_each(|list| list.due = list.is_wanting());
        let due = self.lists.iter().filter(|(_, list)| list.due).map(|(list, _)| list.clone()).collect();
        let client = &self.client;
        let ask = |list: List| async move { (client.list(&list).await, list) };
        let (lists, identity, mut outage) = (&mut self.lists, &self.identity, None);
        each(limit, &mut self.pace, due, ask, |(answer, list)| {
            let answer = definitive(answer, &list, identity, &mut outage);
            if let (Some(answer), Some(listing)) = (answer, lists.get_mut(&list)) {
                listing.answer(answer);
            }
            course(outage.as_ref())
        })
        .await;
        outage
    }

    /// Makes the slots those that the lists ask for, and leaves alone what they show unchanged.
    fn follow_lists(&mut self) {
        if self.lists.is_empty() {
            return;
        }
        let (lists, now) = (&self.lists, Instant::now());
        for id in self.wanted.objects(|list| lists.get(list).and_then(Listing::entries)) {
            self.slots.entry(id).or_insert_with_key(|id| Slot::new(id.clone()));
        }
        let names = lists.get(&List::Secrets(self.vault.clone())).and_then(Listing::entries);
        let names =
            names.unwrap_or_default().iter().map(|entry| (key(entry.name.as_str()), entry)).into_map();
        for slot in self.slots.values_mut().filter(|slot| slot.id.follows_latest_secret()) {
            if let Some(entry) = names.get(&key(slot.id.name.as_str())) {
                slot.notice(entry, now);
            }
        }
    }

    async fn ask_objects(&mut self, limit: usize) -> Option<Outage> {
        self.slots.values_mut().for_each(|slot| slot.due = slot.is_wanting());
        let due = self.slots.iter().filter(|(_, slot)| slot.due).map(|(id, _)| id.clone()).collect();
        let client = &self.client;
        let ask = |id: ObjectId| async move {
            let asked = Instant::now();
            (client.get(&id).await, id, asked)
        };
        let (slots, identity, mut outage) = (&mut self.slots, &self.identity, None);
        each(limit, &mut self.pace, due, ask, |(answer, id, asked)| {
            let answer = definitive(answer, &id, identity, &mut outage);
            if let (Some(answer), Some(slot)) = (answer, slots.get_mut(&id)) {
                slot.answer(answer, asked);
            }
            course(outage.as_ref())
        })
        .await;
        outage
    }

    fn conclude(&mut self, outage: Option<Outage>) -> Ending {
        self.status.rounds += 1;
        let (retry_after, throttled) =
            outage.as_ref().map_or((None, false), |outage| (outage.retry_after, outage.throttled));
        let problem = outage.map(|outage| outage.error);
        if problem.is_none() {
            self.status.last_success = Some(SystemTime::now());
            self.status.refreshed = self.refresh;
        }
        self.lists.values_mut().for_each(|list| list.conclude(problem.as_ref()));
        self.slots.values_mut().for_each(|slot| slot.conclude(problem.as_ref()));
        if problem.is_none() && !self.lists.is_empty() {
            let lists = &self.lists;
            let wanted = self.wanted.objects(|list| lists.get(list).and_then(Listing::entries));
            self.slots.retain(|id, _| wanted.contains(id));
        }
        self.status.problem = problem;
        let wanting =
            self.slots.values().any(Slot::is_wanting) || self.lists.values().any(Listing::is_wanting);
        match (wanting, throttled) {
            (_, true) => Ending::Throttled(retry_after),
            (true, false) => Ending::Incomplete(retry_after),
            (false, false) => Ending::Complete,
        }
    }

    fn publish(&self) {
        let secrets = self.slots.iter().map(|(id, slot)| (id.clone(), slot.state.clone())).into_map();
        let lists = self.lists.iter().map(|(list, listing)| (list.clone(), listing.state.clone())).into_map();
        let requests = (self.transport.vault_requests(), self.transport.answers());
        self.board.publish(&self.vault, self.status.clone(), secrets, lists, requests);
    }
}

/// Key Vault ignores the case of names.
fn key(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// Whether to go on asking.
enum Course {
    GoOn,
    Stop,
    /// Stop, and ask for less at a time from now on.
    GiveWay,
}

fn course(outage: Option<&Outage>) -> Course {
    match outage {
        None => Course::GoOn,
        Some(Outage { throttled: false, .. }) => Course::Stop,
        Some(Outage { throttled: true, .. }) => Course::GiveWay,
    }
}

/// Runs `ask` for each job, at most `limit` of them at a time and no more than `pace` allows, and hands over
/// what comes of it, until `take` says to stop. What is under way then is still awaited: its answers have been
/// paid for.
async fn each<J, A, F: Future<Output = A>>(
    limit: usize,
    pace: &mut Pace,
    jobs: Vec<J>,
    ask: impl Fn(J) -> F,
    mut take: impl FnMut(A) -> Course,
) {
    let (mut jobs, mut running, mut go_on) = (jobs.into_iter(), FuturesUnordered::new(), true);
    loop {
        while go_on && running.len() < limit.min(pace.limit()) {
            let Some(job) = jobs.next() else { break };
            running.push(ask(job));
        }
        let under_way = running.len();
        let Some(answer) = running.next().await else { return };
        match take(answer) {
            Course::GoOn => pace.served(),
            Course::Stop => go_on = false,
            // Once a flight: what else comes back of it says the same again.
            Course::GiveWay => {
                if go_on {
                    pace.refused(under_way);
                }
                go_on = false;
            }
        }
    }
}

/// The answer, if it is one about what was asked; what it says about the vault goes into `outage`.
fn definitive<'a, T>(
    answer: azure_core::Result<T>,
    asked: impl Into<Asked<'a>>,
    identity: &Identity,
    outage: &mut Option<Outage>,
) -> Option<Result<T, VaultError>> {
    match answer.map_err(|error| judge(asked, identity, &error)) {
        Ok(answer) => Some(Ok(answer)),
        Err(Verdict::Secret(problem)) => Some(Err(problem)),
        Err(Verdict::Vault { error, retry_after, throttled }) => {
            let before = outage.take();
            *outage = Some(Outage {
                error,
                retry_after: before.as_ref().and_then(|before| before.retry_after).max(retry_after),
                throttled: throttled || before.is_some_and(|before| before.throttled),
            });
            None
        }
    }
}

/// Waits until a try is due or asked for, and says which; `None` when the source is gone.
///
/// Requests that arrive while a try runs are seen here as one. Both waits can be dropped at any time: a
/// timer holds nothing, and an unseen change stays unseen.
async fn wait(schedule: &Schedule, orders: &mut watch::Receiver<Orders>) -> Option<bool> {
    let asked = match schedule.due() {
        Some(due) => timeout_at(due, orders.changed()).await.ok(),
        None => Some(orders.changed().await),
    };
    match asked {
        None => Some(false),
        Some(Err(_)) => None,
        Some(Ok(())) => {
            sleep_until(schedule.not_before()).await;
            orders.mark_unchanged();
            Some(true)
        }
    }
}
