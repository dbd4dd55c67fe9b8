//! Settings that are made of several durations.

use super::*;

#[test]
fn settling_takes_up_to_three_durations() {
    let settle = |quiet, max, interval| Settle {
        quiet: Duration::from_secs(quiet),
        max: Duration::from_secs(max),
        interval: Duration::from_secs(interval),
    };
    for (yaml, expected) in [
        ("settle: 1s", settle(1, 5, 0)),
        ("settle: '2s'", settle(2, 8, 0)),
        ("settle: '1s:2s'", settle(1, 2, 0)),
        ("settle: '0s : 5s : 1m'", settle(0, 5, 60)),
        ("settle: {interval: 1m}", settle(0, 5, 60)),
        ("settle: {quiet: 10s}", settle(10, 40, 0)),
        ("settle: {quiet: , max: 7s}", settle(0, 7, 0)),
        ("settle: {}", settle(0, 5, 0)),
    ] {
        assert_eq!(read(yaml, &[]).settle, expected, "{yaml}");
    }
    for (yaml, part) in [
        ("settle: '2s:1s'", "settle: max is shorter than quiet"),
        ("settle: ''", "settle: not a duration"),
        ("settle: '1s:'", "settle: not a duration"),
        ("settle: '1s:1s:1s:1s'", "settle: not a duration"),
        ("settle: {quiet: 2s, max: 1s}", "settle: max is shorter than quiet"),
        ("settle: {interval: often}", "settle.interval: not a duration"),
        ("settle: {intervall: 1s}", "settle.intervall: unknown key; did you mean `interval`?"),
    ] {
        let report = load_with(yaml, &Environment::new()).expect_err(yaml);
        assert!(report.contains(part) && report.lines().count() == 1, "{yaml}: {report}");
    }
}

#[test]
fn a_stale_mount_is_a_duration_and_a_source() {
    let stale = |seconds, use_| Some(StaleMount { after: Duration::from_secs(seconds), use_ });
    for (yaml, expected) in [
        ("staleMount: off", None),
        ("staleMount: false", None),
        ("staleMount: 3m", stale(180, Trusted::Mount)),
        ("staleMount: '3m:vault'", stale(180, Trusted::Vault)),
        ("staleMount: {after: 1h}", stale(3600, Trusted::Mount)),
        ("staleMount: {use: vault}", stale(600, Trusted::Vault)),
        ("staleMount: {}", stale(600, Trusted::Mount)),
        ("staleMount:", stale(600, Trusted::Mount)),
    ] {
        let config = read(yaml, &[]);
        assert_eq!((config.stale_mount, config.compared()), (expected, expected), "{yaml}");
    }
    for (yaml, part) in [
        ("staleMount: 0s", "staleMount: no time at all"),
        ("staleMount: on", "staleMount: not a duration"),
        ("staleMount: '3m:'", "staleMount: unknown source; use mount or vault"),
        ("staleMount: {after: 3m, use: both}", "staleMount.use: unknown source"),
        ("staleMount: {after: 0ms}", "staleMount.after: no time at all"),
        ("staleMount: {grace: 3m}", "staleMount.grace: unknown key"),
        ("staleMount: [3m]", "staleMount: a mapping"),
    ] {
        let report = load_with(yaml, &Environment::new()).expect_err(yaml);
        assert!(report.contains(part) && report.lines().count() == 1, "{yaml}: {report}");
    }
}
