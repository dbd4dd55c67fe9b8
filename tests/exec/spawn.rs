//! The state in which a program is started, whatever state the agent was started in.

use super::{
    parent::new_namespaces,
    support::{Agent, Volume, Workdir, assert_clean, process, secret, test_app},
};
use dev_vault::DevVault;
use std::{
    fs::{self, OpenOptions},
    net::TcpStream,
    process::{Command, Stdio},
};

/// Prints its own signals. A shell would put its own mask right, and `grep` has a handler.
const SIGNALS: [&str; 4] = ["sed", "-n", "/^Sig[BI]/p", "/proc/self/status"];

const ALL_DEFAULT: &str = "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n";

/// What it prints where [`hostile`] is.
const ALL_BUT_KILL_AND_STOP: &str = "SigBlk:\tfffffffffffbfeff\nSigIgn:\tfffffffffffbfeff\n";

/// A parent that has blocked and ignored all that it could.
fn hostile() -> [&'static str; 2] {
    ["python3", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/exec/block_and_ignore.py")]
}

fn exec<'w>(work: &'w Workdir, program: &[&str]) -> Agent<'w> {
    let volume = Volume::new(work, &[("db", "one")]);
    Agent::exec(work, program).mount(&volume, "SECRET=db")
}

#[test]
fn every_signal_is_as_it_is_by_default() {
    let line = [&hostile()[..], &SIGNALS].concat();
    let plain = Command::new(line[0]).args(&line[1..]).output().unwrap();
    assert_eq!(String::from_utf8(plain.stdout).unwrap(), ALL_BUT_KILL_AND_STOP, "the wrapper does its work");

    for flags in [&[][..], &["--no-watch"]] {
        for wrapper in [&[][..], &hostile()] {
            let work = Workdir::new();
            let ended = exec(&work, &SIGNALS).arguments(flags).under(wrapper).finish().expect(0);
            assert_eq!(ended.out, ALL_DEFAULT, "{flags:?} {wrapper:?}");
        }
    }
}

#[test]
fn a_parent_that_ignores_and_blocks_everything_makes_no_difference() {
    exec(&Workdir::new(), &["sh", "-c", "exit 7"]).under(&hostile()).finish().expect(7);
    let work = Workdir::new();
    let agent = exec(&work, &[&test_app()]).under(&hostile()).start();
    let child = agent.wait_for_start(1);
    for signal in [libc::SIGHUP, libc::SIGUSR1] {
        agent.signal(signal);
        agent.wait_for_signal(signal);
    }
    assert_eq!(process::stat(child.pid).map(|stat| stat.parent), Some(agent.pid()));
    agent.stop().expect(0);
}

/// A shell's own pattern, so that no further process counts its descriptors.
const DESCRIPTORS: &str = "set -- /proc/self/fd/*; echo \"${*##*/}\"";

#[test]
fn no_descriptor_of_the_agent_is_left_open_however_many_it_has() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("tls", "key")]);
    let vault = DevVault::builder().secret("db", &secret("one")).start().unwrap();
    let script = format!("{DESCRIPTORS}; exec sleep 1000");
    let agent = Agent::exec(&work, &["sh", "-c", &script])
        .vault(&vault, "SECRET=db,TLS_KEY=mount:tls")
        .set("MOUNT", volume.text())
        .set("POLL_INTERVAL", "1s")
        .env_file()
        .start();
    // A client that stays, beside the connections to the vault.
    agent.wait_until_ready();
    let _client = TcpStream::connect(agent.address()).unwrap();
    let open = || fs::read_dir(format!("/proc/{}/fd", agent.pid())).unwrap().flatten();
    let kinds = || open().filter_map(|fd| Some(fs::read_link(fd.path()).ok()?.display().to_string()));
    for kind in ["[signalfd]", "[eventfd]", "inotify", "[eventpoll]"] {
        agent.wait_until(kind, || kinds().find(|found| found.contains(kind)));
    }
    agent.wait_until("sockets", || {
        (kinds().filter(|found| found.starts_with("socket:")).count() > 2).then_some(())
    });
    let wait_for_lines =
        |count| agent.wait_until("its list", || (agent.out().lines().count() == count).then_some(()));
    wait_for_lines(1);
    volume.rotate(&[("tls", "another")]);
    wait_for_lines(2);

    let plain = Command::new("sh").args(["-c", DESCRIPTORS]).stdin(Stdio::null()).output().unwrap();
    let plain = String::from_utf8(plain.stdout).unwrap();
    assert_eq!(agent.out(), plain.repeat(2), "{}", agent.scene());
}

#[test]
fn the_kernel_tells_the_child_of_the_agents_death_where_that_is_asked_for() {
    for (yaml, told) in [("exec: {parentDeathSignal: INT}\n", true), ("", false)] {
        let work = Workdir::new();
        let volume = Volume::new(&work, &[("db", "one")]);
        let agent = Agent::exec(&work, &[test_app()]).mount(&volume, "SECRET=db").yaml(yaml).start();
        agent.wait_for_start(1);
        agent.wait_until_ready();
        volume.rotate(&[("db", "two")]);
        let child = agent.wait_for_start(2).pid;
        process::send(agent.pid(), libc::SIGKILL);
        if told {
            agent.wait_for_signal(libc::SIGINT);
        }
        let orphaned = || process::stat(child).filter(|stat| stat.parent != agent.pid());
        agent.wait_until("an orphan", orphaned);
        assert_eq!(agent.signals().contains(&libc::SIGINT), told, "{}", agent.scene());
        process::send(child, libc::SIGKILL);
        agent.wait().expect(-libc::SIGKILL);
    }
}

#[test]
fn a_parent_outside_of_the_childs_pid_namespace_is_no_dead_one() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    // The child is PID 1 of a new namespace, for which its parent has no id; the command is another process in it
    // and is to be killed if the agent is.
    let agent = Agent::exec(&work, &[test_app()])
        .mount(&volume, "SECRET=db")
        .yaml("exec: {parentDeathSignal: INT}\nonChange: [{command: [touch, told]}]\n")
        .under(&new_namespaces(&["--pid"]))
        .start();
    assert_eq!(agent.wait_for_start(1).pid, 1);
    agent.wait_for_log("child started");
    volume.rotate(&[("db", "two")]);
    agent.wait_until("what the command does", || work.path("told").exists().then_some(()));
    assert!(agent.signals().is_empty(), "{}", agent.scene());
    agent.stop().expect(0);
}

#[test]
fn why_a_program_was_not_started_is_told_in_the_kernels_words() {
    let work = Workdir::executable();
    let busy = work.path("busy");
    fs::copy("/bin/true", &busy).unwrap();
    let _writer = OpenOptions::new().write(true).open(&busy).unwrap();
    let ended = exec(&work, &[busy.to_str().unwrap()]).finish().expect(126);
    assert!(ended.complaints()[0].contains("busy cannot be executed: Text file busy"), "{}", ended.scene);

    let work = Workdir::new();
    let volume = Volume::empty(&work);
    let long = "x".repeat(100_000);
    volume.write_raw(&[("one", &long), ("two", &long)]);
    let ended = Agent::exec(&work, &["true"])
        .mount(&volume, "ONE=one,TWO=two")
        .under(&["sh", "-c", "ulimit -s 256; exec \"$@\"", "sh"])
        .finish()
        .expect(126);
    let complaint = ended.complaints()[0];
    assert!(complaint.contains("Argument list too long") && complaint.contains("files"), "{complaint}");
}

#[test]
fn neither_proc_nor_a_root_that_can_be_written_is_needed() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let bare = "mount -t tmpfs none /proc && mount -o remount,bind,ro / && exec \"$@\"";
    let script = "ls /proc | wc -l; touch /akv-agent-was-here 2>&1; echo \"$SECRET\"; exec sleep 1000";
    let agent = Agent::exec(&work, &["sh", "-c", script])
        .mount(&volume, "SECRET=db")
        .under(&[&new_namespaces(&["--mount"])[..], &["sh", "-c", bare, "sh"]].concat())
        .start();
    for label in ["one", "two"] {
        agent.wait_until_ready();
        volume.rotate(&[("db", label), ("other", label)]);
        agent.wait_for_line(&secret(label));
    }
    let out = agent.out();
    assert_eq!(out.lines().next(), Some("0"), "{out}");
    assert_eq!(out.matches("Read-only file system").count(), 2, "{out}");
    agent.stop().expect(143);
}

#[test]
fn a_search_path_that_is_a_secret_is_not_told() {
    let work = Workdir::new();
    let volume = Volume::empty(&work);
    let directory = work.make_dir(&secret("path"));
    fs::write(directory.join("not-a-program"), "").unwrap();
    volume.write_raw(&[("path", directory.to_str().unwrap())]);
    let ended = Agent::exec(&work, &["not-a-program"]).mount(&volume, "PATH=path").finish().expect(126);
    assert!(ended.complaints()[0].contains("not-a-program cannot be executed"), "{}", ended.scene);
    assert_clean("what it says", &ended.complaints().join("\n"));
}
