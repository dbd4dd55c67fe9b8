//! A thousand agents on one vault that throttles like Key Vault, in virtual time: the real [`Schedule`] and
//! [`Pace`], everything around them simulated. Seeded, so that every run is the same run.

use super::{
    pace::Pace,
    schedule::{Ending, Extent, Schedule},
};
use std::{cmp::Reverse, collections::BinaryHeap, ops::Range, time::Duration};
use tokio::time::Instant;

const AGENTS: usize = 1_000;
const SECRETS: usize = 10;
const LIMIT: usize = 4_000;
const WINDOW: Duration = Duration::from_secs(10);

/// As many requests at once as the poller allows while a value is missing, and later.
const EAGER: usize = 25;
const STEADY: usize = 4;

/// What happens to an agent; ordered by time, then by age.
type Event = Reverse<(Duration, u64, usize, What)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// A try may be due; with the number of tries before it, as a later one may have taken its place.
    Due(u32),
    /// Somebody asks.
    Asked,
    /// An answer has come.
    Answer(Answer),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Answer {
    Served,
    Refused,
    /// There is no vault.
    Lost,
}

/// One agent, in the poller's terms.
struct Agent {
    schedule: Schedule,
    pace: Pace,
    unanswered: usize,
    unsent: usize,
    running: usize,
    ending: Ending,
    tries: u32,
    /// When rounds were complete.
    complete: Vec<Duration>,
}

/// What the vault saw in one of its windows.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    allowed: usize,
    refused: usize,
}

struct Fleet {
    origin: Instant,
    now: Duration,
    random: u64,
    age: u64,
    events: BinaryHeap<Event>,
    agents: Vec<Agent>,
    windows: Vec<Seen>,
    down: Range<Duration>,
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Fleet {
    /// All agents start within `start`.
    fn new(interval: Duration, start: Duration) -> Self {
        let origin = Instant::now();
        let mut fleet = Self {
            origin,
            now: Duration::ZERO,
            random: 1,
            age: 0,
            events: BinaryHeap::new(),
            agents: Vec::new(),
            windows: Vec::new(),
            down: Duration::ZERO..Duration::ZERO,
        };
        for agent in 0..AGENTS {
            let at = start.mul_f64(fleet.random());
            fleet.agents.push(Agent {
                schedule: Schedule::new(Some(interval), origin + at),
                pace: Pace::new(EAGER),
                unanswered: SECRETS,
                unsent: 0,
                running: 0,
                ending: Ending::Complete,
                tries: 0,
                complete: Vec::new(),
            });
            fleet.push(at, agent, What::Due(0));
        }
        fleet
    }

    /// In `0.0..1.0` (splitmix64).
    fn random(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from((bits ^ (bits >> 31)) >> 32).unwrap_or_default())
            / (f64::from(u32::MAX) + 1.0)
    }

    fn push(&mut self, at: Duration, agent: usize, what: What) {
        self.age += 1;
        self.events.push(Reverse((at, self.age, agent, what)));
    }

    fn run_until(&mut self, end: Duration) {
        while self.events.peek().is_some_and(|Reverse((at, ..))| *at < end) {
            let Some(Reverse((at, _, agent, what))) = self.events.pop() else { return };
            self.now = at;
            match what {
                What::Due(tries) if tries == self.agents[agent].tries => self.begin(agent, false),
                What::Due(_) => (),
                What::Asked => self.begin(agent, true),
                What::Answer(answer) => self.answered(agent, answer),
            }
        }
        self.now = end;
    }

    /// Asks every agent, within a second, at times at which it has nothing under way.
    fn ask_all(&mut self) {
        for agent in 0..AGENTS {
            let at = self.now + seconds(1).mul_f64(self.random());
            let not_before = self.agents[agent].schedule.not_before() - self.origin;
            self.push(at.max(not_before), agent, What::Asked);
        }
    }

    fn begin(&mut self, index: usize, asked: bool) {
        let (now, random) = (self.origin + self.now, self.random());
        let agent = &mut self.agents[index];
        if agent.running > 0 {
            return;
        }
        agent.tries += 1;
        agent.ending = Ending::Complete;
        if agent.schedule.begin(now, asked, random) == Extent::All {
            agent.unanswered = SECRETS;
        }
        agent.unsent = agent.unanswered;
        self.send(index);
    }

    fn send(&mut self, index: usize) {
        loop {
            let agent = &mut self.agents[index];
            let most = if agent.complete.is_empty() { EAGER } else { STEADY }.min(agent.pace.limit());
            if agent.ending != Ending::Complete || agent.unsent == 0 || agent.running >= most {
                return;
            }
            (agent.unsent, agent.running) = (agent.unsent - 1, agent.running + 1);
            let answer = self.vault();
            let latency = Duration::from_millis(20).mul_f64(1.0 + self.random());
            self.push(self.now + latency, index, What::Answer(answer));
        }
    }

    fn vault(&mut self) -> Answer {
        if self.down.contains(&self.now) {
            return Answer::Lost;
        }
        let window = usize::try_from(self.now.as_secs() / WINDOW.as_secs()).expect("a small number");
        if self.windows.len() <= window {
            self.windows.resize(window + 1, Seen::default());
        }
        let seen = &mut self.windows[window];
        if seen.allowed == LIMIT {
            seen.refused += 1;
            return Answer::Refused;
        }
        seen.allowed += 1;
        Answer::Served
    }

    fn answered(&mut self, index: usize, answer: Answer) {
        let agent = &mut self.agents[index];
        match answer {
            Answer::Served => {
                agent.unanswered -= 1;
                agent.pace.served();
            }
            Answer::Refused => {
                if agent.ending != Ending::Throttled(None) {
                    agent.pace.refused(agent.running);
                }
                agent.ending = Ending::Throttled(None);
            }
            Answer::Lost => agent.ending = Ending::Incomplete(None),
        }
        agent.running -= 1;
        self.send(index);
        let random = self.random();
        let agent = &mut self.agents[index];
        if agent.running > 0 {
            return;
        }
        if agent.ending == Ending::Complete {
            agent.complete.push(self.now);
        }
        agent.schedule.end(self.origin + self.now, agent.ending, random);
        let tries = agent.tries;
        if let Some(due) = agent.schedule.due() {
            self.push(due - self.origin, index, What::Due(tries));
        }
    }

    /// How long it took until every agent had completed a round that began after `since`.
    fn all_complete_after(&self, since: Duration) -> Duration {
        let first = |agent: &Agent| agent.complete.iter().copied().find(|at| *at > since);
        let last = self.agents.iter().map(|agent| first(agent).expect("an agent starves")).max();
        last.expect("agents").saturating_sub(since)
    }

    /// The longest time that any agent was without a complete round, between `from` and now.
    fn longest_gap(&self, from: Duration) -> Duration {
        let gaps = self.agents.iter().flat_map(|agent| {
            let mut last = from;
            let seen = agent.complete.iter().copied().filter(|at| *at > from).chain([self.now]);
            seen.map(move |at| at.saturating_sub(std::mem::replace(&mut last, at))).collect::<Vec<_>>()
        });
        gaps.max().expect("agents")
    }

    /// What the vault saw in the windows between `from` and now.
    fn seen(&self, from: Duration) -> Vec<Seen> {
        let first = usize::try_from(from.as_secs() / WINDOW.as_secs()).expect("a small number");
        self.windows.iter().copied().skip(first).collect()
    }

    fn refused(&self, from: Duration) -> usize {
        self.seen(from).iter().map(|window| window.refused).sum()
    }
}

#[test]
fn a_fleet_that_starts_at_once_is_served_by_the_windows_it_needs_and_few_more() {
    let mut fleet = Fleet::new(seconds(300), Duration::ZERO);
    fleet.run_until(seconds(60));
    // Three windows could serve 12,000 requests; 10,000 are wanted.
    assert!(fleet.all_complete_after(Duration::ZERO) < seconds(45));
    let refused = fleet.refused(Duration::ZERO);
    assert!((AGENTS * SECRETS - LIMIT..=AGENTS * SECRETS).contains(&refused), "{refused}");
    assert_eq!(fleet.refused(WINDOW), 0, "{:?}", fleet.windows);
}

#[test]
fn a_fleet_that_starts_within_a_minute_is_never_refused() {
    let mut fleet = Fleet::new(seconds(300), seconds(60));
    fleet.run_until(seconds(90));
    assert!(fleet.all_complete_after(Duration::ZERO) <= seconds(61));
    assert_eq!(fleet.refused(Duration::ZERO), 0);
}

#[test]
fn polls_that_fit_the_limit_are_never_refused_once_all_have_started() {
    let mut fleet = Fleet::new(seconds(30), Duration::ZERO);
    fleet.run_until(seconds(1_200));
    assert!(fleet.all_complete_after(Duration::ZERO) < seconds(75));
    let steady = seconds(100);
    assert_eq!(fleet.refused(steady), 0);
    // 1,000 agents, 10 secrets and 30 seconds make 3,333 a window, evenly once the start is forgotten.
    assert!(fleet.seen(seconds(400)).iter().all(|window| (2_500..LIMIT).contains(&window.allowed)));
    assert!(fleet.longest_gap(seconds(200)) < seconds(60));
}

#[test]
fn polls_that_do_not_fit_use_the_limit_and_hardly_exceed_it() {
    for (interval, most_refused, longest_gap) in [(20, 40, 200), (5, 10, 200)] {
        let mut fleet = Fleet::new(seconds(interval), Duration::ZERO);
        fleet.run_until(seconds(800));
        let steady = seconds(200);
        let seen = fleet.seen(steady);
        let allowed: usize = seen.iter().map(|window| window.allowed).sum();
        assert!(allowed * 10 >= seen.len() * LIMIT * 9, "{interval}: {allowed}");
        assert!(fleet.refused(steady) * most_refused < allowed, "{interval}: {}", fleet.refused(steady));
        assert!(fleet.longest_gap(steady) < seconds(longest_gap), "{interval}: an agent starves");
    }
}

#[test]
fn a_refresh_of_the_whole_fleet_reaches_all_and_leaves_no_crowd_behind() {
    let mut fleet = Fleet::new(seconds(300), seconds(60));
    fleet.run_until(seconds(600));
    fleet.ask_all();
    fleet.run_until(seconds(1_800));
    assert!(fleet.all_complete_after(seconds(600)) < seconds(45));
    assert_eq!(fleet.refused(seconds(610)), 0);
    let polls = fleet.seen(seconds(660)).into_iter().map(|window| window.allowed).max();
    // Evenly spread it would be 333 a window.
    assert!(polls < Some(600), "{polls:?}");
}

#[test]
fn a_fleet_comes_back_from_an_outage_one_by_one() {
    for interval in [30, 300] {
        let mut fleet = Fleet::new(seconds(interval), seconds(60));
        let (begin, end) = (seconds(600), seconds(630));
        fleet.down = begin..end;
        fleet.run_until(seconds(1_200));
        // Everything that fell due within 30 seconds is asked for again: at most what 30 seconds serve.
        assert!(fleet.refused(end) < LIMIT, "{interval}: {:?}", fleet.seen(end));
        assert_eq!(fleet.refused(end + 4 * WINDOW), 0, "{interval}: {:?}", fleet.seen(end));
        assert!(fleet.longest_gap(begin) < seconds(2 * interval).max(seconds(120)), "{interval}");
    }
}

#[test]
fn a_fleet_that_starts_during_an_outage_is_served_after_it() {
    let mut fleet = Fleet::new(seconds(300), seconds(1));
    fleet.down = Duration::ZERO..seconds(30);
    fleet.run_until(seconds(120));
    assert!(fleet.all_complete_after(Duration::ZERO) < seconds(30 + 60));
    assert!(fleet.refused(Duration::ZERO) < AGENTS * SECRETS, "{:?}", fleet.windows);
}
