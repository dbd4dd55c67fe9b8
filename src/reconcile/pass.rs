//! One pass: sources → snapshot → plan → outputs. What it leads to is left to the loop.

mod show;

use super::{Parts, Subject, mount::Mount, outputs, owed, rejected::Rejected};
use crate::{
    backoff,
    config::{Config, EnvName},
    failure::{Class, Failure, chain},
    fingerprint::Key,
    log::timestamp,
    plan::{self, Planned},
    program::environment,
    reaction::process::BootTime,
    snapshot::{Missing, Observed, Outlook, Provenance, Snapshot},
    source::watch,
};
use show::Unshown;
use std::{
    collections::BTreeSet,
    mem,
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
#[derive(Debug)]
pub(super) struct Progress {
    /// The set that is out.
    pub(super) applied: Option<Snapshot>,
    /// Whether the last pass was the first to put a set out.
    pub(super) first: bool,
    /// The variables to which the last pass gave another value.
    pub(super) changed: Vec<EnvName>,
    /// What the last pass asks for.
    pub(super) reactions: Vec<Planned>,
    /// When to try again although nothing was noticed.
    pub(super) retry: Option<Instant>,
    /// How the mount stands to the vault.
    pub(super) mount: Mount,
    /// What is not to be tried again, unless another set has come since.
    rejected: Option<Rejected>,
    /// The variables of which others than the child are to be told that their old values are back, as soon as
    /// the outputs have them.
    undone: Vec<EnvName>,
    /// When the outputs were written last, if that says what an app has read that was started later.
    pub(super) written: Option<BootTime>,
    key: Key,
    /// Whether an output may hold another set than the one that is applied.
    outputs_differ: bool,
    attempt: u32,
    class: Option<Class>,
    problems: Vec<String>,
    /// How changes of the mount were noticed at the last pass.
    watch: Option<watch::Mode>,
    /// The problems that were logged last.
    complaint: Vec<String>,
    /// What the status does not show yet.
    unshown: Unshown,
}

impl Progress {
    pub(super) fn new(config: &Config, key: &Key) -> Self {
        Self {
            applied: None,
            first: false,
            changed: Vec::new(),
            reactions: Vec::new(),
            retry: None,
            mount: Mount::new(config),
            rejected: None,
            undone: Vec::new(),
            written: None,
            key: key.clone(),
            outputs_differ: false,
            attempt: 0,
            class: None,
            problems: Vec::new(),
            watch: None,
            complaint: Vec::new(),
            unshown: Unshown::default(),
        }
    }

    /// Makes one pass. An error ends the agent; that can only be before the first set is out.
    pub(super) fn pass(&mut self, parts: &mut Parts<'_>, now: Instant) -> Result<Missed, Failure> {
        self.first = false;
        self.changed.clear();
        self.reactions.clear();
        let observed = parts.sources.observe();
        self.mount.look(parts.config, &observed, now);
        let observed = Observed { stale: self.mount.tracker.as_ref(), ..observed };
        let resolved = Snapshot::resolve(parts.config, &observed).complete();
        let missed = match resolved {
            Err(missing) => {
                self.missing(&missing)?;
                Missed::Set
            }
            Ok(snapshot) => self.admit(snapshot, parts)?,
        };
        self.schedule(missed, now);
        self.unshown.passed(missed);
        Ok(missed)
    }

    fn schedule(&mut self, missed: Missed, now: Instant) {
        match missed {
            Missed::Nothing(_) => (self.retry, self.attempt) = (None, 0),
            Missed::Set => {
                self.retry = Some(now + backoff::exponential(self.attempt, FIRST_RETRY, LONGEST_RETRY));
                self.attempt += 1;
            }
        }
    }

    /// Says why there is still no first set.
    pub(super) fn gave_up(&self, timeout: Duration) -> Failure {
        let class = self.class.unwrap_or(Class::Unavailable);
        let reasons = self.problems.join("; ");
        Failure::new(class, format!("not complete after {}: {reasons}", seconds(timeout)))
    }

    fn missing(&mut self, missing: &[Missing]) -> Result<(), Failure> {
        let is_pending = |missing: &&Missing| missing.reason.outlook == Outlook::Pending;
        self.class = missing.iter().map(|missing| missing.reason.class).max();
        self.complain(
            missing.iter().filter(|missing| !is_pending(missing)).map(ToString::to_string).collect(),
        );
        let waiting = missing.iter().filter(is_pending).map(ToString::to_string);
        self.problems.extend(waiting);
        // Waiting for a wrong configuration to become right helps nobody.
        let hopeless = missing.iter().find(|missing| missing.reason.outlook == Outlook::Hopeless);
        match hopeless {
            Some(missing) if self.applied.is_none() => {
                Err(Failure::new(missing.reason.class, self.complaint.join("; ")))
            }
            _ => Ok(()),
        }
    }

    /// A set that was rejected is not tried again: the last good one goes on being the set, until there is
    /// another one.
    fn admit(&mut self, snapshot: Snapshot, parts: &mut Parts<'_>) -> Result<Missed, Failure> {
        if let (Some(rejected), Some(applied)) = (&self.rejected, &self.applied)
            && rejected.covers(self.key.set(&snapshot))
        {
            let (applied, problem) = (applied.clone(), rejected.problem().to_owned());
            return self.apply(applied, Some(problem), parts);
        }
        // Should what was rejected come again, it is somebody's decision.
        self.rejected = None;
        self.apply(snapshot, None, parts)
    }

    /// The set that is out did not prove itself: the last good one is put out again, and whoever was told of the
    /// bad one is told of that.
    pub(super) fn roll_back(
        &mut self,
        parts: &mut Parts<'_>,
        why: &str,
        now: Instant,
    ) -> Result<(), Failure> {
        let Subject::Child(supervisor) = &mut parts.subject else { return Ok(()) };
        let sets = supervisor.sets();
        let (Some(good), Some(bad)) = (sets.good(), sets.newest().cloned()) else { return Ok(()) };
        let (good_set, good) = (good.fingerprint, good.snapshot.clone());
        let changed: Vec<_> =
            plan::diff(&good, &bad.snapshot).into_iter().map(|(variable, _)| variable).collect();
        if changed.is_empty() {
            // What was on trial had been taken back by the source itself: nothing to reject, nothing to put out.
            tracing::warn!("{why}, which was good before; it is started with it once more");
            return Ok(());
        }
        self.rejected = match self.rejected.take() {
            None => Some(Rejected::new(bad, why.to_owned(), &good)),
            Some(rejected) => {
                tracing::warn!(
                    "{why}; no child was started with that set before, and the last one that one was started with \
                     comes back"
                );
                // The sources may have that one: a child died when it was told of it, and had been started with it.
                (!rejected.covers(good_set)).then(|| rejected.and(bad.fingerprint, &good))
            }
        };
        let problem = self.rejected.as_ref().map(|rejected| rejected.problem().to_owned());
        supervisor.adopt(&good, good_set);
        self.applied = Some(good.clone());
        self.outputs_differ = true;
        self.undone = changed;
        // A pass that is tried again anyway, because a source failed, stays so.
        if self.apply(good, problem, parts)? == Missed::Set {
            self.schedule(Missed::Set, now);
        }
        parts.board.lock().rollbacks += 1;
        Ok(())
    }

    /// Puts a set out. `rejected` says why it is not the newest one.
    fn apply(
        &mut self,
        snapshot: Snapshot,
        rejected: Option<String>,
        parts: &mut Parts<'_>,
    ) -> Result<Missed, Failure> {
        if let Subject::Child(_) = parts.subject
            && let Err(error) = environment::check(&snapshot)
        {
            return self.keep(Class::Config, error);
        }
        let first = self.applied.is_none();
        let changed: Vec<EnvName> = match &self.applied {
            Some(old) => plan::diff(old, &snapshot).into_iter().map(|(variable, _)| variable).collect(),
            None => Vec::new(),
        };
        let mut missed = BTreeSet::new();
        if first || self.outputs_differ || !changed.is_empty() {
            self.outputs_differ = true;
            match outputs::write(parts, &snapshot, first) {
                Ok(written) => {
                    (missed, self.outputs_differ) = (written.missed, false);
                    self.written = written.at;
                }
                Err(error) => return self.keep(Class::CannotCreate, chain(&error)),
            }
        }
        let is_held_back = rejected.is_some();
        self.complain(rejected.into_iter().chain(lasting_problems(parts, &snapshot)).collect());
        if let Subject::Child(supervisor) = &mut parts.subject {
            supervisor.adopt(&snapshot, self.key.set(&snapshot));
        }

        let variables = snapshot.entries.len();
        if !missed.is_empty() {
            tracing::info!(
                variables,
                missed = names(&missed),
                "snapshot applied; the app has missed changes"
            );
        } else if first {
            tracing::info!(variables, "snapshot applied");
        } else if !changed.is_empty() {
            tracing::info!(changed = names(&changed), "snapshot applied");
        }
        self.plan(parts, changed.iter().chain(&missed));

        self.unshown.put_out(&changed, is_held_back);
        self.first = first;
        self.applied = Some(snapshot);
        self.changed = changed;
        Ok(Missed::Nothing(!self.changed.is_empty()))
    }

    /// What was observed cannot be passed on: the last good set stays. Before there is one, that is the end.
    fn keep(&mut self, class: Class, problem: String) -> Result<Missed, Failure> {
        if self.applied.is_none() {
            return Err(Failure::new(class, problem));
        }
        self.complain(vec![problem]);
        Ok(Missed::Set)
    }

    fn plan<'n>(&mut self, parts: &Parts<'_>, changed: impl IntoIterator<Item = &'n EnvName>) {
        let (rules, default) = (&parts.config.on_change, &parts.default_reaction);
        self.reactions = plan::reactions(changed, rules, default);
        // The child is started with the old values anyway.
        let undone = plan::reactions(&mem::take(&mut self.undone), rules, default);
        self.reactions.extend(undone.into_iter().filter(|planned| owed::is_for_others(&planned.reaction)));
    }

    /// Notes what is wrong, and logs it if it is not what was logged last.
    fn complain(&mut self, problems: Vec<String>) {
        if self.complaint != problems {
            for problem in &problems {
                tracing::warn!("{problem}");
            }
            if problems.is_empty() && self.mount.problems.is_empty() {
                tracing::info!("no problem is left");
            }
            self.complaint.clone_from(&problems);
        }
        self.problems = problems;
    }

    /// What is wrong with the sources or the outputs.
    pub(super) fn problems(&self) -> impl Iterator<Item = &String> {
        self.problems.iter().chain(&self.mount.problems)
    }
}

/// What is wrong although there is a set: with a source that was not needed for it or gave only its last good
/// value, or with a value that is good no longer.
fn lasting_problems(parts: &Parts<'_>, snapshot: &Snapshot) -> Vec<String> {
    let observed = parts.sources.observed();
    let mut problems = BTreeSet::new();
    if let Some(Err(error)) = observed.mount {
        problems.insert(chain(error));
    }
    if let Some(vault) = observed.vault {
        let lists = vault.lists.values().filter_map(|list| list.problem.as_ref());
        problems.extend(vault.problem.iter().chain(lists).map(|problem| problem.message.to_string()));
    }
    let now = SystemTime::now();
    for entry in &snapshot.entries {
        let Provenance::Vault { id, expires, not_before, problem, .. } = &entry.provenance else { continue };
        problems.extend(problem.clone());
        if let Some(expires) = expires.filter(|expires| *expires <= now) {
            problems.insert(format!("{id}: expired at {}; set a new version", timestamp(expires)));
        }
        if let Some(start) = not_before.filter(|start| *start > now) {
            problems.insert(format!("{id}: not yet valid, before {}", timestamp(start)));
        }
    }
    problems.into_iter().collect()
}

pub(super) fn names<'n>(variables: impl IntoIterator<Item = &'n EnvName>) -> String {
    variables.into_iter().map(EnvName::as_str).collect::<Vec<_>>().join(" ")
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
