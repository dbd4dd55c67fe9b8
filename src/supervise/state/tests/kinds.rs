//! Which states and events the tables tell apart. No pattern here stands for all the rest, so that a new state or
//! event does not compile before it has a kind, and then the tables lack its rows.

use super::*;

macro_rules! kinds {
    ($(#[$doc:meta])* $name:ident of $of:ty { $($kind:ident: $pattern:pat $(if $guard:expr)?,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum $name { $($kind),+ }

        impl $name {
            pub(super) const ALL: &[Self] = &[$(Self::$kind),+];

            pub(super) fn of(value: $of) -> Self {
                match value {
                    $($pattern $(if $guard)? => Self::$kind,)+
                }
            }
        }
    };
}

kinds! {
    /// What makes a difference to an event.
    StateKind of State {
        Waiting: State::Waiting,
        Reverting: State::Reverting,
        Running: State::Running(Trial::None),
        OnProbation: State::Running(Trial::Until { .. }),
        Ending: State::Ending { by: Means::Asked, .. },
        EndingKilled: State::Ending { by: Means::Killed, .. },
        Restarting: State::Stopping { by: Means::Asked, then: Then::Start(_), .. },
        RestartingKilled: State::Stopping { by: Means::Killed, then: Then::Start(_), .. },
        Finishing: State::Stopping { by: Means::Asked, then: Then::End(Some(_)), .. },
        FinishingKilled: State::Stopping { by: Means::Killed, then: Then::End(Some(_)), .. },
        Interrupted: State::Stopping { by: Means::Asked, then: Then::End(None), .. },
        InterruptedKilled: State::Stopping { by: Means::Killed, then: Then::End(None), .. },
        Straggling: State::Straggling { by: Means::Asked, .. },
        StragglingKilled: State::Straggling { by: Means::Killed, .. },
        Delayed: State::Delayed(Next { trial: None, .. }),
        DelayedForTrial: State::Delayed(Next { trial: Some(_), .. }),
        Over: State::Over(_),
    }
}

kinds! {
    /// What makes a difference to a state.
    EventKind of Event {
        Ready: Event::Ready,
        Restart: Event::Restart(_),
        Told: Event::Told,
        Finish: Event::Finish(_),
        Sigterm: Event::Signal(SIGTERM),
        Sigint: Event::Signal(SIGINT),
        Sigquit: Event::Signal(SIGQUIT),
        Sighup: Event::Signal(SIGHUP),
        OtherSignal: Event::Signal(_),
        Crashed: Event::Ended { how, group_empty: true, .. } if how.is_suspicious(),
        CrashedBeforeOthers: Event::Ended { how, group_empty: false, .. } if how.is_suspicious(),
        Ended: Event::Ended { group_empty: true, .. },
        EndedBeforeOthers: Event::Ended { group_empty: false, .. },
        Busy: Event::NotStarted { why: Obstacle::Busy, .. },
        TooBig: Event::NotStarted { why: Obstacle::TooBig, .. },
        NoProgram: Event::NotStarted { why: Obstacle::Program(_), .. },
        GroupEmpty: Event::GroupEmpty,
        Good: Event::Proven(true),
        Bad: Event::Proven(false),
        Deadline: Event::Deadline,
    }
}
