//! The agent's own variables, `AKV_AGENT_*`.

use super::{
    lookup::Lookup,
    problem::{Problems, quoted_key, suggestion},
    value::OWN_PREFIX,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

macro_rules! variables {
    ($($field:ident = $name:literal),* $(,)?) => {
        /// What is set, as text. White space around a value has no meaning, and empty counts as unset.
        #[derive(Debug, Default, Deserialize)]
        pub(super) struct Variables {
            $($field: Option<String>,)*
        }

        /// Every variable that there is.
        pub(super) const NAMES: &[&str] = &[$($name),*];

        impl Variables {
            /// The variable's own name in full, and its value where it is set.
            pub(super) fn get(&self, name: &str) -> Option<(&'static str, &str)> {
                match name {
                    $($name => Some(($name, self.$field.as_deref()?)),)*
                    _ => None,
                }
            }
        }
    };
}

variables! {
    config = "AKV_AGENT_CONFIG",
    vault = "AKV_AGENT_VAULT",
    mount = "AKV_AGENT_MOUNT",
    identity = "AKV_AGENT_IDENTITY",
    cloud = "AKV_AGENT_CLOUD",
    vault_suffixes = "AKV_AGENT_VAULT_SUFFIXES",
    ca_file = "AKV_AGENT_CA_FILE",
    env = "AKV_AGENT_ENV",
    env_file = "AKV_AGENT_ENV_FILE",
    env_file_format = "AKV_AGENT_ENV_FILE_FORMAT",
    env_file_mode = "AKV_AGENT_ENV_FILE_MODE",
    poll_interval = "AKV_AGENT_POLL_INTERVAL",
    stale_mount = "AKV_AGENT_STALE_MOUNT",
    settle = "AKV_AGENT_SETTLE",
    on_change = "AKV_AGENT_ON_CHANGE",
    target = "AKV_AGENT_TARGET",
    probation = "AKV_AGENT_PROBATION",
    state_dir = "AKV_AGENT_STATE_DIR",
    splay = "AKV_AGENT_SPLAY",
    timeout = "AKV_AGENT_TIMEOUT",
    listen = "AKV_AGENT_LISTEN",
    log_level = "AKV_AGENT_LOG_LEVEL",
    log_format = "AKV_AGENT_LOG_FORMAT",
}

/// What the agent sets for the commands that it runs, one of which may be the agent.
const TOLD: &str = "AKV_AGENT_CHANGED";

/// Reads all variables with the prefix; those that nobody knows are problems.
pub(super) fn read(lookup: &dyn Lookup, problems: &Problems) -> Variables {
    let mut own = BTreeMap::new();
    let mut strangers = BTreeSet::new();
    for (name, value) in lookup.all() {
        if !name.as_encoded_bytes().starts_with(OWN_PREFIX.as_bytes()) {
            continue;
        }
        let name = name.to_string_lossy().into_owned();
        if !NAMES.contains(&name.as_str()) {
            if name != TOLD && !is_service_link(&name, value.as_encoded_bytes()) {
                strangers.insert(name);
            }
            continue;
        }
        match value.into_string() {
            Err(_) => problems.variable(&name, "not UTF-8 text; write plain text"),
            // As with getenv, the first of two wins.
            Ok(value) if !value.trim().is_empty() => {
                own.entry(name).or_insert_with(|| value.trim().to_owned());
            }
            Ok(_) => {}
        }
    }
    for name in strangers {
        let shown = quoted_key(&name, 64);
        match suggestion(&name, NAMES) {
            Some(meant) => problems.variable(&shown, format_args!("unknown variable; did you mean {meant}?")),
            None => problems.variable(&shown, "unknown variable; remove it or check its name"),
        }
    }
    envy::prefixed(OWN_PREFIX).from_iter(own).unwrap_or_else(|_| {
        // Its own text may quote a value.
        problems.variable("AKV_AGENT_*", "the variables cannot be read");
        Variables::default()
    })
}

/// Whether Kubernetes itself set this variable, for a Service called `akv-agent` or `akv-agent-...` in the
/// pod's namespace.
fn is_service_link(name: &str, value: &[u8]) -> bool {
    const PROTOCOLS: [&str; 3] = ["TCP", "UDP", "SCTP"];
    let parts: Vec<&str> = name.split('_').skip(2).collect();
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty();
    let is_address = [&b"tcp://"[..], b"udp://", b"sctp://"].iter().any(|scheme| value.starts_with(scheme));
    (0..parts.len()).any(|start| match &parts[start..] {
        ["SERVICE", "HOST"] | ["SERVICE", "PORT", ..] => true,
        ["PORT"] => is_address,
        ["PORT", port, protocol, rest @ ..] => {
            is_number(port)
                && PROTOCOLS.contains(protocol)
                && matches!(rest, [] | ["PROTO" | "PORT" | "ADDR"])
        }
        _ => false,
    })
}
