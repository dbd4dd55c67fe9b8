//! Carries out what is owed: one reaction after another, none of which holds up the loop.

use super::{End, Reconciler, Subject, owed::Debt, verify::Verification};
use crate::{
    config::{Reaction, Target},
    failure::chain,
    job::{self, JobError, JobId, Task},
    reaction::{self, newer::is_newer},
    supervise::state::Event,
};
use std::{fmt, time::Instant};

/// The reaction that is being carried out.
#[derive(Debug)]
pub(super) struct Acting {
    debt: Debt,
    step: Step,
}

#[derive(Debug)]
enum Step {
    /// It was begun, and is not done yet.
    Asked(JobId),
    /// It is done; whether the app took it is not known yet.
    Told(Verification),
}

impl Acting {
    /// When there is something to do about it.
    pub(super) fn due(&self) -> Option<Instant> {
        match &self.step {
            Step::Asked(_) => None,
            Step::Told(verification) => verification.due(),
        }
    }

    /// What is owed until it is done.
    pub(super) fn debt(&self) -> &Debt {
        &self.debt
    }
}

/// What has come of a reaction.
enum Outcome {
    /// The app has the newest values without it.
    Needless,
    /// It is done.
    Done,
    /// It takes its time.
    Begun(JobId),
    /// It may not be done before.
    NotBefore(Instant, String),
}

impl Reconciler<'_> {
    /// Does what is due about reactions.
    pub(super) fn react(&mut self, now: Instant) {
        self.verify(now);
        while self.acting.is_none()
            && self.end.is_none()
            && let Some(debt) = self.owed.next(now)
        {
            match self.begin(&debt, now) {
                Ok(Outcome::Needless) => self.is_unrecorded = true,
                Ok(Outcome::Done) => self.told(debt, now),
                Ok(Outcome::Begun(job)) => self.acting = Some(Acting { debt, step: Step::Asked(job) }),
                Ok(Outcome::NotBefore(at, why)) => {
                    tracing::warn!("{why}");
                    self.owed.put_off(debt, at, why);
                }
                Err(problem) => self.failed(debt, problem, now),
            }
            self.is_unshown = true;
        }
    }

    /// The agent is about to end: does what needs no time. What does is left to the next agent.
    pub(super) fn last_chance(&mut self, now: Instant) {
        for debt in self.owed.last_chance() {
            match self.begin(&debt, now) {
                Ok(Outcome::Needless) => self.is_unrecorded = true,
                Ok(_) => self.done(&debt),
                Err(problem) => self.failed(debt, problem, now),
            }
        }
    }

    fn begin(&mut self, debt: &Debt, now: Instant) -> Result<Outcome, String> {
        let parts = &mut self.parts;
        match (&debt.reaction, &mut parts.subject) {
            (Reaction::Restart(stop), Subject::Child(supervisor)) => {
                if supervisor.has_values(&debt.variables) {
                    tracing::info!(
                        "the change was taken back before the child got it, so it is not restarted"
                    );
                    return Ok(Outcome::Needless);
                }
                let next = supervisor.next_restart(now);
                if next > now {
                    let wait = (next - now).as_secs_f64();
                    let why = format!("a restart is put off for {wait:.0} s: there were many of late");
                    return Ok(Outcome::NotBefore(next, why));
                }
                self.supervise(Event::Restart(*stop), now);
            }
            (Reaction::Signal { signal, .. }, Subject::Child(supervisor)) => {
                supervisor.notify(*signal).map_err(|error| chain(&error))?;
            }
            (Reaction::Signal { signal, .. }, Subject::Target(Some(target))) => {
                if self.progress.written.is_some_and(|written| is_newer(target, written)) {
                    tracing::info!(
                        signal,
                        "the app was started after the outputs were written, and needs no signal"
                    );
                    return Ok(Outcome::Needless);
                }
                let told = reaction::signal::send(target, *signal).map_err(|error| chain(&error))?;
                tracing::info!(signal, pids = ?told.pids, "the app was signalled");
                if let Some(refused) = told.refused {
                    tracing::warn!("not all of them: {}", chain(&refused));
                }
            }
            (Reaction::Http { request, .. }, _) => {
                let task = Task::Http(request.clone());
                return Ok(Outcome::Begun(parts.jobs.start(task, now, &mut parts.background)));
            }
            (Reaction::Command(command), _) => {
                let environment = job::environment(&parts.inherited, &debt.variables);
                let task = Task::Command { command: command.clone(), environment };
                return Ok(Outcome::Begun(parts.jobs.start(task, now, &mut parts.background)));
            }
            (Reaction::Exit(code), Subject::Child(_)) => {
                tracing::info!(code, "the agent ends, and the app before it, because of a change");
                self.supervise(Event::Finish(crate::failure::ExitCode(*code)), now);
            }
            (Reaction::Exit(code), _) => {
                tracing::info!(code, "the agent ends because of a change");
                self.end = Some(End::Code(crate::failure::ExitCode(*code)));
            }
            // The configuration was checked for the use, so these pairs do not come up.
            (Reaction::None, _)
            | (Reaction::Restart(_), Subject::Nobody | Subject::Target(_))
            | (Reaction::Signal { .. }, Subject::Nobody | Subject::Target(None)) => (),
        }
        Ok(Outcome::Done)
    }

    /// Takes in the result of a job, if it is that of the present reaction.
    pub(super) fn job_finished(&mut self, job: JobId, result: &Result<(), JobError>, now: Instant) {
        let Some(Acting { debt, step }) = self.acting.take() else { return };
        match step {
            Step::Asked(asked) if asked == job => match result {
                Ok(()) => {
                    tracing::info!(reaction = %debt.reaction, "the app was told of a change");
                    self.told(debt, now);
                }
                Err(error) => self.failed(debt, chain(error), now),
            },
            Step::Told(mut verification) => match verification.finished(job, result) {
                Some(outcome) => self.verified(debt, outcome, now),
                None => self.acting = Some(Acting { debt, step: Step::Told(verification) }),
            },
            step @ Step::Asked(_) => self.acting = Some(Acting { debt, step }),
        }
        self.is_unshown = true;
    }

    /// The app has been told. Whether it took it may be still to be seen.
    fn told(&mut self, debt: Debt, now: Instant) {
        if let (Subject::Child(supervisor), false) = (&mut self.parts.subject, debt.replaces_child()) {
            supervisor.told(now);
        }
        match debt.reaction.verify() {
            None => self.done(&debt),
            Some(verify) => {
                let verification = Verification::begin(verify, now);
                self.acting = Some(Acting { debt, step: Step::Told(verification) });
                self.verify(now);
            }
        }
    }

    fn verify(&mut self, now: Instant) {
        let Some(Acting { step: Step::Told(verification), .. }) = &mut self.acting else { return };
        let parts = &mut self.parts;
        let target = parts.subject.target();
        let inherited = &parts.inherited;
        let environment = || job::environment(inherited, []);
        let asks = (&mut parts.jobs, &mut parts.background);
        if let Some(outcome) = verification.tick(target, environment, asks, now)
            && let Some(Acting { debt, .. }) = self.acting.take()
        {
            self.verified(debt, outcome, now);
        }
    }

    fn verified(&mut self, debt: Debt, outcome: Result<(), String>, now: Instant) {
        self.parts.board.lock().verified(outcome.as_ref().err());
        match outcome {
            Ok(()) => {
                tracing::info!(reaction = %debt.reaction, "the app took the change");
                self.done(&debt);
            }
            Err(problem) => self.failed(debt, problem, now),
        }
        self.is_unshown = true;
    }

    /// A reaction has done what it was for.
    fn done(&mut self, debt: &Debt) {
        self.parts.board.lock().reacted(debt.reaction.kind(), true);
        self.is_unrecorded = true;
    }

    /// What fails stays owed; the outputs are not touched for it.
    fn failed(&mut self, debt: Debt, problem: impl fmt::Display, now: Instant) {
        let problem = format!("the app was not told of a change: {problem}");
        tracing::warn!("{problem}");
        self.parts.board.lock().reacted(debt.reaction.kind(), false);
        self.owed.failed(debt, problem, now);
    }
}

impl Subject {
    /// Whom a sidecar signals.
    pub(super) fn target(&self) -> Option<&Target> {
        match self {
            Self::Target(target) => target.as_ref(),
            Self::Nobody | Self::Child(_) => None,
        }
    }
}

impl Reaction {
    /// What it is called in metrics.
    fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Signal { .. } => "signal",
            Self::Restart(_) => "restart",
            Self::Http { .. } => "http",
            Self::Command(_) => "command",
            Self::Exit(_) => "exit",
        }
    }
}
