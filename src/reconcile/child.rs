//! What becomes of the child, and what that means for the set and for the agent itself.

use super::{End, Reconciler, Subject};
use crate::{
    failure::Failure,
    job,
    program::child::{self, Change},
    status::ChildStatus,
    supervise::{Verdict, state::Event},
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

    /// There is a set to start the child with that has nothing to prove.
    pub(super) fn start_child(&mut self, now: Instant) {
        if let Subject::Child(supervisor) = &mut self.parts.subject {
            supervisor.trust();
            supervisor.handle(Event::Ready, now);
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
        // What follows from a verdict may begin another probation.
        while let Some(verdict) = self.try_set(now) {
            self.judge(verdict, now)?;
        }
        let Subject::Child(supervisor) = &mut self.parts.subject else { return Ok(()) };
        if supervisor.take_fresh() && supervisor.has_newest() {
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

    /// Has the set that the child has prove itself, and says what has turned out.
    fn try_set(&mut self, now: Instant) -> Option<Verdict> {
        let Subject::Child(supervisor) = &mut self.parts.subject else { return None };
        let inherited = &self.parts.inherited;
        self.trial.tick(
            supervisor,
            self.parts.config.exec.probation.as_ref(),
            || job::environment(inherited, []),
            (&mut self.parts.jobs, &mut self.parts.background),
            now,
        );
        supervisor.take_verdict()
    }

    fn judge(&mut self, verdict: Verdict, now: Instant) -> Result<(), Failure> {
        let Subject::Child(supervisor) = &mut self.parts.subject else { return Ok(()) };
        match verdict {
            // As long as the child will be given the newest set in yet another way, that may still be bad.
            Verdict::Good => {
                let is_newest = supervisor.has_newest();
                if !is_newest || !self.owed.replaces_child() {
                    self.progress.accept(is_newest);
                }
            }
            // The newest set may be the one that puts it right.
            Verdict::Bad(why) if !supervisor.has_newest() => {
                tracing::warn!("{why}; there is a newer set, which is tried now");
                supervisor.handle(Event::Ready, now);
            }
            Verdict::Bad(why) => {
                self.progress.roll_back(&mut self.parts, &why, now)?;
                self.start_child(now);
                self.owed.forget_child();
                self.owe(now);
                self.is_unshown = true;
            }
        }
        Ok(())
    }
}
