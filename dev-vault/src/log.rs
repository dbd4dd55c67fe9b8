//! Who asked for what: the record that tests look at and wait on.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use serde::Serialize;

use crate::faults::Endpoint;
use crate::util::lock;

/// One request that has been decided on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestRecord {
    /// What it talked to.
    pub endpoint: Endpoint,
    /// The vault that the host name stands for.
    pub vault: String,
    /// The method in capitals.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// The query without its question mark.
    pub query: String,
    /// The status answered; 0 if the connection was cut without an answer.
    pub status: u16,
    /// Whether the request carried a token that was valid for the vault. False for the other endpoints.
    pub authenticated: bool,
}

/// Everything asked for since the start, or since the last clearing.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    records: Mutex<Vec<RequestRecord>>,
    grown: Condvar,
}

impl RequestLog {
    pub(crate) fn add(&self, record: RequestRecord) {
        lock(&self.records).push(record);
        self.grown.notify_all();
    }

    pub(crate) fn records(&self) -> Vec<RequestRecord> {
        lock(&self.records).clone()
    }

    pub(crate) fn clear(&self) {
        lock(&self.records).clear();
    }

    /// The first matching record, those that are there already included.
    pub(crate) fn wait_for(
        &self,
        matches: impl Fn(&RequestRecord) -> bool,
        timeout: Duration,
    ) -> Option<RequestRecord> {
        let missing = |records: &mut Vec<RequestRecord>| !records.iter().any(&matches);
        let (records, _) = self
            .grown
            .wait_timeout_while(lock(&self.records), timeout, missing)
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        records.iter().find(|record| matches(record)).cloned()
    }
}
