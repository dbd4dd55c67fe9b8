//! The checks of a child that is on probation: made at intervals, and what the last one said counts when the
//! time is over. One that cannot be made has said nothing.

use crate::{
    background::Background,
    config::Probation,
    failure::chain,
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
    /// What the last check that was made has said.
    last: Option<Result<(), String>>,
    /// Why the last one could not be made. It stays until the next probation: nobody has looked at the set that
    /// is out.
    problem: Option<String>,
}

impl Trial {
    /// When [`Trial::tick`] has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        // A check that is under way is waited for, also when the time is over: it has a limit of its own, and
        // what hangs is not well.
        [self.next, self.until].into_iter().flatten().min().filter(|_| self.job.is_none())
    }

    /// Why the set that the child has got last is not checked.
    pub(super) fn problem(&self) -> Option<&String> {
        self.problem.as_ref()
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
            let problem = self.problem.take().filter(|_| until.is_none());
            *self = Self { until, next: until.and(has_check.then_some(now)), problem, ..Self::default() };
        }
        let (Some(until), Some(probation), None) = (until, probation, self.job) else { return };
        let is_over = until <= now;
        let was_tried = self.last.is_some() || self.problem.is_some();
        if let Some(check) = &probation.check
            && !(is_over && was_tried)
            && self.next.is_some_and(|next| next <= now)
        {
            let task = Task::check(check, environment);
            self.job = Some(jobs.start(task, now, background));
            self.next = Some(now + probation.interval);
        } else if is_over {
            let proof = self.last.take();
            if proof.is_some() {
                self.problem = None;
            }
            // Without a check that was made, all there is to say is that the child lives.
            let proof = proof.unwrap_or(Ok(()));
            supervisor.prove(proof.map_err(|why| format!("the check did not pass: {why}")), now);
        }
    }

    /// Takes in a result; says whether it was one of these checks.
    pub(super) fn finished(&mut self, job: JobId, result: &Result<(), JobError>) -> bool {
        let is_ours = self.job == Some(job);
        if is_ours {
            self.job = None;
            match result {
                Ok(()) | Err(JobError::Failed { .. }) => {
                    self.last = Some(result.as_ref().copied().map_err(ToString::to_string));
                    self.problem = None;
                }
                // Whatever the reason, it has nothing to do with the set.
                Err(error @ (JobError::NotStarted(_) | JobError::NoThread(_))) => {
                    self.not_made(&chain(error));
                }
            }
        }
        is_ours
    }

    fn not_made(&mut self, why: &str) {
        let problem =
            format!("the check of a new set cannot be made, which says nothing about that set: {why}");
        if self.problem.as_ref() != Some(&problem) {
            tracing::warn!("{problem}");
            self.problem = Some(problem);
        }
    }
}
