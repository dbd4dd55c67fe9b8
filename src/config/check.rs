//! What a configuration must have for one of the uses, beyond being valid.

use super::{Config, Proof, Reaction};
use crate::failure::{Class, Failure};
use std::fmt;

/// The three uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Resolve once, write, end.
    Init,
    /// Resolve, write, watch, react, beside the app.
    Sidecar,
    /// The same, with the app as a child.
    Exec,
}

impl Use {
    /// The command that it is started by.
    pub fn name(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Sidecar => "sidecar",
            Self::Exec => "exec",
        }
    }
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Config {
    /// Says everything that keeps this configuration from being useful in `use_`.
    ///
    /// One file may serve several uses, so what a use merely ignores is no problem: `init` reacts to
    /// nothing, and `exec` has its child for a target. In `exec` nothing is missed either: the references
    /// may stand in the environment ([`super::inline`]), and without any it is a plain parent process, so
    /// that an image starts in an environment without a vault as well.
    pub fn check_for(&self, use_: Use) -> Result<(), Failure> {
        let mut problems = Vec::new();
        if use_ != Use::Exec && self.env.is_empty() && self.env_from.is_empty() {
            problems.push("env: no variable to resolve; set `env`, `envFrom` or AKV_AGENT_ENV");
        }
        let reacts = |wanted: fn(&Reaction) -> bool| self.on_change.iter().any(|rule| wanted(&rule.reaction));
        let signals = reacts(|reaction| matches!(reaction, Reaction::Signal { .. }));
        let restarts = reacts(|reaction| matches!(reaction, Reaction::Restart(_)));
        let reacts_at_all = reacts(|reaction| *reaction != Reaction::None);
        match use_ {
            Use::Init if self.outputs.is_empty() => {
                problems.push("outputs: init has nowhere to write; set `outputs` or AKV_AGENT_ENV_FILE");
            }
            // An app that reads the mount itself may need nothing but to be told.
            Use::Sidecar if self.outputs.is_empty() && !reacts_at_all => problems.push(
                "outputs: sidecar has nothing to do; set `outputs` or AKV_AGENT_ENV_FILE, or let `onChange` \
                 tell the app",
            ),
            Use::Exec if reacts(waits_for_start) => problems.push(
                "onChange: verify.startTime is for a process that the agent did not start; use http, tcp or \
                 command",
            ),
            _ => {}
        }
        if use_ == Use::Sidecar {
            if restarts {
                problems.push(
                    "onChange: a sidecar cannot restart the app, whose process is not its child; use signal, \
                     http, command or exit, or run the app by `akv-agent exec`",
                );
            }
            if signals && self.target.is_none() {
                problems.push("target: nobody to signal; set `target` or AKV_AGENT_TARGET");
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Failure::new(Class::Config, problems.join("\n"))) }
    }
}

fn waits_for_start(reaction: &Reaction) -> bool {
    reaction.verify().is_some_and(|verify| verify.by == Proof::StartTime)
}
