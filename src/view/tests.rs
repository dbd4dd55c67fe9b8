use super::*;
use serde_json::json;
use std::time::Duration;

fn now() -> SystemTime {
    // 2001-09-09T01:46:40Z
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000)
}

fn status() -> Value {
    json!({
        "use": "exec",
        "version": "1.2.3",
        "ready": true,
        "variables": {
            "API_KEY": {
                "source": "https://v.example/secrets/api",
                "version": "0123",
                "changed": "2001-09-09T01:46:30Z",
                "expires": "2001-09-12T01:46:40Z",
                "problem": "https://v.example/secrets/api: disabled; enable it",
            },
            "SECRET": {"source": "mount file 'db'", "changed": "2001-09-08T20:46:40Z", "stale": true,
                       "behindSince": "2001-09-09T01:36:40Z"},
        },
        "problems": ["one", "two\u{1b}[2J"],
        "skipped": ["three"],
        "mount": {"generation": "..2001", "watch": "inotify"},
        "vault": {"requests": 1, "lastSuccess": "2001-09-09T01:46:40Z"},
        "set": "aa11",
        "rejected": {"set": "bb22", "at": "2001-09-09T01:45:40Z", "reason": "exit code 1"},
        "rollbacks": 1,
        "child": {"pid": 7, "started": "2001-09-09T01:46:30Z", "set": "aa11", "onProbation": true, "restarts": 2},
        "target": {"target": "process:nginx", "state": "absent", "pids": [], "detail": "no such process"},
        "verifications": {"success": 5, "failure": 1},
        "unverified": "no answer",
        "owed": [{"reaction": "SIGHUP", "variables": ["A", "B"], "problem": "nobody there"}],
        "passes": 1, "changes": 0, "reactions": 3, "failedReactions": 4,
    })
}

const TEXT: &str = r"exec 1.2.3, ready
mount      watched, now ..2001
vault      1 request, last with success 2001-09-09T01:46:40Z (0 s ago)
set        aa11
rejected   bb22 since 2001-09-09T01:45:40Z (60 s ago): exit code 1
rollbacks  1
child      process 7, 2 restarts, started 2001-09-09T01:46:30Z (10 s ago), has the newest set, which has still to prove itself
target     process:nginx, absent: no such process
changes    0 in 1 pass
reactions  3 done, 4 failed
proof      5 times taken by the app, 1 times not; the last time: no answer
owed       SIGHUP, for A, B: nobody there

VARIABLE  SOURCE                         VERSION  CHANGED                          EXPIRES                        NOTE
API_KEY   https://v.example/secrets/api  0123     2001-09-09T01:46:30Z (10 s ago)  2001-09-12T01:46:40Z (in 3 d)  only the last good value: https://v.example/secrets/api: disabled; enable it
SECRET    mount file 'db'                -        2001-09-08T20:46:40Z (5 h ago)   -                              stale, behind the vault since 2001-09-09T01:36:40Z (10 min ago)

problem: one
problem: two\u{1b}[2J

skipped: three
";

#[test]
fn everything_is_told_in_aligned_columns() {
    assert_eq!(View::of(&status(), now()).unwrap().to_string(), TEXT);
}

#[test]
fn a_child_that_has_another_set_says_which() {
    let fact = |set: Value| {
        let status = json!({"set": "aa11", "child": {"pid": 7, "restarts": 0, "set": set}});
        facts::of(&status, now()).pop().unwrap().1
    };
    assert_eq!(fact(json!("bb22")), "process 7, 0 restarts, has set bb22");
    assert_eq!(fact(json!(null)), "process 7, 0 restarts");
}

#[test]
fn parts_that_are_not_there_have_no_line() {
    let status = json!({"use": "sidecar", "version": "1", "ready": false, "variables": {}, "problems": []});
    let view = View::of(&status, now()).unwrap();
    assert_eq!(view.to_string(), "sidecar 1, not ready: the first complete set is not there yet\n");
}

#[test]
fn a_mount_that_is_polled_and_a_vault_that_never_answered_say_so() {
    let mut status = status();
    status["mount"] = json!({"watch": "poll"});
    status["vault"] = json!({"requests": 2, "lastSuccess": null});
    let view = View::of(&status, now()).unwrap();
    let fact = |name| &view.facts.iter().find(|(known, _)| *known == name).unwrap().1;
    assert!(fact("mount").starts_with("read again"), "{view}");
    assert_eq!(fact("vault"), "2 requests, last with success never");
}

#[test]
fn a_file_that_is_behind_but_not_stale_yet_is_noted() {
    let variable = json!({"stale": false, "behindSince": "2001-09-09T01:46:30Z"});
    assert_eq!(note(&variable, now()), "behind the vault since 2001-09-09T01:46:30Z (10 s ago)");
    assert_eq!(note(&json!({"stale": false}), now()), "-");
}

#[test]
fn what_is_no_status_is_told_from_one() {
    for other in [json!(null), json!([]), json!({"ready": true}), json!({"variables": {}, "ready": "yes"})] {
        assert_eq!(View::of(&other, now()), None, "{other}");
    }
}
