//! Key Vault as a source: asks for the wanted secrets, keeps the last good answer, wakes the loop on a change.
//!
//! The work happens on the background thread ([`crate::background`]); the loop reads what was last observed
//! with [`VaultSource::latest`], which never waits. Nothing exists before [`VaultSource::start`]: an agent
//! without a vault has no thread, no runtime and no TLS.
//!
//! ```text
//!  schedule (when) ─▶ poller ─▶ client ─▶ transport ─▶ vault
//!                       │          └─ credential ─▶ transport ─▶ Entra or IMDS
//!                       └─▶ error (what it means) ─▶ board ─▶ the loop
//! ```

mod asked;
mod board;
mod client;
mod credential;
mod error;
#[cfg(test)]
mod fleet_tests;
mod identity;
mod list;
mod pace;
mod poller;
mod schedule;
mod settings;
mod slot;
mod transport;
mod wanted;

pub use list::{List, Listed, Unusable};
pub use settings::VaultSettings;
pub use transport::Answers;
pub use wanted::Wanted;

use crate::{
    background::Background,
    failure::{Class, Failure, chain},
    reference::{ObjectId, ObjectVersion},
    secret::SecretValue,
    wake::Waker,
};
use azure_core::http::Transport as SdkTransport;
use board::Board;
use client::VaultClient;
use credential::Credentials;
use poller::Poller;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
    sync::Arc,
    time::SystemTime,
};
use tokio::sync::watch;
use transport::{Target, Transport, tls};

/// The running source. Dropping it ends its tasks.
#[derive(Debug)]
pub struct VaultSource {
    board: Arc<Board>,
    orders: watch::Sender<Orders>,
}

/// What the pollers are told; one that is changed asks for a round.
#[derive(Debug, Clone, Default)]
struct Orders {
    /// Rounds that were asked for so far.
    refresh: u64,
    /// What is not to be asked for.
    spared: BTreeSet<ObjectId>,
}

impl VaultSource {
    /// Starts to ask for `wanted`, at once and then as the settings say. `waker` wakes the loop whenever
    /// what was observed means something new. What is `spared` is not asked for before [`VaultSource::spare`]
    /// leaves it out.
    ///
    /// Fails only where the settings are wrong; whatever the network does is in [`VaultSource::latest`].
    pub fn start(
        settings: &VaultSettings,
        wanted: &Wanted,
        spared: BTreeSet<ObjectId>,
        background: &mut Background,
        waker: Waker,
    ) -> Result<Self, Failure> {
        let vaults = wanted.by_vault();
        let board = Arc::new(Board::new(wanted, vaults.keys(), waker));
        let routes = settings.routes(vaults.keys())?;
        let transport = Arc::new(Transport::new(routes, Arc::new(tls::client_config(settings.roots()?)?)));
        let sdk = || SdkTransport::new(Arc::clone(&transport) as _);
        let mut credentials = Credentials::new(settings, Arc::clone(&transport));

        let (orders, ordered) = watch::channel(Orders { refresh: 0, spared });
        for (vault, wanted) in vaults {
            let credential = credentials.of(&vault)?;
            let client =
                VaultClient::new(&vault, &credential, sdk()).map_err(|error| config(&vault, &error))?;
            let target = Target::parse(vault.as_str()).ok_or_else(|| config(&vault, &NotAnUrl))?;
            let (transport, board) = (Arc::clone(&transport), Arc::clone(&board));
            let identity = credential.identity().clone();
            let poller = Poller::new(vault, target, client, transport, identity, board, wanted);
            background.spawn(poller.run(settings.poll_interval, ordered.clone())).map_err(|error| {
                Failure::new(Class::Unavailable, format!("cannot start the background thread: {error}"))
            })?;
        }
        Ok(Self { board, orders })
    }

    /// What was last observed. Never waits.
    pub fn latest(&self) -> Arc<VaultObservation> {
        self.board.latest()
    }

    /// The same for another thread.
    pub fn view(&self) -> VaultView {
        VaultView(Arc::clone(&self.board))
    }

    /// Asks for a round now, and says what [`VaultObservation::refreshed`] will be when it is through. Requests
    /// that arrive while a round runs become one more round after it.
    pub fn refresh(&self) -> u64 {
        let mut refresh = 0;
        self.orders.send_modify(|orders| {
            orders.refresh += 1;
            refresh = orders.refresh;
        });
        refresh
    }

    /// From now on these, and no others, are not asked for; what they leave out is asked for at once.
    pub fn spare(&self, spared: BTreeSet<ObjectId>) {
        self.orders.send_if_modified(|orders| {
            let is_less = !orders.spared.is_subset(&spared);
            orders.spared = spared;
            is_less
        });
    }
}

/// Shows what was last observed.
#[derive(Debug, Clone)]
pub struct VaultView(Arc<Board>);

impl VaultView {
    /// What was last observed. Never waits.
    pub fn latest(&self) -> Arc<VaultObservation> {
        self.0.latest()
    }
}

/// A vault's address that is none; the configuration has checked it.
#[derive(Debug, thiserror::Error)]
#[error("is not an https URL")]
struct NotAnUrl;

fn config(what: &dyn Display, error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::new(Class::Config, format!("{what}: {}", chain(error)))
}

/// What is known of all wanted secrets; immutable, replaced as a whole.
#[derive(Debug, Default)]
pub struct VaultObservation {
    /// One entry for every wanted object, and for those that the lists ask for.
    pub secrets: BTreeMap<ObjectId, SecretState>,
    /// One entry for every list that is needed.
    pub lists: BTreeMap<List, ListState>,
    /// Rounds that ended, well or badly; with several vaults, those of the one with the fewest. Zero: at
    /// least one vault has not been asked yet.
    pub rounds: u64,
    /// The last [`VaultSource::refresh`] whose round has got an answer about everything it asked for, good or
    /// not; with several vaults, that of the one that is furthest behind.
    pub refreshed: u64,
    /// Since when every secret has been answered, with a value or definitively without.
    pub last_success: Option<SystemTime>,
    /// Why the newest round failed as a whole (identity, network, throttling); `None` after a good one. With
    /// several failing vaults, the first one's reason; each secret has its own vault's.
    pub problem: Option<VaultError>,
    /// Requests sent to vaults so far, without those to token endpoints.
    pub requests: u64,
    /// What came of all requests so far, to vaults and to token endpoints.
    pub answers: Answers,
}

/// What is known of one secret.
#[derive(Debug, Clone, Default)]
pub struct SecretState {
    /// The last good answer, kept through any failure.
    pub good: Option<VaultSecret>,
    /// Why the newest answer for this secret was not good (disabled, deleted, forbidden), or why there was
    /// none.
    pub problem: Option<VaultError>,
}

/// What is known of one list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListState {
    /// The last good answer, kept through any failure.
    pub good: Option<Arc<[Listed]>>,
    /// Why the newest answer was not good, or why there was none.
    pub problem: Option<VaultError>,
}

/// One answer of the vault.
#[derive(Debug, Clone)]
pub struct VaultSecret {
    /// The value.
    pub value: SecretValue,
    /// The version that the vault named.
    pub version: ObjectVersion,
    /// `exp`: informational in Key Vault.
    pub expires: Option<SystemTime>,
    /// `nbf`: informational in Key Vault.
    pub not_before: Option<SystemTime>,
    /// When this answer was read.
    pub read: SystemTime,
}

/// Why the vault, or the way to it, gave no value. One line, without a value, naming the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultError {
    /// How the agent ends if this lasts until the deadline.
    pub class: Class,
    /// Whether waiting can help. A configuration error cannot be waited out.
    pub transient: bool,
    /// What happened, to what, and what to do.
    pub message: Arc<str>,
}
