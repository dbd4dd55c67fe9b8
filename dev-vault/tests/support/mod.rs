//! A dev vault with a client and a token, for tests that speak the protocols by hand.
#![allow(dead_code, reason = "each test file uses its own part")]

use std::time::Duration;

use dev_vault::{Builder, Client, DevVault, Reply};
use serde_json::Value;

/// Far longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Api {
    pub(crate) vault: DevVault,
    pub(crate) client: Client,
    token: String,
}

impl Api {
    pub(crate) fn start() -> Self {
        Self::with(DevVault::builder())
    }

    pub(crate) fn with(builder: Builder) -> Self {
        let vault = builder.start().expect("the vault starts");
        let client = vault.client().expect("its certificate can be trusted");
        let token = vault.issue_token();
        Self { vault, client, token }
    }

    /// A call to the default vault. The path has its query, but for the version of the interface.
    pub(crate) fn call(&self, method: &str, path: &str, body: &str) -> Reply {
        self.call_at(&self.vault.url(), method, path, body)
    }

    pub(crate) fn call_at(&self, vault: &str, method: &str, path: &str, body: &str) -> Reply {
        let separator = if path.contains('?') { '&' } else { '?' };
        let url = format!("{vault}{path}{separator}api-version=7.6");
        self.send(method, &url, body)
    }

    /// A request to an address as it is.
    pub(crate) fn send(&self, method: &str, url: &str, body: &str) -> Reply {
        let authorization = format!("Bearer {}", self.token);
        let headers = [("authorization", &*authorization), ("content-type", "application/json")];
        self.client.send(method, url, &headers, body.to_owned()).expect("the vault answers")
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.call("GET", path, "")
    }
}

/// The two codes of an error answer.
pub(crate) fn codes(reply: &Reply) -> (u16, String, Option<String>) {
    let error = &reply.json()["error"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    (reply.status, text(&error["code"]).unwrap_or_default(), text(&error["innererror"]["code"]))
}
