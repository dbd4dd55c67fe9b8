//! What the deliveries after a switch were worth. Pure.

use crate::volume::Switch;
use akv_bench::event::{Event, Kind};
use nix::libc::SIGTERM;

/// The worth of all deliveries that belong to one switch.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Worth {
    /// Nanoseconds from the rename to the first delivery that found the new set; `None` if there was none.
    pub(crate) latency: Option<u64>,
    /// Nanoseconds from the rename until a running process was told to end.
    pub(crate) stopped: Option<u64>,
    /// Nanoseconds without a process: from the end of the old one to the first instruction of the new one.
    pub(crate) gap: Option<u64>,
    /// Came before the rename.
    pub(crate) early: usize,
    /// Came after it, and found an older set.
    pub(crate) stale: usize,
    /// Found the new set once more.
    pub(crate) doubled: usize,
}

impl Worth {
    /// Judges `events`, which came between the preparation of the switch and the quiet after it.
    pub(crate) fn of(switch: Switch, events: &[Event]) -> Self {
        let mut worth = Self::default();
        let mut ended = None;
        for event in events {
            let since = event.at.checked_sub(switch.at);
            match since {
                // The end of the old process is part of a restart and tells the app nothing.
                _ if event.kind == Kind::Signalled(SIGTERM) => worth.stopped = worth.stopped.or(since),
                _ if event.kind == Kind::Ended => ended = Some(event.at),
                None => worth.early += 1,
                Some(_) if event.generation < switch.generation => worth.stale += 1,
                Some(_) if worth.latency.is_some() => worth.doubled += 1,
                since => worth.latency = since,
            }
            if event.kind == Kind::Started {
                worth.gap = worth.gap.or(ended.and_then(|ended| event.at.checked_sub(ended)));
            }
        }
        worth
    }
}

/// Whether the app learns anything from it: its own end, which is part of a restart, tells it nothing.
pub(crate) fn is_delivery(event: &Event) -> bool {
    !matches!(event.kind, Kind::Signalled(SIGTERM) | Kind::Ended)
}

/// Whether a delivery tells the app of this switch.
pub(crate) fn fulfils(event: &Event, switch: Switch) -> bool {
    is_delivery(event) && event.at >= switch.at && event.generation >= switch.generation
}

#[cfg(test)]
mod tests {
    use super::*;

    const SWITCH: Switch = Switch { generation: 5, at: 1000 };

    fn hup(at: u64, generation: u64) -> Event {
        Event { kind: Kind::Signalled(1), generation, at }
    }

    #[test]
    fn each_delivery_counts_once_and_as_what_it_is() {
        let events = [hup(999, 4), hup(1001, 4), hup(1100, 5), hup(1200, 5), hup(1300, 6)];
        let worth = Worth { latency: Some(100), early: 1, stale: 1, doubled: 2, ..Worth::default() };
        assert_eq!(Worth::of(SWITCH, &events), worth);
        assert_eq!(events.map(|event| fulfils(&event, SWITCH)), [false, false, true, true, true]);
        assert_eq!(Worth::of(SWITCH, &[]), Worth::default());
    }

    #[test]
    fn a_delivery_before_the_rename_is_early_whatever_it_found() {
        assert_eq!(Worth::of(SWITCH, &[hup(999, 5)]), Worth { early: 1, ..Worth::default() });
    }

    #[test]
    fn the_end_of_the_old_process_is_no_delivery() {
        let term = Event { kind: Kind::Signalled(SIGTERM), generation: 4, at: 1050 };
        let end = Event { kind: Kind::Ended, generation: 4, at: 1060 };
        let start = Event { kind: Kind::Started, generation: 5, at: 1500 };
        let worth = Worth { latency: Some(500), stopped: Some(50), gap: Some(440), ..Worth::default() };
        assert_eq!(Worth::of(SWITCH, &[term, end, start]), worth);
        assert_eq!(Worth::of(SWITCH, &[start]).gap, None);
    }
}
