//! Misbehaviour on request: which requests are hit, and what happens to them.

use std::sync::Mutex;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::util::lock;

/// What a request talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Endpoint {
    /// Key Vault.
    Vault,
    /// Entra: the token endpoint and its discovery documents.
    Token,
    /// Tokens for managed identities, in the style of IMDS and of App Service.
    Imds,
    /// Anything else; answered with 404.
    Other,
}

/// One kind of misbehaviour and the requests it is meant for.
///
/// Faults are looked through in the order they were given. Every [`Action::Latency`] that matches delays the
/// request; the first match of any other kind decides its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// What the request talks to.
    pub endpoint: Endpoint,
    /// What happens.
    pub action: Action,
    /// Only requests with this method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Only requests to the vault of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault: Option<String>,
    /// Only requests about the secret, key or certificate of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Only requests whose path starts like this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How many requests are hit; all of them if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Also hit requests to a vault that carry no valid token. They are spared otherwise, so that `times` counts
    /// operations and not the challenge before them; latency never spares any.
    #[serde(default)]
    pub challenge: bool,
}

impl Fault {
    /// A fault that hits every request to an endpoint.
    pub fn new(endpoint: Endpoint, action: Action) -> Self {
        Self {
            endpoint,
            action,
            method: None,
            vault: None,
            secret: None,
            path: None,
            times: None,
            challenge: false,
        }
    }

    /// Only requests with this method.
    #[must_use]
    pub fn method(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// Only requests to the vault of this name.
    #[must_use]
    pub fn vault(mut self, vault: &str) -> Self {
        self.vault = Some(vault.to_owned());
        self
    }

    /// Only requests about the secret, key or certificate of this name.
    #[must_use]
    pub fn secret(mut self, secret: &str) -> Self {
        self.secret = Some(secret.to_owned());
        self
    }

    /// Only requests whose path starts like this.
    #[must_use]
    pub fn path(mut self, prefix: &str) -> Self {
        self.path = Some(prefix.to_owned());
        self
    }

    /// Only this many requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// Also requests to a vault that carry no valid token.
    #[must_use]
    pub fn challenge(mut self) -> Self {
        self.challenge = true;
        self
    }

    fn hits(&self, target: &Target<'_>) -> bool {
        let same = |wanted: &Option<String>, actual: Option<&str>| {
            wanted
                .as_deref()
                .is_none_or(|wanted| actual.is_some_and(|actual| actual.eq_ignore_ascii_case(wanted)))
        };
        self.endpoint == target.endpoint
            && self.times != Some(0)
            && same(&self.method, Some(target.method))
            && same(&self.vault, Some(target.vault))
            && same(&self.secret, target.secret)
            && self.path.as_deref().is_none_or(|prefix| target.path.starts_with(prefix))
            && (self.challenge
                || target.authenticated
                || target.endpoint != Endpoint::Vault
                || matches!(self.action, Action::Latency { .. }))
    }
}

/// What a fault does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Action {
    /// Waits before the request is looked at; in JSON a number of milliseconds.
    Latency {
        /// How long.
        #[serde(with = "millis")]
        millis: Duration,
    },
    /// Answers with a status, without doing what was asked for.
    Status {
        /// The status code.
        status: u16,
        /// Value of the header `Retry-After`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<String>,
        /// The body; the JSON with which the endpoint usually accompanies that status if not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<String>,
        /// The body's type, `application/json` if not given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        content_type: Option<String>,
    },
    /// Closes the connection instead of answering; nothing that was asked for is done.
    Cut,
    /// Does what was asked for, and closes the connection in the middle of the answer's body.
    CutBody,
    /// Does what was asked for, and sends only half of the JSON as if that were all.
    Truncate,
    /// Answers 200 with well-formed JSON that has none of the members a client looks for.
    WrongShape,
    /// Does what was asked for, and sends the body in pieces.
    SlowBody {
        /// Time between two pieces; in JSON a number of milliseconds.
        #[serde(with = "millis")]
        millis: Duration,
        /// How many pieces.
        pieces: usize,
    },
    /// Does what was asked for, and repeats the value or the token in the answer until it has this many bytes. A
    /// vault takes the long token as well.
    Enlarge {
        /// How many.
        bytes: usize,
    },
    /// Does what was asked for, and lets a list go on at another address.
    NextLink {
        /// The whole address.
        url: String,
    },
}

impl Action {
    /// Waits before the request is looked at.
    pub fn latency(delay: Duration) -> Self {
        Self::Latency { millis: delay }
    }

    /// A status with the JSON that usually comes with it.
    pub fn status(status: u16) -> Self {
        Self::Status { status, retry_after: None, body: None, content_type: None }
    }

    /// 429, with or without a `Retry-After` in seconds.
    pub fn throttled(retry_after: Option<u32>) -> Self {
        Self::Status {
            status: 429,
            retry_after: retry_after.map(|seconds| seconds.to_string()),
            body: None,
            content_type: None,
        }
    }

    /// A status with a page of HTML, as proxies and gateways send it.
    pub fn html(status: u16) -> Self {
        Self::Status {
            status,
            retry_after: None,
            body: Some(format!("<html><head><title>{status}</title></head><body>{status}</body></html>\n")),
            content_type: Some("text/html".to_owned()),
        }
    }

    /// The body in pieces.
    pub fn slow_body(pause: Duration, pieces: usize) -> Self {
        Self::SlowBody { millis: pause, pieces }
    }
}

/// The faults that wait for requests.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Fault>>);

impl Faults {
    /// Adds a fault after those that are there.
    pub fn push(&self, fault: Fault) {
        lock(&self.0).push(fault);
    }

    /// Removes all faults.
    pub fn clear(&self) {
        lock(&self.0).clear();
    }

    /// Puts these faults in place of those that are there, at once.
    pub fn replace(&self, faults: Vec<Fault>) {
        *lock(&self.0) = faults;
    }

    /// The faults that still hit requests, with what is left of their counts.
    pub fn list(&self) -> Vec<Fault> {
        lock(&self.0).clone()
    }

    /// Takes what is to happen to one request, counting it.
    pub(crate) fn take(&self, target: &Target<'_>) -> Hit {
        let mut faults = lock(&self.0);
        let mut hit = Hit::default();
        for fault in faults.iter_mut().filter(|fault| fault.hits(target)) {
            match &fault.action {
                Action::Latency { millis } => hit.delay += *millis,
                _ if hit.action.is_some() => continue,
                action => hit.action = Some(action.clone()),
            }
            fault.times = fault.times.map(|times| times - 1);
        }
        faults.retain(|fault| fault.times != Some(0));
        hit
    }
}

/// The properties of a request that faults choose by.
pub(crate) struct Target<'a> {
    pub(crate) endpoint: Endpoint,
    pub(crate) method: &'a str,
    pub(crate) vault: &'a str,
    pub(crate) secret: Option<&'a str>,
    pub(crate) path: &'a str,
    pub(crate) authenticated: bool,
}

/// What happens to one request.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Hit {
    pub(crate) delay: Duration,
    pub(crate) action: Option<Action>,
}

/// Durations as whole milliseconds.
mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn get<'a>(secret: &'a str, path: &'a str) -> Target<'a> {
        Target {
            endpoint: Endpoint::Vault,
            method: "GET",
            vault: "default",
            secret: Some(secret),
            path,
            authenticated: true,
        }
    }

    #[test]
    fn a_counted_fault_wears_off() {
        let faults = Faults::default();
        faults.push(Fault::new(Endpoint::Vault, Action::status(503)).secret("A").times(2));
        assert_eq!(faults.take(&get("b", "/secrets/b")), Hit::default());
        for left in [1, 0] {
            assert_eq!(faults.take(&get("a", "/secrets/a")).action, Some(Action::status(503)));
            assert_eq!(faults.list().first().and_then(|fault| fault.times).unwrap_or(0), left);
        }
        assert_eq!(faults.take(&get("a", "/secrets/a")), Hit::default());
    }

    #[test]
    fn delays_add_up_and_the_first_other_fault_wins() {
        let faults = Faults::default();
        faults.push(Fault::new(Endpoint::Vault, Action::latency(Duration::from_millis(20))));
        faults.push(Fault::new(Endpoint::Vault, Action::Cut).times(1));
        faults.push(Fault::new(Endpoint::Vault, Action::Truncate).path("/secrets/a"));
        faults.push(Fault::new(Endpoint::Vault, Action::latency(Duration::from_millis(5))).method("get"));
        let hit = faults.take(&get("a", "/secrets/a"));
        assert_eq!(hit, Hit { delay: Duration::from_millis(25), action: Some(Action::Cut) });
        assert_eq!(faults.take(&get("a", "/secrets/a")).action, Some(Action::Truncate));
    }

    #[test]
    fn the_challenge_is_spared_unless_asked_for() {
        let faults = Faults::default();
        faults.push(Fault::new(Endpoint::Vault, Action::latency(Duration::from_millis(1))));
        faults.push(Fault::new(Endpoint::Vault, Action::status(500)));
        let target = Target { authenticated: false, ..get("a", "/secrets/a") };
        assert_eq!(faults.take(&target), Hit { delay: Duration::from_millis(1), action: None });
        faults.push(Fault::new(Endpoint::Vault, Action::Cut).challenge());
        assert_eq!(faults.take(&target).action, Some(Action::Cut));
    }

    #[test]
    fn the_json_form_reads_back() {
        let text = r#"{"endpoint":"vault","method":"GET","secret":"db","times":2,
                       "action":{"status":{"status":429,"retryAfter":"5"}}}"#;
        let fault: Fault = serde_json::from_str(text).unwrap();
        let expected =
            Fault::new(Endpoint::Vault, Action::throttled(Some(5))).method("GET").secret("db").times(2);
        assert_eq!(fault, expected);
        let again: Fault = serde_json::from_str(&serde_json::to_string(&fault).unwrap()).unwrap();
        assert_eq!(again, expected);
        let latency = r#"{"endpoint":"token","action":{"latency":{"millis":7}}}"#;
        assert_eq!(
            serde_json::from_str::<Fault>(latency).unwrap(),
            Fault::new(Endpoint::Token, Action::latency(Duration::from_millis(7)))
        );
        assert_eq!(
            serde_json::from_str::<Fault>(r#"{"endpoint":"imds","action":"cutBody"}"#).unwrap().action,
            Action::CutBody
        );
        assert!(serde_json::from_str::<Fault>(r#"{"endpoint":"vault","action":"cut","tmies":1}"#).is_err());
    }
}
