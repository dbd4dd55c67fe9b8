//! Whether a signal would reach the target, told before there is anything to tell it.

use super::signal::{self, SignalError, Told};
use crate::{backoff, config::Target, failure::Class};
use std::time::{Duration, Instant};

/// Between the first looks for an app that is not there, and at most.
const FIRST_LOOK: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// How a signal would fare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outlook {
    /// It would arrive.
    Reachable,
    /// There is nobody yet, which the start of the app can change.
    Absent,
    /// It would not arrive, and somebody has to do something about it.
    Unreachable(Class),
}

/// What a look at the target has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How a signal would fare.
    pub outlook: Outlook,
    /// Whom it would reach.
    pub pids: Vec<i32>,
    /// The same for people, with the remedy if there is one.
    pub text: String,
}

/// Looks who the target is now, and tries whether the kernel would let a signal through. Nobody notices.
pub fn preflight(target: &Target) -> Report {
    judge(signal::send(target, 0))
}

fn judge(tried: Result<Told, SignalError>) -> Report {
    let (outlook, pids, text) = match tried {
        Ok(Told { pids, refused }) => {
            let mut text = reached(&pids);
            if let Some(refused) = refused {
                text = format!("{text}, but not all that are meant: {refused}");
            }
            (Outlook::Reachable, pids, text)
        }
        Err(SignalError::Target(error)) if error.may_pass() => {
            (Outlook::Absent, Vec::new(), format!("{error}; it is looked for again when it is needed"))
        }
        Err(error) => (Outlook::Unreachable(class(&error)), Vec::new(), error.to_string()),
    };
    Report { outlook, pids, text }
}

fn reached(pids: &[i32]) -> String {
    match pids {
        [pid] => format!("the target is process {pid}"),
        pids => {
            let list: Vec<_> = pids.iter().map(ToString::to_string).collect();
            format!("the target is {} processes: {}", pids.len(), list.join(", "))
        }
    }
}

fn class(error: &SignalError) -> Class {
    match error {
        SignalError::Refused(_) => Class::Permission,
        SignalError::Target(_) => Class::Unavailable,
    }
}

/// Looks out for a target from the agent's start until it has been there once, and logs how a signal would
/// fare. An app that stays away is looked for less and less often.
#[derive(Debug)]
pub struct Lookout {
    target: Option<Target>,
    due: Option<Instant>,
    attempt: u32,
    said: String,
}

impl Lookout {
    /// One that looks at once, if there is anybody to look for.
    pub fn new(target: Option<&Target>, now: Instant) -> Self {
        Self { target: target.cloned(), due: target.map(|_| now), attempt: 0, said: String::new() }
    }

    /// When it is time for a look; never, once the target has been there.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Looks, if it is time.
    pub fn tick(&mut self, now: Instant) {
        let Some(target) = self.target.as_ref().filter(|_| self.due.is_some_and(|due| due <= now)) else {
            return;
        };
        let report = preflight(target);
        if self.said != report.text {
            match report.outlook {
                Outlook::Reachable | Outlook::Absent => tracing::info!(%target, "{}", report.text),
                Outlook::Unreachable(_) => {
                    tracing::warn!(%target, "a signal would not arrive: {}", report.text);
                }
            }
        }
        self.note(&report, now);
        self.said = report.text;
    }

    fn note(&mut self, report: &Report, now: Instant) {
        // Whoever refuses is there.
        let is_there = matches!(report.outlook, Outlook::Reachable | Outlook::Unreachable(Class::Permission));
        let wait = backoff::exponential(self.attempt, FIRST_LOOK, LONGEST_WAIT);
        self.attempt += 1;
        self.due = (!is_there).then(|| now + wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reaction::{pid_file::PidFileError, refusal::Refusal, sight::Sight, target::TargetError};
    use std::io;

    fn missing(sight: Sight) -> SignalError {
        TargetError::NoSuchProcess { wanted: "is called 'app'".into(), own: None, sight }.into()
    }

    fn pid_file(error: PidFileError) -> SignalError {
        TargetError::PidFile { path: "/run/app.pid".into(), error }.into()
    }

    fn refused() -> SignalError {
        Refusal::new(9, io::Error::from_raw_os_error(libc::EINVAL)).into()
    }

    fn found(pids: &[i32], refused: Option<SignalError>) -> Told {
        Told { pids: pids.to_vec(), refused }
    }

    #[test]
    fn each_outcome_has_its_outlook_and_its_words() {
        let unavailable = Outlook::Unreachable(Class::Unavailable);
        for (tried, outlook, pids, words) in [
            (Ok(found(&[7], None)), Outlook::Reachable, &[7][..], "the target is process 7"),
            (Ok(found(&[7, 8, 9], None)), Outlook::Reachable, &[7, 8, 9], "3 processes: 7, 8, 9"),
            (
                Ok(found(&[7], Some(refused()))),
                Outlook::Reachable,
                &[7],
                "but not all that are meant: cannot signal process 9",
            ),
            (Err(refused()), Outlook::Unreachable(Class::Permission), &[], "cannot signal process 9"),
            (Err(missing(Sight::Others)), Outlook::Absent, &[], "is called 'app'; it is looked for again"),
            (Err(missing(Sight::OwnContainer)), unavailable, &[], "shareProcessNamespace"),
            (Err(missing(Sight::OwnUser)), unavailable, &[], "hidepid"),
            (
                Err(TargetError::NoProc(io::ErrorKind::NotFound.into()).into()),
                unavailable,
                &[],
                "cannot look for processes in /proc",
            ),
            (
                Err(pid_file(PidFileError::Reused(7))),
                Outlook::Absent,
                &[],
                "/run/app.pid: the pid file is older",
            ),
            (Err(pid_file(PidFileError::NotAPid)), unavailable, &[], "does not hold a process id"),
        ] {
            let report = judge(tried);
            assert_eq!((report.outlook, &report.pids[..]), (outlook, pids), "{}", report.text);
            assert!(report.text.contains(words), "{}", report.text);
        }
    }

    #[test]
    fn an_app_that_stays_away_is_looked_for_less_and_less_and_no_more_once_it_is_there() {
        let now = Instant::now();
        let mut lookout = Lookout::new(Some(&Target::Process("app".into())), now);
        assert_eq!(lookout.due(), Some(now));
        let (absent, alone) = (judge(Err(missing(Sight::Others))), judge(Err(missing(Sight::OwnContainer))));
        for seconds in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            lookout.note(if seconds == 4 { &alone } else { &absent }, now);
            assert_eq!(lookout.due(), Some(now + Duration::from_secs(seconds)));
        }
        for report in [judge(Ok(found(&[7], None))), judge(Err(refused()))] {
            lookout.note(&report, now);
            assert_eq!(lookout.due(), None);
        }
        assert_eq!(Lookout::new(None, now).due(), None);
    }
}
