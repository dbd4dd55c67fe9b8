//! Walks through all states that can be reached, and looks for what must never be.

use super::*;

/// A state as it was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    state: State,
    has_child: bool,
    /// Whether somebody has sent SIGTERM while this child was there.
    is_told: bool,
}

/// Every event that the tables know.
fn events() -> Vec<Event> {
    let mut events = vec![];
    for (event, ..) in tables().into_iter().flat_map(|table| table.rows) {
        if !events.contains(&event) {
            events.push(event);
        }
    }
    events
}

impl Place {
    fn is_possible(self, event: Event) -> bool {
        match event {
            Event::Ended { .. } => self.has_child,
            Event::GroupEmpty => self.state.awaits_stragglers(),
            Event::Proven(_) => self.state.trial().is_some(),
            Event::NotStarted { .. } => matches!(self.state, State::Running(_)) && self.has_child,
            Event::Deadline => self.state.deadline().is_some(),
            _ => true,
        }
    }

    /// Where `event` leads, after a look at how.
    fn on(self, event: Event, policy: &Exec) -> Self {
        let scene = format!("{event:?} in {self:?}");
        let (state, actions) = self.state.on(event, policy, now());
        let gone = matches!(event, Event::Ended { .. } | Event::NotStarted { .. });
        let is_left = self.has_child && !gone;
        let spawns = actions.iter().filter(|action| **action == Spawn).count();
        assert!(spawns == 0 || !is_left, "a second child: {scene}");
        assert!(spawns <= 1, "{scene}");
        let has_child = is_left || spawns == 1;
        if !matches!(state, State::Over(_)) {
            assert_eq!(state.has_child(), has_child, "{scene} leads to {state:?}");
        }
        assert!(spawns == 0 || !self.is_told, "a child for who was told to end: {scene}");
        if event == TERM && self.has_child {
            let killed = actions.contains(&SignalGroup(SIGKILL));
            assert_eq!(killed, self.is_told, "the second SIGTERM kills, and no other: {scene}");
        }
        Self { state, has_child, is_told: self.is_told || (event == TERM && self.has_child) }
    }
}

#[test]
fn no_path_starts_a_second_child_or_forgets_one_or_kills_for_the_first_sigterm() {
    let events = events();
    let always = Exec { restart_policy: RestartPolicy::Always, ..proving() };
    let patient = Exec { grace: Some(Duration::from_secs(1)), ..plain() };
    for policy in [plain(), proving(), always, patient] {
        let mut seen = vec![];
        let mut next = vec![Place { state: State::Waiting, has_child: false, is_told: false }];
        while let Some(place) = next.pop() {
            if !seen.contains(&place) {
                seen.push(place);
                let possible = events.iter().filter(|event| place.is_possible(**event));
                next.extend(possible.map(|event| place.on(*event, &policy)));
            }
        }
        assert!(seen.len() > 10, "{}", seen.len());
    }
}
