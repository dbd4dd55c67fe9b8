//! The agent under test: its commands and settings.

use crate::{scene::Place, vault::Vault};
use std::{
    io,
    net::TcpListener,
    path::{Path, PathBuf},
    process::Command,
};

/// One variable for each key of the volume.
const VARIABLES: &str = "GENERATION=generation,DB_PASSWORD=db-password,API_KEY=api-key";

/// The name of the variable from which a receiver can tell its generation.
pub(crate) const GENERATION: &str = "GENERATION";

/// One build of the agent.
#[derive(Debug)]
pub(crate) struct Build {
    /// What it is called in tables.
    pub(crate) name: &'static str,
    program: PathBuf,
}

impl Build {
    /// The build in this file.
    pub(crate) fn new(name: &'static str, program: PathBuf) -> Self {
        Self { name, program }
    }

    /// The agent without arguments.
    pub(crate) fn command(&self) -> Command {
        Command::new(&self.program)
    }

    /// A sidecar that signals the place's receiver.
    pub(crate) fn sidecar(&self, place: &Place) -> Command {
        let mut command = self.command();
        command
            .arg("sidecar")
            .env("AKV_AGENT_MOUNT", &place.volume)
            .env("AKV_AGENT_ENV", VARIABLES)
            .env("AKV_AGENT_ON_CHANGE", "signal:HUP")
            .env("AKV_AGENT_TARGET", format!("pidfile:{}", place.pid_file.display()))
            .env("AKV_AGENT_LISTEN", "off");
        command
    }

    /// A sidecar that also writes the place's env file.
    pub(crate) fn sidecar_with_env_file(&self, place: &Place) -> Command {
        let mut command = self.sidecar(place);
        command.env("AKV_AGENT_ENV_FILE", &place.env_file);
        command
    }

    /// The wrapper, with every variable of the volume, that restarts `program`.
    pub(crate) fn exec(&self, volume: &Path, program: &Command) -> Command {
        let mut command = self.command();
        command.args(["exec", "--"]).arg(program.get_program()).args(program.get_args());
        command.env("AKV_AGENT_MOUNT", volume).env("AKV_AGENT_ENV", VARIABLES).env("AKV_AGENT_LISTEN", "off");
        command
    }
}

/// Adds everything to `command` that a vault needs, and asks for all its secrets.
pub(crate) fn with_vault(command: &mut Command, vault: &Vault) {
    let variables: Vec<String> = Vault::names().map(|name| format!("{}={name}", variable(&name))).collect();
    command
        .envs(vault.environment())
        .env("AKV_AGENT_VAULT", vault.url())
        .env("AKV_AGENT_VAULT_SUFFIXES", "localhost")
        .env("AKV_AGENT_CA_FILE", vault.ca_file())
        .env("AKV_AGENT_IDENTITY", "workload")
        .env("AKV_AGENT_ENV", variables.join(","));
}

/// An address on loopback that nobody else has at the moment, for the agent's listener.
pub(crate) fn free_address() -> io::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

fn variable(secret: &str) -> String {
    secret.to_ascii_uppercase().replace('-', "_")
}
