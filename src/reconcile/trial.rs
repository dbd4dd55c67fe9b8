//! The checks of a child that is on probation: made at intervals, and what the last one said counts when the
//! time is over.

use crate::{
    background::Background,
    config::Probation,
    job::{JobError, JobId, Jobs, Task},
    program::environment::Environment,
    supervise::Supervisor,
};
use std::time::Instant;

/// The checks of the probation that is under way, if one is.
#[derive(Debug, Default)]
pub(super) struct Trial {
    /// When it is over; tells one probation from the next.
    until: Option<Instant>,
    job: Option<JobId>,
    next: Option<Instant>,
    last: Option<Result<(), String>>,
}

impl Trial {
    /// When [`Trial::tick`] has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        // A check that is under way when the time is over is waited for: it has a limit of its own.
        let is_open = self.job.is_some() && self.last.is_none();
        [self.next.filter(|_| self.job.is_none()), self.until.filter(|_| !is_open)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Does what has become due.
    pub(super) fn tick(
        &mut self,
        supervisor: &mut Supervisor,
        probation: Option<&Probation>,
        environment: impl FnOnce() -> Environment,
        (jobs, background): (&mut Jobs, &mut Background),
        now: Instant,
    ) {
        let until = supervisor.trial();
        if self.until != until {
            self.job.take().into_iter().for_each(|job| jobs.cancel(job));
            let has_check = probation.is_some_and(|probation| probation.check.is_some());
            *self = Self { until, next: until.and(has_check.then_some(now)), ..Self::default() };
        }
        let (Some(until), Some(probation)) = (until, probation) else { return };
        if until <= now && (self.last.is_some() || self.job.is_none()) {
            let proof = self.last.take().unwrap_or(match &probation.check {
                None => Ok(()),
                Some(_) => Err("no check was made in time".to_owned()),
            });
            supervisor.prove(proof.map_err(|why| format!("the check did not pass: {why}")), now);
            return;
        }
        if let Some(check) = &probation.check
            && self.job.is_none()
            && self.next.is_some_and(|next| next <= now)
        {
            let task = Task::check(check, environment);
            self.job = Some(jobs.start(task, now, background));
            self.next = Some(now + probation.interval);
        }
    }

    /// Takes in a result; says whether it was one of these checks.
    pub(super) fn finished(&mut self, job: JobId, result: &Result<(), JobError>) -> bool {
        let is_ours = self.job == Some(job);
        if is_ours {
            self.job = None;
            self.last = Some(result.as_ref().copied().map_err(ToString::to_string));
        }
        is_ours
    }
}
