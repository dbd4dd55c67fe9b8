//! The status as metrics, in Prometheus' text format.

use super::{ChildStatus, Status, Tally, Variable, VaultStatus};
use std::{
    fmt::Write as _,
    time::{SystemTime, UNIX_EPOCH},
};

/// What a metric may do.
#[derive(Clone, Copy)]
enum Kind {
    Counter,
    Gauge,
}

/// Metrics, family by family.
struct Families(String);

impl Families {
    fn family(&mut self, name: &str, kind: Kind, help: &str, samples: &[(String, u64)]) {
        if samples.is_empty() {
            return;
        }
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let _ = writeln!(self.0, "# HELP akv_agent_{name} {help}\n# TYPE akv_agent_{name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(self.0, "akv_agent_{name}{labels} {value}");
        }
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Into<u64>) {
        self.family(name, Kind::Gauge, help, &[(String::new(), value.into())]);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.family(name, Kind::Counter, help, &[(String::new(), value)]);
    }

    fn vault(&mut self, vault: &VaultStatus) {
        self.counter("vault_requests_total", "Requests sent to vaults.", vault.requests);
        let answers = vault.answers.iter().map(|((host, status), count)| {
            let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
            (format!("{{host=\"{host}\",code=\"{status}\"}}"), *count)
        });
        let help = "Requests to vaults and token endpoints, by status; none without an answer.";
        self.family("http_requests_total", Kind::Counter, help, &answers.collect::<Vec<_>>());
        let help = "When every wanted secret last had an answer.";
        self.gauge("vault_last_success_timestamp_seconds", help, unix(vault.last_success));
    }

    fn child(&mut self, child: &ChildStatus, status: &Status) {
        self.counter("child_restarts_total", "How often the child was started anew.", child.restarts);
        let help = "Whether the child's set has still to prove itself.";
        self.gauge("child_on_probation", help, child.on_probation);
        self.counter("rollbacks_total", "How often the last good set was brought back.", status.rollbacks);
        self.gauge("set_rejected", "Whether the newest set is not used.", status.rejected.is_some());
    }

    fn variables(&mut self, status: &Status) {
        let mut by_variable = |name: &str, help: &str, value: fn(&Variable) -> Option<u64>| {
            let samples = status
                .variables
                .iter()
                .filter_map(|(name, variable)| Some((format!("{{variable=\"{name}\"}}"), value(variable)?)));
            self.family(name, Kind::Gauge, help, &samples.collect::<Vec<_>>());
        };
        let help = "Whether the mount has stayed behind the vault for too long.";
        by_variable("mount_stale", help, |variable| variable.stale.map(u64::from));
        let help = "When another value was last seen.";
        by_variable("variable_changed_timestamp_seconds", help, |variable| time(variable.changed));
        let help = "When the secret expires.";
        by_variable("variable_expires_timestamp_seconds", help, |variable| time(variable.expires));
        let help = "Since when the vault is known to have another value than the mount.";
        by_variable("mount_behind_since_timestamp_seconds", help, |variable| time(variable.behind_since));
    }
}

impl Status {
    /// Prometheus' text format.
    pub fn metrics(&self) -> String {
        let mut out = Families(String::with_capacity(2048));
        let build = format!("{{version=\"{}\",use=\"{}\"}}", self.version, self.r#use);
        out.family("build_info", Kind::Gauge, "The agent itself.", &[(build, 1)]);
        out.gauge("ready", "Whether the first complete set is out.", self.ready);
        out.gauge("problems", "Problems at present.", self.problems.len() as u64);
        out.gauge("skipped_secrets", "Secrets that envFrom left out.", self.skipped.len() as u64);
        out.counter("refreshes_total", "Refreshes that were asked for.", self.refreshes);
        out.counter("passes_total", "Passes of the loop.", self.passes);
        out.counter("changes_total", "Passes that found another set.", self.changes);
        let reactions = self.reactions_by_kind.iter().flat_map(|(kind, tally)| {
            results(*tally)
                .map(|(result, count)| (format!("{{reaction=\"{kind}\",result=\"{result}\"}}"), count))
        });
        let reactions: Vec<_> = reactions.collect();
        out.family("reactions_total", Kind::Counter, "Reactions, by kind and result.", &reactions);
        out.gauge("reactions_owed", "Reactions that are still to be carried out.", self.owed.len() as u64);
        let verifications =
            results(self.verifications).map(|(result, count)| (format!("{{result=\"{result}\"}}"), count));
        let help = "Looks whether the app took a change, by result.";
        out.family("verifications_total", Kind::Counter, help, &verifications);
        self.vault.iter().for_each(|vault| out.vault(vault));
        self.child.iter().for_each(|child| out.child(child, self));
        out.variables(self);
        out.0
    }
}

fn results(tally: Tally) -> [(&'static str, u64); 2] {
    [("success", tally.success), ("failure", tally.failure)]
}

fn time(at: Option<SystemTime>) -> Option<u64> {
    at.map(|at| unix(Some(at)))
}

fn unix(at: Option<SystemTime>) -> u64 {
    at.and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map_or(0, |since| since.as_secs())
}
