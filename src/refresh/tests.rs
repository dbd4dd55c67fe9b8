use super::*;
use std::sync::Arc;

type Receiver = oneshot::Receiver<Answer>;

const NOTHING: Tally = Tally { done: 0, failed: 0, pending: 0 };

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

fn names(names: &[&str]) -> Vec<EnvName> {
    names.iter().map(|name| EnvName(Arc::from(*name))).collect()
}

/// Asks, with a patience of 30 s.
fn ask(refreshes: &mut Refreshes, done: u64, now: Instant) -> Receiver {
    let (reply, answer) = oneshot::channel();
    refreshes.ask(Ask::Wait { within: ms(30_000), reply }, done, now);
    answer
}

/// What has been answered by now.
fn answered(refreshes: &mut Refreshes, of: &mut Receiver, tally: Tally, now: Instant) -> Option<Answer> {
    let status = Status { ready: true, problems: vec!["p".into()], ..Status::default() };
    refreshes.answer(tally, &status, now);
    of.try_recv().ok()
}

#[test]
fn an_answer_tells_what_changed_and_what_became_of_the_reactions() {
    let (mut refreshes, now) = (Refreshes::default(), Instant::now());
    let mut answer = ask(&mut refreshes, 5, now);
    refreshes.begin(1, now);
    refreshes.passed(1, Some(&names(&["B", "A"])));
    let tally = Tally { done: 7, failed: 1, pending: 0 };
    let Answer { verdict, report } = answered(&mut refreshes, &mut answer, tally, now).unwrap();
    assert_eq!(verdict, Verdict::Done);
    assert_eq!(
        serde_json::to_value(&report).unwrap(),
        serde_json::json!({
            "ready": true,
            "changed": ["A", "B"],
            "reactions": {"done": 2, "failed": 1, "pending": 0},
            "problems": ["p"],
        })
    );
    assert!(refreshes.is_idle() && refreshes.due().is_none());
}

#[test]
fn only_a_round_that_began_later_meets_a_request() {
    let (mut refreshes, now) = (Refreshes::default(), Instant::now());
    let mut first = ask(&mut refreshes, 0, now);
    refreshes.begin(1, now);
    let mut second = ask(&mut refreshes, 0, now + ms(1));
    // A pass before the round is through, then one with it.
    refreshes.passed(0, Some(&names(&["EARLY"])));
    assert_eq!(answered(&mut refreshes, &mut first, NOTHING, now), None);
    refreshes.passed(1, Some(&names(&["A"])));
    let report = answered(&mut refreshes, &mut first, NOTHING, now).unwrap().report;
    assert_eq!(Vec::from_iter(report.changed), ["A", "EARLY"]);
    assert_eq!(answered(&mut refreshes, &mut second, NOTHING, now), None);
    refreshes.begin(2, now + ms(1000));
    refreshes.passed(1, Some(&[]));
    assert_eq!(answered(&mut refreshes, &mut second, NOTHING, now), None);
    // A round that somebody else has asked for meets it as well.
    refreshes.passed(3, Some(&[]));
    let report = answered(&mut refreshes, &mut second, NOTHING, now).unwrap().report;
    assert_eq!(Vec::from_iter(report.changed), ["A", "EARLY"], "both changed after it was asked");
}

#[test]
fn requests_share_a_round_and_rounds_keep_their_distance() {
    let (mut refreshes, now) = (Refreshes::default(), Instant::now());
    assert_eq!(refreshes.round_due(), None);
    let mut answers = vec![ask(&mut refreshes, 0, now), ask(&mut refreshes, 0, now + ms(1))];
    assert_eq!(refreshes.round_due(), Some(now), "the first is due at once");
    refreshes.begin(1, now);
    assert_eq!(refreshes.round_due(), None);
    answers.push(ask(&mut refreshes, 0, now + ms(10)));
    refreshes.ask(Ask::Nudge(1), 0, now + ms(20));
    assert_eq!(refreshes.round_due(), Some(now + GAP));
    refreshes.begin(2, now + GAP);
    refreshes.passed(2, Some(&[]));
    for mut answer in answers {
        assert_eq!(answered(&mut refreshes, &mut answer, NOTHING, now).unwrap().verdict, Verdict::Done);
    }
    refreshes.ask(Ask::Nudge(1), 0, now + ms(5000));
    assert_eq!(refreshes.round_due(), Some(now + ms(5000)), "after a calm spell at once again");
    assert!(refreshes.is_idle());
}

#[test]
fn a_hundred_requests_a_second_make_one_round_a_second() {
    let (mut refreshes, start) = (Refreshes::default(), Instant::now());
    let mut rounds = 0;
    for count in 0..1000 {
        let now = start + ms(10 * count);
        refreshes.ask(Ask::Nudge(1), 0, now);
        if refreshes.round_due().is_some_and(|due| due <= now) {
            rounds += 1;
            refreshes.begin(rounds, now);
        }
    }
    assert_eq!(rounds, 10);
}

#[test]
fn how_far_it_got_decides_what_is_answered_and_when() {
    let pending = Tally { pending: 1, ..NOTHING };
    let failed = Tally { failed: 1, ..NOTHING };
    let (soon, late) = (1_000, 30_000);
    let done = Some(Verdict::Done);
    for (begun, passed, tally, at, expected) in [
        (false, None, NOTHING, soon, None),
        (false, None, NOTHING, late, Some(Verdict::Late)),
        (true, None, NOTHING, soon, None),
        (true, None, NOTHING, late, Some(Verdict::Late)),
        (true, Some(true), NOTHING, soon, done),
        (true, Some(true), NOTHING, late, done),
        (true, Some(true), pending, soon, None),
        (true, Some(true), pending, late, Some(Verdict::Late)),
        (true, Some(true), failed, soon, done),
        (true, Some(false), NOTHING, soon, Some(Verdict::Incomplete)),
        // Nothing that is still pending comes of a set that is not out.
        (true, Some(false), pending, soon, Some(Verdict::Incomplete)),
    ] {
        let (mut refreshes, now) = (Refreshes::default(), Instant::now());
        let mut answer = ask(&mut refreshes, 0, now);
        if begun {
            refreshes.begin(1, now);
        }
        if let Some(is_out) = passed {
            refreshes.passed(1, is_out.then_some(&[]));
        }
        let got = answered(&mut refreshes, &mut answer, tally, now + ms(at)).map(|answer| answer.verdict);
        assert_eq!(got, expected, "{begun} {passed:?} {tally:?} {at}");
    }
}

#[test]
fn the_loop_looks_again_when_somebodys_patience_ends() {
    let (mut refreshes, now) = (Refreshes::default(), Instant::now());
    let _answer = ask(&mut refreshes, 0, now);
    refreshes.begin(1, now);
    assert_eq!(refreshes.due(), Some(now + ms(30_000)));
    let (reply, _shorter) = oneshot::channel();
    refreshes.ask(Ask::Wait { within: ms(100), reply }, 0, now);
    refreshes.begin(2, now);
    assert_eq!(refreshes.due(), Some(now + ms(100)));
}

#[test]
fn who_has_hung_up_is_forgotten() {
    let (mut refreshes, now) = (Refreshes::default(), Instant::now());
    drop(ask(&mut refreshes, 0, now));
    refreshes.begin(1, now);
    refreshes.answer(NOTHING, &Status::default(), now);
    assert!(refreshes.is_idle());
}
