//! Handing the listening socket over to the server when the first client comes.

use super::Reconciler;
use crate::serve::{self, Shared};
use std::time::{Duration, Instant};

/// After a failure: the client waits in the queue of the socket, and is not to keep the loop busy meanwhile.
const RETRY: Duration = Duration::from_secs(1);

impl Reconciler<'_> {
    /// Somebody has connected. Where there is no thread or descriptor for the server, there may be one later.
    pub(super) fn serve(&mut self, now: Instant) {
        let parts = &mut self.parts;
        let Some(listener) = &parts.listener else { return };
        let shared = Shared {
            board: parts.board.clone(),
            vault: parts.sources.vault_view(),
            target: parts.subject.target().cloned(),
            refresh: self.inbox.clone(),
            heartbeat: self.heartbeat.clone(),
        };
        match serve::start(listener, shared, &mut parts.background) {
            Ok(()) => parts.listener = None,
            Err(error) => {
                tracing::error!(%error, "status cannot be served; it is tried again");
                self.serve_again = Some(now + RETRY);
            }
        }
    }
}
