//! Signals on their way through the agent.

use super::support::{Agent, Running, Volume, Workdir, process, test_app};
use libc::{SIGCHLD, SIGKILL, SIGPIPE, SIGSTOP, SIGUSR1, SIGUSR2};
use nix::{
    sys::{ptrace, wait::waitpid},
    unistd::Pid,
};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    process::Command,
};

/// The kernel keeps two for itself, and SIGCHLD is about the agent's own children.
const NOT_FORWARDED: [i32; 3] = [SIGKILL, SIGSTOP, SIGCHLD];

/// Not for programs: C libraries take the first real-time signals for themselves.
const TAKEN_BY_LIBC: [i32; 3] = [32, 33, 34];

fn start<'w>(work: &'w Workdir, arguments: &[&str]) -> Running<'w> {
    let volume = Volume::new(work, &[("db", "db")]);
    let app = test_app();
    let program: Vec<&str> = [&*app].into_iter().chain(arguments.iter().copied()).collect();
    let agent = Agent::exec(work, &program).mount(&volume, "SECRET=db").start();
    agent.wait_for_start(1);
    agent
}

#[test]
fn every_signal_that_can_be_forwarded_reaches_the_child_exactly_once() {
    let work = Workdir::new();
    let agent = start(&work, &["--stop-on", "0"]);
    let signals: Vec<i32> = (1..=64)
        .filter(|signal| !NOT_FORWARDED.contains(signal) && !TAKEN_BY_LIBC.contains(signal))
        .collect();
    for (sent, signal) in signals.iter().enumerate() {
        agent.signal(*signal);
        agent.wait_until(&format!("signal {signal}"), || (agent.signals().len() > sent).then_some(()));
    }
    // Had one of them been forwarded twice, the second would have come before the later ones.
    assert_eq!(agent.signals(), signals, "{}", agent.scene());
    assert_eq!(agent.starts().len(), 1);
}

#[test]
fn that_nobody_reads_the_agents_log_is_no_signal_for_the_child() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let pipe = work.path("stderr");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&pipe).unwrap();
    let agent = Agent::exec(&work, &[test_app()])
        .mount(&volume, "SECRET=db")
        .set("ON_CHANGE", "signal:USR1")
        .under(&["sh", "-c", r#"exec "$@" 2>stderr"#, "sh"])
        .start();
    agent.wait_for_start(1);
    agent.wait_until_ready();
    drop(reader);
    // What is done about the first change is logged, in vain, before the second one is looked at.
    for (count, value) in ["two", "three"].into_iter().enumerate() {
        volume.rotate(&[("db", value)]);
        agent.wait_until("it is told", || (agent.signals().len() > count).then_some(()));
    }
    agent.signal(SIGPIPE);
    agent.wait_for_signal(SIGPIPE);
    agent.signal(SIGUSR2);
    let all = agent.wait_for_signal(SIGUSR2);
    assert_eq!(all, [SIGUSR1, SIGUSR1, SIGPIPE, SIGUSR2], "{}", agent.scene());
}

#[test]
fn the_first_real_time_signals_of_another_libc_are_forwarded_too() {
    // 34 is SIGRTMIN for a program that uses glibc; musl, with which the agent is built, hides it.
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "db")]);
    let script = "trap 'echo got 34; exit 5' 34; echo trapped; while :; do sleep 0.02; done";
    let agent = Agent::exec(&work, &["sh", "-c", script]).mount(&volume, "SECRET=db").start();
    agent.wait_for_line("trapped");
    agent.wait_until_ready();
    agent.signal(34);
    let ended = agent.wait().expect(5);
    assert!(ended.out.contains("got 34"), "{}", ended.scene);
}

#[test]
fn queued_real_time_signals_are_forwarded_one_by_one() {
    let work = Workdir::new();
    let agent = start(&work, &["--stop-on", "0"]);
    // Many at a time, in one process, so that they queue up in front of the agent.
    let pid = agent.pid();
    let burst = format!("i=0; while [ $i -lt 200 ]; do kill -40 {pid}; i=$((i+1)); done; kill -41 {pid}");
    assert!(Command::new("sh").args(["-c", &burst]).status().unwrap().success());
    let got = agent.wait_until("the last one", || {
        Some(agent.signals()).filter(|signals| signals.iter().filter(|s| **s >= 40).count() >= 201)
    });
    assert_eq!(got, [vec![40; 200], vec![41]].concat());
}

#[test]
fn a_flood_of_signals_holds_up_nothing_else() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    // No other child is started, which the flood would end before it is ready for signals.
    let agent = Agent::exec(&work, &[test_app()])
        .mount(&volume, "SECRET=db")
        .yaml("onChange: [{none: true}]\n")
        .start();
    agent.wait_for_start(1);
    agent.wait_until_ready();
    // Each of them ends with the agent.
    let flood = format!("while kill -40 {}; do :; done", agent.pid());
    let mut senders = [(); 8].map(|()| Command::new("sh").args(["-c", &flood]).spawn().unwrap());
    agent.wait_until("the flood", || (agent.signals().len() > 5000).then_some(()));
    volume.rotate(&[("db", "two")]);
    agent.wait_for_log("snapshot applied changed=SECRET");
    for sender in &mut senders {
        sender.kill().unwrap();
        sender.wait().unwrap();
    }
    agent.stop().expect(0);
}

#[test]
fn the_child_alone_is_signalled_not_what_it_started() {
    let work = Workdir::new();
    let agent = start(&work, &["--spawn", "--stop-on 0 --log member", "--code", "4"]);
    let log = || work.read("member");
    agent.wait_until("the member is ready", || log().contains("ready").then_some(()));
    agent.signal(libc::SIGUSR1);
    agent.wait_for_signal(libc::SIGUSR1);
    agent.signal(libc::SIGTERM);
    agent.wait().expect(4);
    assert!(!log().contains("signal"), "{}", log());
}

#[test]
fn sigterm_lets_the_child_end_in_its_own_way() {
    let work = Workdir::new();
    let agent = start(&work, &["--code", "42"]);
    let ended = agent.stop().expect(42);
    assert!(ended.out.ends_with(&format!("signal 15\nended {}\n", pid_in(&ended.out))), "{}", ended.scene);
}

#[test]
fn a_second_sigterm_kills_the_whole_group() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "db")]);
    // Neither of them ends by SIGTERM.
    let script = "trap 'echo asked' TERM; sh -c \"trap '' TERM; echo helper \\$\\$; while :; do sleep 0.1; done\" & \
                  while :; do wait; done";
    let agent = Agent::exec(&work, &["sh", "-c", script]).mount(&volume, "SECRET=db").start();
    let helper = agent.wait_until("the helper", || {
        agent.out().lines().find_map(|line| line.strip_prefix("helper ")?.parse::<i32>().ok())
    });
    agent.wait_until_ready();
    agent.signal(libc::SIGTERM);
    agent.wait_for_line("asked");
    assert!(process::is_running(helper));
    agent.signal(libc::SIGTERM);
    agent.wait().expect(128 + libc::SIGKILL);
    super::support::eventually("the helper's end", || (!process::is_running(helper)).then_some(()));
}

#[test]
fn a_stopped_child_goes_on_when_told_to() {
    let work = Workdir::new();
    let agent = start(&work, &["--stop-on", "0"]);
    let child = agent.starts()[0].pid;
    process::send(child, SIGSTOP);
    let is_stopped = || process::stat(child).filter(|stat| stat.state == 'T');
    agent.wait_until("it is stopped", is_stopped);
    assert!(process::is_running(agent.pid()), "a child that is stopped has not ended");
    agent.signal(libc::SIGCONT);
    agent.wait_for_signal(libc::SIGCONT);
}

/// An agent whose child does not outlive it.
fn start_mortal<'w>(work: &'w Workdir, volume: &Volume) -> Running<'w> {
    let agent = Agent::exec(work, &[test_app()])
        .mount(volume, "SECRET=db")
        .yaml("exec: {parentDeathSignal: KILL}\n")
        .start();
    agent.wait_for_start(1);
    agent.wait_until_ready();
    agent
}

#[test]
fn an_agent_that_aborts_ends() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = start_mortal(&work, &volume);
    // There is no more memory than it has, and nothing to do without.
    let limited = Command::new("prlimit").args([&format!("--pid={}", agent.pid()), "--as=1"]).status();
    assert!(limited.unwrap().success());
    volume.rotate(&[("db", &"x".repeat(1 << 19))]);
    agent.wait().expect(-libc::SIGABRT);
}

/// Writes zeros, which are no instruction that could be executed, where a process goes on after its system call.
fn corrupt(pid: i32) -> nix::Result<()> {
    let main = Pid::from_raw(pid);
    ptrace::seize(main, ptrace::Options::empty())?;
    ptrace::interrupt(main)?;
    waitpid(main, None)?;
    let call = fs::read_to_string(format!("/proc/{pid}/syscall")).expect("a system call");
    let address = call.trim_end().rsplit_once(" 0x").expect("an address at its end").1;
    let address = usize::from_str_radix(address, 16).expect("a number");
    ptrace::write(main, address as ptrace::AddressType, 0)?;
    ptrace::detach(main, None)
}

#[test]
fn an_agent_that_does_what_no_program_may_ends() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = start_mortal(&work, &volume);
    if let Err(errno) = corrupt(agent.pid()) {
        // Not by a macro, whose output is shown only if the test fails.
        let _ = writeln!(io::stderr(), "skipped: the agent cannot be traced: {errno}");
        return;
    }
    agent.signal(SIGUSR1);
    let code = agent.wait().code;
    assert!([libc::SIGSEGV, libc::SIGILL].contains(&-code), "{code}");
}

fn pid_in(out: &str) -> &str {
    out.split_once("ready pid=").and_then(|(_, rest)| rest.split(' ').next()).expect("a start")
}
