//! `exec`, `probation` and `restartBudget`.

use super::*;

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

fn exec(yaml: &str) -> Exec {
    read(yaml, &[]).exec
}

#[test]
fn how_the_child_is_run_is_read_key_by_key() {
    let socket = |name: &str, text: &str| Socket {
        name: name.into(),
        endpoint: Endpoint::Tcp(text.parse().expect("an address")),
    };
    let (web, admin) = (socket("unknown", "0.0.0.0:8080"), socket("admin", "[::1]:9000"));
    let default = Exec::default;
    for (yaml, expected) in [
        ("{}", default()),
        ("{signals: , grace: , restartPolicy: , parentDeathSignal: , listen: }", default()),
        ("{signals: child, grace: off, restartPolicy: Never, parentDeathSignal: off}", default()),
        ("{signals: group}", Exec { signals: Recipients::Group, ..default() }),
        ("{grace: false}", default()),
        ("{grace: 0s}", Exec { grace: Some(Duration::ZERO), ..default() }),
        ("{grace: 25s}", Exec { grace: Some(seconds(25)), ..default() }),
        ("{restartPolicy: OnFailure}", Exec { restart_policy: RestartPolicy::OnFailure, ..default() }),
        ("{restartPolicy: on-failure}", Exec { restart_policy: RestartPolicy::OnFailure, ..default() }),
        ("{restartPolicy: ALWAYS}", Exec { restart_policy: RestartPolicy::Always, ..default() }),
        ("{parentDeathSignal: kill}", Exec { parent_death_signal: Some(libc::SIGKILL), ..default() }),
        ("{parentDeathSignal: SIGTERM}", Exec { parent_death_signal: Some(libc::SIGTERM), ..default() }),
        ("{listen: 0.0.0.0:8080}", Exec { listen: vec![web.clone()], ..default() }),
        ("{listen: ['0.0.0.0:8080', 'admin=[::1]:9000']}", Exec { listen: vec![web, admin], ..default() }),
        ("{listen: []}", default()),
    ] {
        assert_eq!(exec(&format!("exec: {yaml}")), expected, "{yaml}");
    }
}

#[test]
fn probation_is_off_a_time_or_a_mapping() {
    let default = Probation::default;
    let tcp = Check::Tcp { host: Host::Loopback, port: 8080, timeout: seconds(5) };
    let get = HttpRequest {
        method: Method::Get,
        host: Host::Loopback,
        port: 80,
        path: "/".into(),
        expect: (200, 299),
        timeout: seconds(5),
    };
    let run = Command { argv: vec!["check".into()], timeout: seconds(2) };
    let checked = |check| Some(Probation { check: Some(check), ..default() });
    for (yaml, expected) in [
        ("off", None),
        ("false", None),
        ("", Some(default())),
        ("{}", Some(default())),
        ("1m", Some(Probation { time: seconds(60), ..default() })),
        ("{for: 1m, interval: 5s}", Some(Probation { time: seconds(60), interval: seconds(5), ..default() })),
        ("{check: {http: 'http://localhost'}}", checked(Check::Http(get))),
        ("{check: {tcp: 'localhost:8080'}}", checked(tcp)),
        ("{check: {command: {argv: [check], timeout: 2s}}}", checked(Check::Command(run))),
        (
            "{stop: {signal: QUIT, grace: 5s}}",
            Some(Probation { stop: Stop { signal: libc::SIGQUIT, grace: seconds(5) }, ..default() }),
        ),
        ("{stop: {}}", Some(default())),
    ] {
        assert_eq!(exec(&format!("probation: {yaml}")).probation, expected, "{yaml}");
    }
    for (text, expected) in [("off", None), ("90s", Some(Probation { time: seconds(90), ..default() }))] {
        assert_eq!(read("probation: 1s", &[("AKV_AGENT_PROBATION", text)]).exec.probation, expected);
    }
}

#[test]
fn a_budget_is_off_or_what_differs_from_the_default() {
    let budget = |free, first, longest, calm| {
        Some(RestartBudget { free, first: seconds(first), longest: seconds(longest), calm: seconds(calm) })
    };
    for (yaml, expected) in [
        ("off", None),
        ("false", None),
        ("", budget(10, 10, 300, 600)),
        ("{}", budget(10, 10, 300, 600)),
        ("{free: 0, first: 1s, longest: 2s, calm: 3s}", budget(0, 1, 2, 3)),
        ("{first: 10m}", budget(10, 600, 600, 600)),
        ("{longest: 1h}", budget(10, 10, 3600, 3600)),
    ] {
        assert_eq!(exec(&format!("restartBudget: {yaml}")).budget, expected, "{yaml}");
    }
}

#[test]
fn each_mistake_has_its_key_and_its_remedy() {
    const BUDGET: &str = "write off, or a mapping with free, first, longest and calm";
    const CHECK: &str = "needs exactly one of http, tcp and command";
    const DURATION: &str = "not a duration; write a number and a unit, such as 250ms, 5s, 2m, 1h or 1h30m";
    const STOP: &str = "not a signal for a stop; use TERM, INT, QUIT, HUP, USR1, USR2, ALRM, WINCH or KILL";
    for (yaml, expected) in [
        ("exec: restart", "exec: a mapping of keys to values is expected here"),
        ("exec: {signal: group}", "exec.signal: unknown key; did you mean `signals`?"),
        ("exec: {signals: all}", "exec.signals: unknown recipients; use child or group"),
        ("exec: {grace: 5}", &format!("exec.grace: {DURATION}")),
        (
            "exec: {restartPolicy: sometimes}",
            "exec.restartPolicy: unknown policy; use Never, OnFailure or Always",
        ),
        ("exec: {parentDeathSignal: CONT}", &format!("exec.parentDeathSignal: {STOP}")),
        (
            "exec: {listen: [localhost]}",
            "exec.listen[0]: not a place to listen at; write IP:PORT such as 0.0.0.0:8080, or unix:/path, with \
             NAME= before it if the program tells its sockets apart by name",
        ),
        (
            "exec: {listen: ['[::]:80', 'b=[::]:80']}",
            "exec.listen[1]: another socket listens there as well; keep one",
        ),
        ("probation: 0s", "probation: no time at all; write more than 0s"),
        ("probation: soon", &format!("probation: {DURATION}")),
        ("probation: {time: 1m}", "probation.time: unknown key; known here: for, check, interval, stop"),
        ("probation: {for: 0s}", "probation.for: no time at all; write more than 0s"),
        ("probation: {interval: 0s}", "probation.interval: no time at all; write more than 0s"),
        ("probation: {check: {}}", &format!("probation.check: {CHECK}")),
        ("probation: {check: {tcp: 'localhost:1', command: [a]}}", &format!("probation.check: {CHECK}")),
        (
            "probation: {check: {startTime: true}}",
            "probation.check.startTime: unknown key; known here: http, tcp, command",
        ),
        ("probation: {check: true}", "probation.check: a mapping of keys to values is expected here"),
        ("probation: {stop: TERM}", "probation.stop: a mapping of keys to values is expected here"),
        ("probation: {stop: {signal: CONT}}", &format!("probation.stop.signal: {STOP}")),
        ("restartBudget: 10", &format!("restartBudget: {BUDGET}")),
        ("restartBudget: {free: -1}", "restartBudget.free: not a whole number; write one such as 10"),
        ("restartBudget: {free: 4294967296}", "restartBudget.free: not a whole number; write one such as 10"),
        ("restartBudget: {first: 0s}", "restartBudget.first: no time at all; write more than 0s"),
        (
            "restartBudget: {longest: 9s}",
            "restartBudget.longest: shorter than first; make it at least as long",
        ),
        ("restartBudget: {calm: 299s}", "restartBudget.calm: shorter than longest; make it at least as long"),
    ] {
        let report = load_with(yaml, &Environment::new()).expect_err(yaml);
        assert_eq!(report, format!("FILE:1: {expected}"), "{yaml}");
    }
}
