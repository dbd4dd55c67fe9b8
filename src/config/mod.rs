//! The configuration: read once, checked as a whole, then immutable.
//!
//! [`load`] reads the YAML file and the environment, reports **every** problem in one go, and returns a
//! [`Config`] in which nothing needs checking again. Nothing here touches a source, an output or the
//! network.

mod azure;
mod binding;
mod build;
mod check;
mod environment;
mod identity;
mod load;
mod lookup;
mod naming;
mod problem;
mod reaction;
mod request;
mod selection;
mod setting;
mod signal;
mod stale;
mod supervision;
pub(crate) mod value;
mod yaml;

#[cfg(test)]
mod tests;

pub use binding::inline;
pub use check::Use;
pub use identity::{Federation, Identity, ServicePrincipal, TokenProxy, UserAssigned, VaultOptions};
pub use load::{Args, DEFAULT_FILE, listen, load};
pub use lookup::{Lookup, ProcessEnvironment, process_variable};
pub use naming::parse as parse_naming;
pub use reaction::{Pattern, Proof, Reaction, Rule, Stop, Target, Verify};
pub use request::{Check, Command, Host, HttpRequest, Method};
pub use supervision::{Endpoint, Exec, Probation, Recipients, RestartBudget, RestartPolicy, Socket};

use crate::{
    output::format::Format,
    reference::{Reference, Scope, VaultUrl},
};
use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

/// What a configuration file can say, as a JSON Schema, for editors and pipelines. The parser is the judge: it
/// also knows what depends on other settings and on the environment.
pub const SCHEMA: &str = include_str!("schema.json");

/// A name that an environment variable can have here: `[A-Za-z_][A-Za-z0-9_]*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvName(pub(crate) std::sync::Arc<str>);

/// One variable of the app and what it refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The variable.
    pub variable: EnvName,
    /// Where its value comes from.
    pub reference: Reference,
    /// How many previous versions follow, as `VARIABLE_1`, `VARIABLE_2` and so on.
    pub history: u8,
}

/// One entry of `envFrom`: secrets of a vault that are found by listing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selection {
    /// Whose secrets.
    pub vault: VaultUrl,
    /// What their names start with, in either case.
    pub prefix: String,
    /// Tags that they all have.
    pub tags: BTreeMap<String, String>,
    /// How a secret's name becomes a variable's.
    pub naming: Naming,
}

/// How a secret's name becomes a variable's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Naming {
    /// Capital letters, `_` for `-`.
    UpperSnake,
    /// As it is, which only a name without a hyphen can be.
    AsIs,
    /// A text with places for the name.
    Template(Vec<Fragment>),
}

/// A piece of a naming template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fragment {
    /// Text as it is.
    Text(String),
    /// `{name}` or `{NAME}`, `{rest}` or `{REST}`.
    Name {
        /// Without the prefix of the selection.
        rest: bool,
        /// As [`Naming::UpperSnake`] has it.
        upper: bool,
    },
}

/// Everything that the agent was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The default vault.
    pub vault: Option<VaultUrl>,
    /// The mounted volume.
    pub mount: Option<PathBuf>,
    /// Who asks the vaults.
    pub identity: Identity,
    /// What differs for single vaults.
    pub vaults: BTreeMap<VaultUrl, VaultOptions>,
    /// Which Azure cloud.
    pub cloud: Cloud,
    /// Additional certificate authorities, PEM.
    pub ca_file: Option<PathBuf>,
    /// The variables, sorted by name; names are unique.
    pub env: Vec<Binding>,
    /// Variables of secrets that are found in vaults. Those of `env` win over them.
    pub env_from: Vec<Selection>,
    /// Files to write.
    pub outputs: Vec<EnvFile>,
    /// How often the vault is asked; `None` is "off": the mount is the only trigger.
    pub poll_interval: Option<Duration>,
    /// When a mount counts as stale; `None` is "off".
    pub stale_mount: Option<StaleMount>,
    /// When a change counts as complete.
    pub settle: Settle,
    /// What to do on a change, first match per variable. Empty: the default of the use.
    pub on_change: Vec<Rule>,
    /// Whom a sidecar signals.
    pub target: Option<Target>,
    /// How the child of `exec` is run.
    pub exec: Exec,
    /// Where the agent keeps what it must know after its own restart; `None`: beside the first output.
    pub state_dir: Option<PathBuf>,
    /// Upper bound of the random delay before a reaction.
    pub splay: Duration,
    /// How long the first complete snapshot may take.
    pub timeout: Duration,
    /// Where metrics, health and status are served.
    pub listen: Listen,
    /// How to log.
    pub log: Log,
}

impl Config {
    /// What references mean under this configuration.
    pub fn scope(&self) -> Scope<'_> {
        Scope { default_vault: self.vault.as_ref(), has_mount: self.mount.is_some(), cloud: &self.cloud }
    }

    /// When a mount counts as stale, if that is looked at: without a poll, nobody asks the vault for what the
    /// mount has.
    pub fn compared(&self) -> Option<StaleMount> {
        self.poll_interval.and(self.stale_mount)
    }

    /// Adds the bindings of [`inline`].
    pub fn add(&mut self, bindings: Vec<Binding>) {
        for binding in bindings {
            let place = self.env.partition_point(|other| other.variable <= binding.variable);
            self.env.insert(place, binding);
        }
    }
}

/// Which Azure cloud, as far as the agent must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cloud {
    /// Base URL of the Entra authority. `AZURE_AUTHORITY_HOST` has already been applied.
    pub authority: String,
    /// DNS suffix that a bare vault name gets, without a leading dot, such as `vault.azure.net`.
    pub vault_suffix: String,
    /// Every suffix that a vault host may end in (the cloud's, and those listed in the configuration).
    pub allowed_suffixes: Vec<String>,
}

/// One env file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvFile {
    /// Where.
    pub path: PathBuf,
    /// How its lines look.
    pub format: Format,
    /// Permission bits.
    pub mode: u32,
}

/// What follows where a mount stays behind the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StaleMount {
    /// How long it may.
    pub after: Duration,
    /// Whose value is used from then on.
    pub use_: Trusted,
}

/// One of two sources that have the same secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trusted {
    /// The mount.
    Mount,
    /// The vault.
    Vault,
}

/// When a change counts as complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settle {
    /// Nothing may have happened for this long.
    pub quiet: Duration,
    /// Act after this long even if it never gets quiet.
    pub max: Duration,
    /// How long after a change the next one is acted on at the earliest.
    pub interval: Duration,
}

/// Where the operator's view is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// Nowhere.
    Off,
    /// At this address. A default address that is taken is a warning, an explicit one an error.
    At {
        /// Address and port.
        address: SocketAddr,
        /// Whether somebody asked for it.
        explicit: bool,
    },
}

/// How to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// The most verbose level that is written.
    pub level: tracing::Level,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// `TIME LEVEL message key=value`.
    Text,
    /// One JSON object a line.
    Json,
}
