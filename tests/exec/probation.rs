//! How a set proves itself: by the child's life, and by a check.

use super::support::{Agent, Running, Volume, Workdir, free_address, process};
use serde_json::Value;
use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// An app that only tells with which set it runs.
const APP: &str = "echo \"runs ${SECRET##*-}\"; trap 'exit 0' TERM; while :; do sleep 0.05; done";

fn start<'w>(work: &'w Workdir, volume: &Volume, yaml: &str) -> Running<'w> {
    let agent = Agent::exec(work, &["sh", "-c", APP]).mount(volume, "SECRET=db").yaml(yaml).start();
    agent.wait_until_ready();
    agent.wait_for_line("runs first");
    agent
}

fn count(agent: &Running<'_>, line: &str) -> usize {
    agent.out().lines().filter(|other| *other == line).count()
}

/// Whether the child has the set that is out, and that has proved itself.
fn is_good(status: &Value) -> bool {
    status["child"]["set"] == status["set"] && status["child"]["onProbation"] == false
}

/// What becomes of a second set under a check that passes or does not.
fn second_set_under(check: &str, passes: bool) {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first")]);
    let yaml = format!("probation: {{for: 400ms, interval: 50ms, check: {check}}}\n");
    let agent = start(&work, &volume, &yaml);
    volume.rotate(&[("db", "second")]);
    agent.wait_for_line("runs second");
    if passes {
        let status = agent.wait_for_status("the set is good", is_good);
        assert_eq!((&status["rollbacks"], &status["rejected"]), (&0.into(), &().into()), "{status}");
    } else {
        agent.wait_until("the first is back", || (count(&agent, "runs first") == 2).then_some(()));
        let status = agent.wait_for_status("the rejected set", |status| status["rejected"].is_object());
        let reason = status["rejected"]["reason"].as_str().unwrap();
        assert!(reason.contains("the check did not pass: "), "{reason}");
    }
    let ended = agent.stop().expect(0);
    assert_eq!(ended.out.matches("runs ").count(), if passes { 2 } else { 3 }, "{}", ended.scene);
}

/// Answers every request with `status`.
pub(super) fn server(status: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        }
    });
    address
}

#[test]
fn an_http_check_decides() {
    second_set_under(&format!("{{http: \"http://{}/healthz\"}}", server("200 OK")), true);
    second_set_under(&format!("{{http: \"http://{}/healthz\"}}", server("503 Service Unavailable")), false);
}

#[test]
fn a_tcp_check_decides() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    second_set_under(&format!("{{tcp: \"{}\"}}", listener.local_addr().unwrap()), true);
    second_set_under(&format!("{{tcp: \"{}\"}}", free_address()), false);
}

#[test]
fn a_command_decides() {
    second_set_under("{command: [\"true\"]}", true);
    second_set_under("{command: [\"false\"]}", false);
}

#[test]
fn what_the_last_check_says_counts() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first")]);
    // It comes up late, as apps do.
    let up = work.path("up");
    let yaml =
        format!("probation: {{for: 2s, interval: 50ms, check: {{command: [test, -e, {}]}}}}\n", up.display());
    let agent = start(&work, &volume, &yaml);
    volume.rotate(&[("db", "second")]);
    agent.wait_for_line("runs second");
    work.write("up", "");
    let status = agent.wait_for_status("the set is good", is_good);
    assert_eq!((&status["rollbacks"], count(&agent, "runs first")), (&0.into(), 1), "{status}");

    // It came up, but did not stay so.
    volume.rotate(&[("db", "third")]);
    agent.wait_for_line("runs third");
    fs::remove_file(&up).unwrap();
    agent.wait_until("the second is back", || (count(&agent, "runs second") == 2).then_some(()));
    agent.stop().expect(0);
}

#[test]
fn a_check_that_does_not_answer_does_not_hold_up_the_agent() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first")]);
    // It takes connections and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&asked);
    thread::spawn(move || {
        let _kept: Vec<_> = listener.incoming().inspect(|_| flag.store(true, Ordering::Release)).collect();
    });
    let yaml = format!(
        "probation: {{for: 1s, interval: 50ms, check: {{http: {{url: \"http://{address}/\", timeout: 60s}}}}}}\n"
    );
    let agent = start(&work, &volume, &yaml);
    volume.rotate(&[("db", "second")]);
    agent.wait_for_line("runs second");
    agent.wait_until("the check", || asked.load(Ordering::Acquire).then_some(()));
    // Signals are forwarded, and changes acted on.
    volume.rotate(&[("db", "third")]);
    agent.wait_for_line("runs third");
    agent.stop().expect(0);
}

/// A shell's command that counts its runs in `runs`, and does something else at the first than later on.
fn script(work: &Workdir, first: &str, later: &str) -> String {
    let runs = work.text("runs");
    let script = work.write(
        "check.sh",
        format!("echo run >> {runs}; if [ $(wc -l < {runs}) = 1 ]; then {first}; else {later}; fi\n"),
    );
    format!("[sh, {}]", script.display())
}

#[test]
fn a_check_that_passes_once_and_then_hangs_has_not_passed() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first")]);
    let argv = script(&work, "exit 0", "exec sleep 1000");
    let yaml = format!(
        "probation: {{for: 2s, interval: 50ms, check: {{command: {{argv: {argv}, timeout: 3s}}}}}}\n"
    );
    let agent = start(&work, &volume, &yaml);
    volume.rotate(&[("db", "second")]);
    agent.wait_until("the first is back", || (count(&agent, "runs first") == 2).then_some(()));
    let status = agent.wait_for_status("the rejected set", |status| status["rejected"].is_object());
    let reason = status["rejected"]["reason"].as_str().unwrap();
    assert!(reason.contains("the check did not pass: run sh: still running after 3 s"), "{reason}");
    agent.stop().expect(0);
}

#[test]
fn a_check_that_is_under_way_when_the_time_is_over_decides() {
    const TIME: Duration = Duration::from_secs(2);
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first")]);
    let up = work.text("up");
    let argv = script(&work, "exit 1", &format!("until [ -e {up} ]; do sleep 0.02; done"));
    let yaml = format!("probation: {{for: {TIME:?}, interval: 50ms, check: {{command: {argv}}}}}\n");
    let agent = start(&work, &volume, &yaml);
    volume.rotate(&[("db", "second")]);
    agent.wait_for_line("runs second");
    let began = Instant::now();
    agent.wait_until("the second check", || (work.read("runs").lines().count() == 2).then_some(()));
    agent.wait_until("the end of the time", || (began.elapsed() > TIME).then_some(()));
    let status = agent.status();
    assert_eq!(
        (&status["child"]["onProbation"], &status["rejected"]),
        (&true.into(), &().into()),
        "{status}"
    );
    work.write("up", "");
    let status = agent.wait_for_status("the set is good", is_good);
    assert_eq!((&status["rollbacks"], count(&agent, "runs first")), (&0.into(), 1), "{status}");
    agent.stop().expect(0);
}

#[test]
fn a_check_that_cannot_be_made_says_nothing_about_the_set() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first")]);
    let (absent, script) = (work.text("absent"), work.text("script"));
    work.write("script", "#!/bin/sh\n");
    for (program, words) in [(&absent, "absent: no such program"), (&script, "script cannot be executed: ")] {
        let yaml = format!("probation: {{for: 300ms, interval: 20ms, check: {{command: [{program}]}}}}\n");
        let agent = start(&work, &volume, &yaml);
        volume.rotate(&[("db", "second")]);
        agent.wait_for_line("runs second");
        let status = agent.wait_for_status("the set is good", is_good);
        assert_eq!((&status["rollbacks"], &status["rejected"]), (&0.into(), &().into()), "{status}");
        let problem = agent.wait_for_problem(words);
        assert!(problem.starts_with("the check of a new set cannot be made"), "{problem}");
        assert_eq!(agent.err().matches(words).count(), 1, "it is said once: {}", agent.scene());

        agent.stop().expect(0);
        volume.rotate(&[("db", "first")]);
    }

    // The child's life counts all the same.
    let yaml = format!("probation: {{for: 1h, interval: 20ms, check: {{command: [{absent}]}}}}\n");
    let agent = start(&work, &volume, &yaml);
    volume.rotate(&[("db", "second")]);
    agent.wait_for_line("runs second");
    agent.wait_for_status("the second is tried", |status| status["child"]["onProbation"] == true);
    process::send(agent.child(), libc::SIGKILL);
    agent.wait_until("the first is back", || (count(&agent, "runs first") == 2).then_some(()));
    agent.stop().expect(0);
}

#[test]
fn a_check_that_could_be_made_once_counts_as_the_last_one() {
    let work = Workdir::executable();
    let volume = Volume::new(&work, &[("db", "first")]);
    // It is taken away by its own first run.
    let check = work.text("check");
    let yaml = format!("probation: {{for: 300ms, interval: 50ms, check: {{command: [{check}]}}}}\n");
    let agent = start(&work, &volume, &yaml);
    for (label, code) in [("second", 0), ("wrong", 1)] {
        let script = work.write("new", format!("#!/bin/sh\nrm {check}; exit {code}\n"));
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(script, &check).unwrap();
        volume.rotate(&[("db", label)]);
        agent.wait_for_line(&format!("runs {label}"));
        if code == 0 {
            agent.wait_for_status("the set is good", is_good);
            agent.wait_until_well();
        } else {
            agent.wait_until("the second is back", || (count(&agent, "runs second") == 2).then_some(()));
            agent.wait_for_problem("the check did not pass: ");
        }
    }
    agent.stop().expect(0);
}

#[test]
fn without_probation_a_set_is_good_at_once() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "first")]);
    let app = "case $SECRET in *wrong*) exit 3;; esac; echo \"runs ${SECRET##*-}\"; \
               trap 'exit 0' TERM; while :; do sleep 0.05; done";
    let agent =
        Agent::exec(&work, &["sh", "-c", app]).mount(&volume, "SECRET=db").yaml("probation: off\n").start();
    agent.wait_until_ready();
    agent.wait_for_line("runs first");
    volume.rotate(&[("db", "wrong")]);
    agent.wait().expect(3);
}
