//! What becomes of the child, and what that means for the set and for the agent itself.

use super::{End, Reconciler, Subject};
use crate::{
    failure::Failure,
    job,
    program::child::{self, Change},
    status::ChildStatus,
    supervise::state::Event,
};
use std::time::Instant;

impl Reconciler<'_> {
    /// Reaps every process that has ended: the child, commands, and orphans that were adopted.
    pub(super) fn reap(&mut self, now: Instant) {
        while let Some((pid, change)) = child::reap() {
            if let Subject::Child(supervisor) = &mut self.parts.subject
                && supervisor.changed(pid, change, now)
            {
                continue;
            }
            if let Change::Ended(how) = change {
                self.parts.jobs.reaped(pid, how);
            }
        }
        if let Subject::Child(supervisor) = &mut self.parts.subject {
            supervisor.look_for_stragglers(now);
        }
    }

    /// There is a set to start the first child with.
    pub(super) fn start_child(&mut self, now: Instant) {
        if let Subject::Child(supervisor) = &mut self.parts.subject {
            supervisor.begin(now);
        }
    }

    pub(super) fn supervise(&mut self, event: Event, now: Instant) {
        if let Subject::Child(supervisor) = &mut self.parts.subject {
            supervisor.handle(event, now);
        }
    }

    /// Draws the consequences of what the supervisor has done: for the set, and for the agent itself. Comes after
    /// everything that it is told, since nothing else need ever wake the loop for that.
    pub(super) fn after_supervision(&mut self, now: Instant) -> Result<(), Failure> {
        // What follows may begin another probation.
        while let Some(why) = self.try_set(now) {
            self.rejected(&why, now)?;
        }
        let Subject::Child(supervisor) = &mut self.parts.subject else { return Ok(()) };
        if supervisor.take_fresh() && supervisor.sets().has_newest() {
            self.owed.forget_telling();
            self.is_unshown = true;
        }
        let Subject::Child(supervisor) = &self.parts.subject else { return Ok(()) };
        let problems: Vec<_> =
            supervisor.problem().into_iter().chain(self.trial.problem().cloned()).collect();
        if self.child_problems != problems {
            self.child_problems = problems;
            self.is_unshown = true;
        }
        let Subject::Child(supervisor) = &self.parts.subject else { return Ok(()) };
        if self.end.is_none() {
            self.end = supervisor.over().map(|(code, why)| match why {
                None => End::Code(code),
                Some(why) => End::Because(code, why),
            });
        }
        self.parts.board.lock().child = supervisor.running().map(|running| ChildStatus {
            pid: running.pid,
            started: running.since,
            set: running.set,
            on_probation: supervisor.trial().is_some(),
            restarts: supervisor.restarts(),
        });
        Ok(())
    }

    /// A set that leads to nothing the child could be tried by is as good as the child that lives beside it.
    pub(super) fn accept_what_leads_to_nothing(&mut self) {
        if let Subject::Child(supervisor) = &mut self.parts.subject
            && self.owed.is_empty()
            && self.acting.is_none()
        {
            supervisor.needs_nothing();
        }
    }

    /// Has the set that the child has prove itself; says why it was rejected, if it was.
    fn try_set(&mut self, now: Instant) -> Option<String> {
        let Subject::Child(supervisor) = &mut self.parts.subject else { return None };
        let inherited = &self.parts.inherited;
        self.trial.tick(
            supervisor,
            self.parts.config.exec.probation.as_ref(),
            || job::environment(inherited, []),
            (&mut self.parts.jobs, &mut self.parts.background),
            now,
        );
        supervisor.take_rejected()
    }

    fn rejected(&mut self, why: &str, now: Instant) -> Result<(), Failure> {
        let Subject::Child(supervisor) = &mut self.parts.subject else { return Ok(()) };
        if supervisor.sets().has_tried_newest() {
            self.progress.roll_back(&mut self.parts, why, now)?;
            self.supervise(Event::Ready, now);
            self.owed.forget_child();
            self.owe(now);
            self.is_unshown = true;
        } else {
            // The newest set may be the one that puts it right.
            tracing::warn!("{why}; there is a newer set, which is tried now");
            supervisor.handle(Event::Ready, now);
        }
        Ok(())
    }
}
