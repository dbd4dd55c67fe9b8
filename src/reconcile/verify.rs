//! Sees whether an app took a change that it was told of: asks at intervals until it did or the time is over.

use crate::{
    background::Background,
    config::{Proof, Target, Verify},
    job::{JobError, JobId, Jobs, Task},
    program::environment::Environment,
    reaction::{
        process::BootTime,
        target::{self, TargetError},
    },
};
use std::time::{Duration, Instant};

/// Between two looks: a reload takes milliseconds, or seconds.
const INTERVAL: Duration = Duration::from_millis(250);

/// One verification that is under way.
#[derive(Debug)]
pub(super) struct Verification {
    verify: Verify,
    until: Instant,
    next: Instant,
    job: Option<JobId>,
    /// What has been seen last.
    last: String,
    /// When the app was told.
    told: Option<BootTime>,
}

impl Verification {
    /// The app has been told now.
    pub(super) fn begin(verify: &Verify, now: Instant) -> Self {
        let (verify, until, last) = (verify.clone(), now + verify.within, "nothing was seen".to_owned());
        Self { verify, until, next: now, job: None, last, told: BootTime::now().ok() }
    }

    /// When [`Verification::tick`] has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        self.job.is_none().then_some(self.next.min(self.until))
    }

    /// Looks, if it is time; the outcome, once there is one.
    pub(super) fn tick(
        &mut self,
        target: Option<&Target>,
        environment: impl FnOnce() -> Environment,
        (jobs, background): (&mut Jobs, &mut Background),
        now: Instant,
    ) -> Option<Result<(), String>> {
        if self.job.is_some() {
            return None;
        }
        if self.next <= now {
            self.next = now + INTERVAL;
            match (&self.verify.by, target) {
                (Proof::Check(check), _) => {
                    self.job = Some(jobs.start(Task::check(check, environment), now, background));
                    return None;
                }
                (Proof::StartTime, Some(target)) => match was_started(target, self.told) {
                    Ok(true) => return Some(Ok(())),
                    Ok(false) => "the target has not been started anew".clone_into(&mut self.last),
                    Err(error) => self.last = error.to_string(),
                },
                // The configuration was checked for the use.
                (Proof::StartTime, None) => return Some(Ok(())),
            }
        }
        (self.until <= now).then(|| Err(self.problem()))
    }

    /// Takes in a result; says whether it was one of these checks.
    pub(super) fn finished(
        &mut self,
        job: JobId,
        result: &Result<(), JobError>,
    ) -> Option<Result<(), String>> {
        if self.job != Some(job) {
            return None;
        }
        self.job = None;
        match result {
            Ok(()) => return Some(Ok(())),
            Err(error) => self.last = error.to_string(),
        }
        None
    }

    fn problem(&self) -> String {
        format!("no sign within {:?} that the app took the change: {}", self.verify.within, self.last)
    }
}

/// Whether a process that `target` means may have been started after `moment`. Beyond doubt would be too much:
/// an app that is back within a hundredth of a second would never have been started.
fn was_started(target: &Target, moment: Option<BootTime>) -> Result<bool, TargetError> {
    let Some(moment) = moment else { return Ok(false) };
    Ok(target::look(target)?.iter().any(|process| !process.started.is_before(moment)))
}
