//! One pass: sources → snapshot → plan → outputs. What it leads to is left to the loop.

use super::{Parts, Subject};
use crate::{
    backoff,
    config::EnvName,
    failure::{Class, Failure, chain},
    output::{self, Found, OutputError},
    plan,
    snapshot::{Missing, Outlook, Provenance, Snapshot},
    source::watch,
    status::MountStatus,
};
use std::{
    collections::BTreeSet,
    time::{Duration, Instant, SystemTime},
};

/// Between passes that failed; sources that notice changes wake the loop sooner.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LONGEST_RETRY: Duration = Duration::from_secs(5);

/// What a pass did not achieve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missed {
    /// The set is out; the flag says whether it differs from the one before.
    Nothing(bool),
    /// There is no complete set, or an output could not be written; the last good one stays.
    Set,
}

/// What the passes so far have achieved.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// The set that is out.
    pub(super) applied: Option<Snapshot>,
    /// Whether the last pass was the first to put a set out.
    pub(super) first: bool,
    /// What the last pass asks for.
    pub(super) reactions: Vec<crate::config::Reaction>,
    /// When to try again although nothing was noticed.
    pub(super) retry: Option<Instant>,
    attempt: u32,
    class: Option<Class>,
    problems: Vec<String>,
    /// The problems that were logged last.
    complaint: Vec<String>,
}

impl Progress {
    /// Makes one pass. An error ends the agent; that can only be before the first set is out.
    pub(super) fn pass(&mut self, parts: &mut Parts<'_>, now: Instant) -> Result<Missed, Failure> {
        self.first = false;
        self.reactions.clear();
        let observed = parts.sources.observe();
        let resolved = Snapshot::resolve(&parts.config.env, &observed);
        let missed = match resolved {
            Err(missing) => {
                self.missing(&missing)?;
                Missed::Set
            }
            Ok(snapshot) => self.apply(snapshot, parts)?,
        };
        match missed {
            Missed::Nothing(_) => (self.retry, self.attempt) = (None, 0),
            Missed::Set => {
                self.retry = Some(now + backoff::exponential(self.attempt, FIRST_RETRY, LONGEST_RETRY));
                self.attempt += 1;
            }
        }
        self.record(parts, missed);
        Ok(missed)
    }

    /// Says why there is still no first set.
    pub(super) fn gave_up(&self, timeout: Duration) -> Failure {
        let class = self.class.unwrap_or(Class::Unavailable);
        let reasons = self.problems.join("; ");
        Failure::new(class, format!("not complete after {}: {reasons}", seconds(timeout)))
    }

    fn missing(&mut self, missing: &[Missing]) -> Result<(), Failure> {
        let problems: Vec<_> = missing.iter().map(ToString::to_string).collect();
        self.class = missing.iter().map(|missing| missing.reason.class).max();
        if missing.iter().all(|missing| missing.reason.outlook == Outlook::Pending) {
            self.problems = problems;
            return Ok(());
        }
        self.complain(problems);
        // Waiting for a wrong configuration to become right helps nobody.
        let hopeless = missing.iter().find(|missing| missing.reason.outlook == Outlook::Hopeless);
        match hopeless {
            Some(missing) if self.applied.is_none() => {
                Err(Failure::new(missing.reason.class, self.problems.join("; ")))
            }
            _ => Ok(()),
        }
    }

    fn apply(&mut self, snapshot: Snapshot, parts: &mut Parts<'_>) -> Result<Missed, Failure> {
        let changed: Vec<EnvName> = match &self.applied {
            Some(old) => plan::diff(old, &snapshot).into_iter().map(|(variable, _)| variable).collect(),
            None => Vec::new(),
        };
        let mut written = Ok(false);
        if self.applied.is_none() || !changed.is_empty() {
            written = write_outputs(parts, &snapshot, self.applied.is_none());
        }
        match written {
            Err(error) if self.applied.is_none() => {
                return Err(Failure::new(Class::CannotCreate, chain(&error)));
            }
            Err(error) => {
                self.complain(vec![chain(&error)]);
                return Ok(Missed::Set);
            }
            // What the app may have started with is not what is right now: a rotation that nobody saw. (A child
            // of ours has not started yet.)
            Ok(true) if self.applied.is_none() && matches!(parts.subject, Subject::Target(_)) => {
                let all: Vec<_> = snapshot.entries.iter().map(|entry| entry.variable.clone()).collect();
                self.plan(parts, &all);
            }
            Ok(_) => self.plan(parts, &changed),
        }

        let vault = parts.sources.observed().vault.and_then(|vault| vault.problem.as_ref());
        let mut problems: BTreeSet<_> =
            vault.map(|problem| problem.message.to_string()).into_iter().collect();
        for entry in &snapshot.entries {
            if let Provenance::Vault { problem: Some(problem), .. } = &entry.provenance {
                problems.insert(problem.clone());
            }
        }
        self.complain(problems.into_iter().collect());
        if let Subject::Child(supervisor) = &mut parts.subject {
            supervisor.adopt(&snapshot);
        }
        let is_new = self.applied.is_none() || !changed.is_empty();
        if is_new {
            let names: Vec<_> = changed.iter().map(EnvName::as_str).collect();
            tracing::info!(variables = snapshot.entries.len(), changed = ?names, "snapshot applied");
        }
        let name_changed = |name: &str| changed.iter().any(|changed| changed.as_str() == name);
        parts.board.lock().adopt(&snapshot, SystemTime::now(), name_changed);
        self.first = self.applied.is_none();
        self.applied = Some(snapshot);
        Ok(Missed::Nothing(!changed.is_empty()))
    }

    fn plan(&mut self, parts: &Parts<'_>, changed: &[EnvName]) {
        self.reactions = plan::reactions(changed, &parts.config.on_change, &parts.default_reaction);
    }

    /// Notes what is wrong, and logs it if it is not what was logged last.
    fn complain(&mut self, problems: Vec<String>) {
        if self.complaint != problems {
            for problem in &problems {
                tracing::warn!("{problem}");
            }
            if problems.is_empty() {
                tracing::info!("no problem is left");
            }
            self.complaint.clone_from(&problems);
        }
        self.problems = problems;
    }

    fn record(&self, parts: &Parts<'_>, missed: Missed) {
        let observed = parts.sources.observed();
        let mut status = parts.board.lock();
        status.passes += 1;
        status.changes += u64::from(missed == Missed::Nothing(true));
        status.ready = self.applied.is_some();
        status.mount = observed.mount.map(|mount| MountStatus {
            generation: mount.as_ref().ok().and_then(|set| set.generation.clone()),
            watch: match parts.sources.watch_mode() {
                Some(watch::Mode::Poll(_)) => "poll",
                _ => "inotify",
            },
        });
    }

    /// What is wrong with the sources or the outputs.
    pub(super) fn problems(&self) -> &[String] {
        &self.problems
    }
}

/// Writes every output; says whether one of them held another content before, which somebody may have read.
///
/// All are rendered before the first is written, so that a value that one format cannot express leaves all
/// of them as they are.
fn write_outputs(parts: &Parts<'_>, snapshot: &Snapshot, compare: bool) -> Result<bool, OutputError> {
    let rendered: Result<Vec<_>, _> =
        parts.config.outputs.iter().map(|output| output::render(output, snapshot)).collect();
    let mut was_stale = false;
    for rendered in rendered? {
        let found = if compare { rendered.compare() } else { Found::Stale };
        if found != Found::Current {
            rendered.write()?;
        }
        was_stale |= compare && found == Found::Stale;
    }
    Ok(was_stale)
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
