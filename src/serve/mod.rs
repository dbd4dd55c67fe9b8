//! The operator's view over HTTP: a page for people at `/`, `/livez`, `/readyz`, `/metrics`, `/v1/status`, and
//! `POST /v1/refresh`.
//!
//! The main loop binds the socket, so that an address in use is noticed at once, and hands it over when the
//! first client comes: an agent that nobody asks never starts a server. Everything here runs on the background
//! thread, so it answers also when the loop does not turn.

mod connection;
mod guard;
mod page;
mod refresh;
mod route;

use crate::{
    background::Background,
    config::Target,
    heartbeat::Heartbeat,
    refresh::Inbox,
    source::vault::VaultView,
    status::{Board, Status, TargetStatus, VaultStatus},
};
use connection::Connection;
use std::{collections::VecDeque, io, net::TcpListener, sync::Arc, time::Duration};
use tokio::task::AbortHandle;

/// A scraper and a few probes come at the same time; with more, the oldest has to go. Those who wait for a
/// refresh are not among them: they have places of their own.
const MAX_CONNECTIONS: usize = 64;

/// What the server needs of the loop.
#[derive(Debug, Clone)]
pub struct Shared {
    /// What to show.
    pub board: Board,
    /// What the vaults have answered since the loop was last woken, which it is only for what is new.
    pub vault: Option<VaultView>,
    /// Whom a sidecar signals, which is looked at anew for whoever asks.
    pub target: Option<Target>,
    /// Where refreshes are asked for.
    pub refresh: Inbox,
    /// Whether the loop turns.
    pub heartbeat: Heartbeat,
}

impl Shared {
    fn status(&self) -> Status {
        let mut status = self.board.lock().clone();
        status.vault = self.vault.as_ref().map(|vault| {
            let latest = vault.latest();
            VaultStatus {
                requests: latest.requests,
                answers: latest.answers.clone(),
                last_success: latest.last_success,
            }
        });
        status.target = self.target.as_ref().map(TargetStatus::now);
        if let Some(target) = &status.target
            && target.state == "unreachable"
            // What has failed for this reason already is told by those who tried.
            && !status.problems.iter().any(|problem| problem.contains(&target.detail))
        {
            status
                .problems
                .push(format!("a signal to {} would not arrive: {}", target.target, target.detail));
        }
        status
    }
}

/// Serves on `listener` from now on. After an error it is still the caller's, and can be tried again.
pub fn start(listener: &TcpListener, shared: Shared, background: &mut Background) -> io::Result<()> {
    let listener = listener.try_clone()?;
    listener.set_nonblocking(true)?;
    let listener = {
        let _runtime = background.handle()?.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    background.spawn(serve(listener, shared))
}

async fn serve(listener: tokio::net::TcpListener, shared: Shared) {
    let mut open: VecDeque<(AbortHandle, Arc<Connection>)> = VecDeque::new();
    loop {
        let accepted = listener.accept().await;
        let Some((stream, local)) = accepted.ok().and_then(|(stream, _)| {
            let local = stream.local_addr().ok()?.ip();
            Some((stream, local))
        }) else {
            // Out of descriptors, or the client has gone again: neither is helped by spinning.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        open.retain(|(task, _)| !task.is_finished());
        let mut talking = open.iter().enumerate().filter(|(_, (_, connection))| !connection.waits());
        if let Some((oldest, _)) = talking.next()
            && talking.count() + 1 >= MAX_CONNECTIONS
            && let Some((task, _)) = open.remove(oldest)
        {
            // Whoever is answered is answered within milliseconds, so the oldest is one that says nothing.
            task.abort();
        }
        let connection = Arc::new(Connection::new(local));
        let task = tokio::spawn(Arc::clone(&connection).serve(stream, shared.clone()));
        open.push_back((task.abort_handle(), connection));
    }
}
