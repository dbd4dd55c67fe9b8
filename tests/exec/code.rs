//! The code with which the agent ends.

use super::support::{Agent, Finished, Volume, Workdir, test_app};
use std::{fs, os::unix::fs::PermissionsExt as _};

fn run(program: &[&str]) -> Finished {
    let work = Workdir::executable();
    let volume = Volume::new(&work, &[("db", "db")]);
    Agent::exec(&work, program).mount(&volume, "SECRET=db").finish()
}

#[test]
fn the_childs_code_is_the_agents() {
    for code in [0, 1, 7, 64, 125, 126, 127, 128, 143, 255] {
        run(&["sh", "-c", &format!("exit {code}")]).expect(code);
    }
}

#[test]
fn a_child_that_a_signal_ended_gives_128_and_its_number() {
    for signal in [1, 2, 6, 9, 11, 15, 31, 36, 64] {
        run(&["sh", "-c", &format!("kill -{signal} $$; sleep 20")]).expect(128 + signal);
    }
}

#[test]
fn a_program_that_is_not_there_gives_127() {
    for program in ["no-such-program", "/no/such/program", "./no-such-program", "/etc/passwd/program"] {
        let ended = run(&[program]).expect(127);
        let complaints = ended.complaints();
        assert_eq!(complaints.len(), 1, "{}", ended.scene);
        assert!(
            complaints[0].contains(program) && complaints[0].contains("no such program"),
            "{complaints:?}"
        );
        let looked_up = !program.contains('/');
        assert_eq!(complaints[0].contains("in PATH"), looked_up, "{complaints:?}");
    }
}

#[test]
fn a_file_that_cannot_be_executed_gives_126() {
    let work = Workdir::executable();
    let volume = Volume::new(&work, &[("db", "db")]);
    let plain = work.write("plain", "#!/bin/sh\n");
    fs::set_permissions(&plain, fs::Permissions::from_mode(0o644)).unwrap();
    let garbage = work.write("garbage", [0x7f, b'E', b'L', b'F', 0, 0]);
    fs::set_permissions(&garbage, fs::Permissions::from_mode(0o755)).unwrap();
    let lost = work.write("lost", "#!/no/such/interpreter\n");
    fs::set_permissions(&lost, fs::Permissions::from_mode(0o755)).unwrap();
    let directory = work.make_dir("directory");
    for program in [plain, garbage, lost, directory] {
        let agent = Agent::exec(&work, &[&program]).mount(&volume, "SECRET=db");
        let ended = agent.finish().expect(126);
        let complaints = ended.complaints();
        assert_eq!(complaints.len(), 1, "{}", ended.scene);
        assert!(complaints[0].contains(program.to_str().unwrap()), "{complaints:?}");
    }
    // By name, too: found in PATH, but not executable.
    let agent = Agent::exec(&work, &["plain"]).mount(&volume, "SECRET=db").var("PATH", work.text("."));
    agent.finish().expect(126);
}

#[test]
fn a_program_is_looked_up_in_path() {
    let work = Workdir::executable();
    let volume = Volume::new(&work, &[("db", "db")]);
    for (directory, code) in [("first", 3), ("second", 4)] {
        work.make_dir(directory);
        let script = work.write(&format!("{directory}/script"), format!("#!/bin/sh\nexit {code}\n"));
        fs::set_permissions(script, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("/nowhere:{}:{}", work.text("first"), work.text("second"));
    Agent::exec(&work, &["script"]).mount(&volume, "SECRET=db").var("PATH", &path).finish().expect(3);
    fs::set_permissions(work.path("first/script"), fs::Permissions::from_mode(0o644)).unwrap();
    Agent::exec(&work, &["script"]).mount(&volume, "SECRET=db").var("PATH", &path).finish().expect(4);
}

#[test]
fn a_failure_of_the_agent_itself_gives_125() {
    let work = Workdir::new();
    let agent = || Agent::exec(&work, &["touch", "started"]);
    for agent in [
        agent().set("ENV", "SECRET=db"),
        agent().set("ENV", "SECRET=db").set("MOUNT", "/no/such/mount").set("TIMEOUT", "200ms"),
        agent().set("NONSENSE", "1"),
        agent().argument("--config").argument("/no/such/file"),
        agent().set("LISTEN", "192.0.2.1:1"),
    ] {
        let ended = agent.finish().expect(125);
        assert!(!work.path("started").exists(), "{}", ended.scene);
        assert_eq!(ended.complaints().len(), 1, "{}", ended.scene);
    }
}

#[test]
fn a_command_line_that_makes_no_sense_is_a_failure_of_the_agent_too() {
    let work = Workdir::new();
    for (arguments, code) in [
        (&["exec"][..], 125),
        (&["exec", "--nonsense", "--", "true"], 125),
        (&["exec", "--config"], 125),
        (&["exec", "--"], 125),
        (&["nonsense"], 64),
    ] {
        let (command, others) = arguments.split_first().unwrap();
        let ended = Agent::new(&work, command).arguments(others).finish().expect(code);
        let complaints = ended.complaints();
        assert!(complaints.len() == 1 && complaints[0].contains("--help"), "{}", ended.scene);
    }
}

#[test]
fn signals_before_the_first_set_end_the_agent_as_they_end_any_program() {
    for (signal, code) in
        [(libc::SIGTERM, 143), (libc::SIGINT, 130), (libc::SIGQUIT, 131), (libc::SIGHUP, 129)]
    {
        let work = Workdir::new();
        let volume = Volume::empty(&work);
        let agent = Agent::exec(&work, &[test_app()]).mount(&volume, "SECRET=db").start();
        agent.wait_for_problem("is empty");
        agent.signal(signal);
        let ended = agent.wait().expect(code);
        assert_eq!(ended.out, "", "nothing was started");
    }
}

#[test]
fn a_crash_without_a_change_ends_the_agent() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = Agent::exec(&work, &[test_app()]).mount(&volume, "SECRET=db").start();
    super::support::process::send(agent.wait_for_start(1).pid, libc::SIGKILL);
    let ended = agent.wait().expect(137);
    assert!(!ended.out.contains("ended"), "{}", ended.scene);
}
