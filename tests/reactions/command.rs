//! The reaction `command`.

use super::support::{Agent, LEAVE_GROUP, Running, Volume, Workdir, eventually, process, test_app};
use std::os::fd::OwnedFd;

/// A rule that runs a shell script in the test's directory.
pub(crate) fn rule(when: &str, script: &str) -> String {
    format!("- {{when: [{when}], command: {{argv: [sh, -c, {script:?}], timeout: 1h}}}}\n")
}

fn sidecar<'w>(work: &'w Workdir, volume: &Volume, rules: &str) -> Running<'w> {
    let agent = Agent::sidecar(work)
        .mount(volume, "SECRET=db,TLS_KEY=tls")
        .env_file()
        .yaml(&format!("onChange:\n{rules}"))
        .var("AZURE_CLIENT_SECRET", super::support::secret("credential"))
        .var("FOR_ALL", "passed on")
        .start();
    agent.wait_until_ready();
    agent
}

#[test]
fn it_is_told_what_changed_and_nothing_that_is_none_of_its_business() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("tls", "one")]);
    let agent = sidecar(&work, &volume, &rule("'*'", "env > env.new; mv env.new env.txt"));
    volume.rotate(&[("db", "one"), ("tls", "two")]);
    agent.wait_for_status("a reaction", |status| status["reactions"] == 1);
    let told = work.read("env.txt");
    super::support::assert_clean("the command's environment", &told);
    let own: Vec<_> = told.lines().filter(|line| line.starts_with("AKV_AGENT_")).collect();
    assert_eq!(own, ["AKV_AGENT_CHANGED=TLS_KEY"]);
    assert!(told.contains("FOR_ALL=passed on\n") && told.contains("PATH="), "{told}");
    for name in ["AZURE_CLIENT_SECRET", "SECRET=", "TLS_KEY="] {
        assert!(!told.lines().any(|line| line.starts_with(name)), "{told}");
    }
    volume.rotate(&[("db", "two"), ("tls", "three")]);
    agent.wait_for_status("two reactions", |status| status["reactions"] == 2);
    assert!(work.read("env.txt").contains("AKV_AGENT_CHANGED=SECRET TLS_KEY\n"));
    agent.stop().expect(0);
}

#[test]
fn its_output_goes_to_standard_error_and_its_input_is_empty() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let script = "cat; echo said-here; echo and-here >&2; echo done > done";
    // Nobody ever writes into it or closes it.
    let (input, _held) = std::io::pipe().unwrap();
    let program = [&*test_app()];
    let agent = Agent::exec(&work, &program)
        .mount(&volume, "SECRET=db")
        .yaml(&format!("onChange:\n{}", rule("'*'", script)))
        .stdin(OwnedFd::from(input))
        .start();
    agent.wait_for_start(1);
    volume.rotate(&[("db", "two")]);
    agent.wait_for_status("a reaction", |status| status["reactions"] == 1);
    assert_eq!(work.read("done"), "done\n");
    let ended = agent.stop().expect(0);
    for said in ["said-here", "and-here"] {
        assert!(ended.err.lines().any(|line| line == said), "{}", ended.scene);
        assert!(!ended.out.contains(said), "{}", ended.scene);
    }
}

#[test]
fn in_exec_the_child_goes_on_and_the_command_is_no_child_of_the_app() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = Agent::exec(&work, &[&*test_app()])
        .mount(&volume, "SECRET=db")
        .set("ON_CHANGE", "command:touch ran")
        .start();
    let first = agent.wait_for_start(1);
    volume.rotate(&[("db", "two")]);
    let status = agent.wait_for_status("a reaction", |status| status["reactions"] == 1);
    assert!(work.path("ran").exists());
    assert_eq!((&status["child"]["pid"], agent.starts().len()), (&first.pid.into(), 1));
    assert!(agent.signals().is_empty(), "{}", agent.scene());
    // Its end was the command's, not the child's; and nobody is left unreaped.
    agent.wait_until("nobody but the child is left", || {
        process::children(agent.pid()).into_keys().eq([first.pid]).then_some(())
    });
    agent.stop().expect(0);
}

#[test]
fn a_code_a_signal_and_a_missing_program_are_problems_of_their_own() {
    let work = Workdir::new();
    for (count, (argv, problem)) in [
        ("[sh, -c, exit 3, hidden-part]", "run sh: exit code 3"),
        ("[sh, -c, 'kill -KILL $$', hidden-part]", "run sh: signal 9"),
        ("[no-such-program-here, hidden-part]", "no-such-program-here: no such program in PATH"),
        ("[/dev/null, hidden-part]", "/dev/null cannot be executed"),
        ("{argv: [sleep, '1000'], timeout: 200ms}", "run sleep: still running after 200 ms; killed"),
    ]
    .into_iter()
    .enumerate()
    {
        let volume = Volume::new(&work, &[("db", &format!("before {count}")), ("tls", "one")]);
        let agent = sidecar(&work, &volume, &format!("- {{command: {argv}}}\n"));
        volume.rotate(&[("db", &format!("after {count}")), ("tls", "one")]);
        agent.wait_for_problem(problem);
        let ended = agent.stop().expect(0);
        assert!(!ended.err.contains("hidden-part"), "{}", ended.scene);
        std::fs::remove_dir_all(volume.dir()).unwrap();
    }
}

/// A script that leaves a process behind which ends by SIGKILL only, and notes its id.
const STUBBORN: &str = "(trap '' TERM HUP INT; exec sleep 1000) & echo $! > pid.new; mv pid.new pid";

fn stubborn(agent: &Running<'_>, work: &Workdir) -> i32 {
    agent.wait_until("the process has started", || work.read("pid").trim().parse().ok())
}

#[test]
fn what_it_leaves_behind_at_its_end_is_killed() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("tls", "one")]);
    let agent = sidecar(&work, &volume, &rule("'*'", STUBBORN));
    volume.rotate(&[("db", "two"), ("tls", "one")]);
    let pid = stubborn(&agent, &work);
    agent.wait_for_status("a reaction", |status| status["reactions"] == 1);
    agent.wait_until("its end", || (!process::is_running(pid)).then_some(()));
}

#[test]
fn at_its_limit_all_of_it_is_killed() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("tls", "one")]);
    let script = format!("{STUBBORN}; trap '' TERM; wait");
    let rule = format!("- {{command: {{argv: [sh, -c, {script:?}], timeout: 2s}}}}\n");
    let agent = sidecar(&work, &volume, &rule);
    volume.rotate(&[("db", "two"), ("tls", "one")]);
    let pid = stubborn(&agent, &work);
    agent.wait_for_problem("run sh: still running after 2 s; killed");
    agent.wait_until("its end", || (!process::is_running(pid)).then_some(()));
}

#[test]
fn at_its_limit_it_is_killed_also_if_it_has_left_its_group() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("tls", "one")]);
    let argv =
        format!("[python3, {LEAVE_GROUP}, sh, -c, 'echo $$ > pid.new; mv pid.new pid; exec sleep 1000']");
    let agent = sidecar(&work, &volume, &format!("- {{command: {{argv: {argv}, timeout: 2s}}}}\n"));
    volume.rotate(&[("db", "two"), ("tls", "one")]);
    let pid = stubborn(&agent, &work);
    agent.wait_for_problem("run python3: still running after 2 s; killed");
    agent.wait_until("its end", || (!process::is_running(pid)).then_some(()));
}

#[test]
fn an_agent_that_is_told_to_end_leaves_nothing_of_it_behind() {
    for use_ in ["sidecar", "exec"] {
        let work = Workdir::new();
        let volume = Volume::new(&work, &[("db", "one")]);
        let agent = if use_ == "exec" { Agent::exec(&work, &[test_app()]) } else { Agent::sidecar(&work) };
        let yaml = format!("onChange:\n{}", rule("'*'", &format!("{STUBBORN}; wait")));
        let agent = agent.mount(&volume, "SECRET=db").env_file().yaml(&yaml).start();
        agent.wait_until_ready();
        if use_ == "exec" {
            agent.wait_for_start(1);
        }
        volume.rotate(&[("db", "two")]);
        let pid = stubborn(&agent, &work);
        agent.stop().expect(0);
        eventually("its end", || (!process::is_running(pid)).then_some(()));
    }
}

#[test]
fn an_agent_that_is_killed_takes_the_command_with_it() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one"), ("tls", "one")]);
    let agent = sidecar(&work, &volume, &rule("'*'", "echo $$ > pid.new; mv pid.new pid; exec sleep 1000"));
    volume.rotate(&[("db", "two"), ("tls", "one")]);
    let pid = stubborn(&agent, &work);
    agent.signal(libc::SIGKILL);
    agent.wait();
    eventually("its end", || (!process::is_running(pid)).then_some(()));
}
