//! `envFrom` and `history`: variables that nobody names, found by listing a vault.

#![allow(clippy::unwrap_used)]

#[path = "env_from/choosing.rs"]
mod choosing;
#[path = "env_from/following.rs"]
mod following;
#[path = "env_from/history.rs"]
mod history;
mod support;
#[path = "env_from/trouble.rs"]
mod trouble;

use dev_vault::{Attributes, DevVault};
use std::collections::BTreeMap;
use support::{Agent, Running, Workdir, read_env_file, secret};

/// What an env file is to have in it.
type Variables = BTreeMap<String, String>;

const DISABLED: Attributes = Attributes { enabled: Some(false), nbf: None, exp: None };
const ENABLED: Attributes = Attributes { enabled: Some(true), nbf: None, exp: None };

/// An agent with a configuration file, which polls as often as it may.
fn configured<'w>(agent: Agent<'w>, vault: &DevVault, yaml: &str) -> Agent<'w> {
    agent.vault(vault, "").unset("ENV").env_file().set("POLL_INTERVAL", "1s").yaml(yaml)
}

/// Variables with the labels of their secrets.
fn labelled(variables: &[(&str, &str)]) -> Variables {
    variables.iter().map(|(name, label)| ((*name).to_owned(), secret(label))).collect()
}

/// The env file as it is.
fn env_file(work: &Workdir) -> Option<Variables> {
    read_env_file(&work.path("out/app.env"))
}

/// Waits until the env file has exactly these variables, given with the labels of their secrets.
fn wait_for(agent: &Running<'_>, work: &Workdir, variables: &[(&str, &str)]) {
    let expected = labelled(variables);
    agent.wait_until(&format!("{variables:?} and no more"), || (env_file(work)? == expected).then_some(()));
}

/// What `/v1/status` says was left out.
fn skipped(agent: &Running<'_>) -> Vec<String> {
    let status = agent.status();
    let lines = status["skipped"].as_array().cloned().unwrap_or_default();
    lines.iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}
