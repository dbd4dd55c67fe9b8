//! The agent as a job of a shell at a terminal: Ctrl-Z, `fg`, `bg`, and who may read what is typed.

use super::{
    parent::{inner_pid, new_namespaces},
    support::{Agent, Running, Volume, Workdir, process, secret},
    terminal::{CTRL_C, CTRL_D, CTRL_Z, Terminal},
};
/// A shell at a terminal, whose variable `RUN` is the agent's command line, in quotes where it needs them.
fn start<'w>(work: &'w Workdir, program: &[&str]) -> (Terminal, Running<'w>) {
    let volume = Volume::new(work, &[("db", "one")]);
    start_with(Agent::exec(work, program).mount(&volume, "SECRET=db"))
}

/// Typed by a person.
const RUN: &str = "eval \"$RUN\"\n";

fn start_with(agent: Agent<'_>) -> (Terminal, Running<'_>) {
    let shell = "printf -v RUN '%q ' \"$0\" \"$@\"; export RUN PS1=; exec bash --norc --noprofile -i";
    let (mut terminal, shell) = Terminal::start(agent, &["bash", "-c", shell]);
    // What is typed is echoed, so an answer must look different.
    terminal.press("echo shell $((1 + 1))\n");
    terminal.wait_for(&shell, "shell 2");
    (terminal, shell)
}

/// The only child of a process, once there is one.
fn only_child(shell: &Running<'_>, pid: i32) -> i32 {
    shell.wait_until("a child", || process::children(pid).into_keys().next())
}

fn wait_for_state(shell: &Running<'_>, pid: i32, states: &str) {
    shell.wait_until(&format!("{pid} in one of {states}"), || {
        process::stat(pid).filter(|stat| states.contains(stat.state))
    });
}

/// Waits until a program of this name has the terminal, and returns its id. What is typed earlier is read all the
/// same, but a shell may be about to change how the terminal shows it.
fn wait_for_program(shell: &Running<'_>, name: &str) -> i32 {
    shell.wait_until(&format!("{name} in the foreground"), || {
        let pid = process::stat(shell.pid())?.foreground;
        (process::name(pid)? == name).then_some(pid)
    })
}

/// A key that sends a signal throws away what was typed and not read, so what is typed after it must wait for
/// whom it is for.
fn wait_for_foreground(shell: &Running<'_>, group: i32) {
    shell.wait_until(&format!("{group} in the foreground"), || {
        process::stat(shell.pid()).filter(|stat| stat.foreground == group)
    });
}

#[test]
fn ctrl_z_gives_the_shell_its_terminal_back_and_fg_goes_on() {
    let work = Workdir::new();
    let (mut terminal, shell) = start(&work, &["cat"]);
    terminal.press(RUN);
    wait_for_program(&shell, "cat");
    terminal.press("one\n");
    terminal.wait_for(&shell, "one\r\none");
    for round in ["two", "three"] {
        terminal.press(CTRL_Z);
        wait_for_foreground(&shell, shell.pid());
        terminal.press(&format!("echo {round} $((40 + 2))\n"));
        terminal.wait_for(&shell, &format!("{round} 42"));
        terminal.press("fg\n");
        wait_for_program(&shell, "cat");
        terminal.press(&format!("{round}\n"));
        terminal.wait_for(&shell, &format!("{round}\r\n{round}"));
    }
    terminal.press(CTRL_D);
    terminal.press("echo code $? $((40 + 3))\n");
    terminal.wait_for(&shell, "code 0 43");
    terminal.press("exit 3\n");
    shell.wait().expect(3);
}

#[test]
fn all_of_a_stopped_job_stops_and_goes_on() {
    let work = Workdir::new();
    // The shell waits for one that is stopped by the same key.
    let (mut terminal, shell) = start(&work, &["sh", "-c", "echo in $((1 + 2)); sleep 1000; exit 6"]);
    terminal.press(RUN);
    terminal.wait_for(&shell, "in 3");
    let agent = only_child(&shell, shell.pid());
    let child = only_child(&shell, agent);
    let sleep = only_child(&shell, child);
    // A shell cannot be stopped while it waits for what it starts to get started.
    shell.wait_until("sleep", || (process::name(sleep)? == "sleep").then_some(()));
    let family = [agent, child, sleep];
    terminal.press(CTRL_Z);
    for pid in family {
        wait_for_state(&shell, pid, "T");
    }
    wait_for_foreground(&shell, shell.pid());
    terminal.press("bg\n");
    for pid in family {
        wait_for_state(&shell, pid, "SR");
    }
    wait_for_foreground(&shell, shell.pid());
    terminal.press("fg\n");
    // The shell that goes on tells nobody; what is given to the agent is for it to ask for, or for Ctrl-C.
    wait_for_foreground(&shell, agent);
    process::send(sleep, libc::SIGTERM);
    terminal.press("echo code $? $((40 + 3))\n");
    terminal.wait_for(&shell, "code 6 43");
}

#[test]
fn a_job_in_the_background_stops_when_it_reads_and_goes_on_in_the_foreground() {
    let work = Workdir::new();
    let (mut terminal, shell) = start(&work, &["cat"]);
    terminal.press("eval \"$RUN &\"\n");
    let agent = only_child(&shell, shell.pid());
    wait_for_state(&shell, agent, "T");
    terminal.press("fg\n");
    wait_for_program(&shell, "cat");
    terminal.press("one\n");
    terminal.wait_for(&shell, "one\r\none");
    terminal.press(CTRL_C);
    wait_for_foreground(&shell, shell.pid());
    terminal.press("echo code $? $((40 + 3))\n");
    terminal.wait_for(&shell, "code 130 43");
}

#[test]
fn a_job_that_came_to_the_foreground_without_a_stop_may_read_too() {
    let work = Workdir::new();
    let script = "until [ -e go ]; do sleep 0.01; done; exec cat";
    let (mut terminal, shell) = start(&work, &["sh", "-c", script]);
    terminal.press("eval \"$RUN &\"\n");
    let agent = only_child(&shell, shell.pid());
    only_child(&shell, agent);
    terminal.press("fg\n");
    wait_for_foreground(&shell, agent);
    work.write("go", "");
    wait_for_program(&shell, "cat");
    terminal.press("one\n");
    terminal.wait_for(&shell, "one\r\none");
    terminal.press(CTRL_D);
    terminal.press("echo code $? $((40 + 3))\n");
    terminal.wait_for(&shell, "code 0 43");
}

#[test]
fn a_restart_in_the_background_leaves_the_terminal_to_the_shell() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let script = "echo \"in $SECRET\"; exec sleep 1000";
    let agent = Agent::exec(&work, &["sh", "-c", script]).mount(&volume, "SECRET=db");
    let (mut terminal, shell) = start_with(agent);
    terminal.press("eval \"$RUN &\"\n");
    terminal.wait_for(&shell, &format!("in {}", secret("one")));
    shell.wait_until_ready();
    volume.rotate(&[("db", "two")]);
    terminal.wait_for(&shell, &format!("in {}", secret("two")));
    terminal.press("echo here $((40 + 2))\n");
    terminal.wait_for(&shell, "here 42");
    assert_eq!(process::stat(shell.pid()).map(|stat| stat.foreground), Some(shell.pid()));
}

#[test]
fn an_interactive_shell_has_jobs_of_its_own() {
    let work = Workdir::new();
    let program = ["bash", "--norc", "--noprofile", "-i"];
    let (mut terminal, shell) = start(&work, &program);
    terminal.press(RUN);
    let agent = only_child(&shell, shell.pid());
    let inner = only_child(&shell, agent);
    terminal.press("echo inner $((1 + 2))\n");
    terminal.wait_for(&shell, "inner 3");
    terminal.press("cat\n");
    wait_for_program(&shell, "cat");
    terminal.press("one\n");
    terminal.wait_for(&shell, "one\r\none");
    terminal.press(CTRL_Z);
    wait_for_foreground(&shell, inner);
    terminal.press("echo still $PPID inside $((40 + 2))\n");
    terminal.wait_for(&shell, &format!("still {agent} inside 42"));
    wait_for_state(&shell, agent, "SR");
    terminal.press("fg\n");
    wait_for_program(&shell, "cat");
    terminal.press("two\n");
    terminal.wait_for(&shell, "two\r\ntwo");
    terminal.press(CTRL_C);
    wait_for_foreground(&shell, inner);
    terminal.press("echo code $? $((40 + 3))\n");
    terminal.wait_for(&shell, "code 130 43");
    // A shell that stops itself is no different from any program that does.
    terminal.press("suspend\n");
    wait_for_state(&shell, inner, "T");
    wait_for_foreground(&shell, shell.pid());
    terminal.press("fg\n");
    terminal.press("echo again $((40 + 4))\n");
    terminal.wait_for(&shell, "again 44");
    terminal.press("exit 5\n");
    terminal.press("echo code $? $((40 + 5))\n");
    terminal.wait_for(&shell, "code 5 45");
}

#[test]
fn a_script_gets_its_terminal_back() {
    let work = Workdir::new();
    let (mut terminal, shell) = start(&work, &["cat"]);
    terminal.press("sh -c \"$RUN; read -r line; echo \\\"after: <\\$line>\\\"\"\n");
    wait_for_program(&shell, "cat");
    terminal.press("one\n");
    terminal.wait_for(&shell, "one\r\none");
    // All of the script is the job that stops.
    terminal.press(CTRL_Z);
    wait_for_foreground(&shell, shell.pid());
    terminal.press("fg\n");
    wait_for_program(&shell, "cat");
    terminal.press("two\n");
    terminal.wait_for(&shell, "two\r\ntwo");
    terminal.press(CTRL_D);
    terminal.press("three\n");
    terminal.wait_for(&shell, "after: <three>");
}

#[test]
fn a_pager_that_reads_the_output_has_the_terminal() {
    let work = Workdir::new();
    let (mut terminal, shell) = start(&work, &["sh", "-c", "echo from the program; exec sleep 1000"]);
    let pager = "read -r line; echo \"<$line>\"; read -r key < /dev/tty; echo \"<$key>\"";
    work.write("pager", pager);
    terminal.press("eval \"$RUN | sh ./pager\"\n");
    terminal.wait_for(&shell, "<from the program>");
    terminal.press("a key\n");
    terminal.wait_for(&shell, "<a key>");
    terminal.press(CTRL_C);
    wait_for_foreground(&shell, shell.pid());
    terminal.press("echo here $((40 + 2))\n");
    terminal.wait_for(&shell, "here 42");
}

#[test]
fn a_pager_that_is_the_program_gets_the_terminal() {
    let work = Workdir::new();
    let pager = "read -r line; echo \"<$line>\"; read -r key < /dev/tty; echo \"<$key>\"";
    let (mut terminal, shell) = start(&work, &["sh", "-c", pager]);
    terminal.press("eval \"echo from a file | $RUN\"\n");
    terminal.wait_for(&shell, "<from a file>");
    terminal.press("a key\n");
    terminal.wait_for(&shell, "<a key>");
    terminal.press("echo here $((40 + 2))\n");
    terminal.wait_for(&shell, "here 42");
}

#[test]
fn whoever_leads_a_session_has_nobody_to_stop_for() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = Agent::exec(&work, &["cat"]).mount(&volume, "SECRET=db");
    let (mut terminal, agent) = Terminal::start(agent, &[]);
    terminal.press("one\n");
    terminal.wait_for(&agent, "one\r\none");
    stop_and_continue(&mut terminal, &agent, agent.pid());
    agent.wait().expect(0);
}

#[test]
fn pid_1_does_not_stop() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let agent = Agent::exec(&work, &["cat"]).mount(&volume, "SECRET=db");
    let wrapper = new_namespaces(&["--pid", "--fork", "--mount-proc", "--kill-child"]);
    let (mut terminal, agent) = Terminal::start(agent, &wrapper);
    terminal.press("one\n");
    terminal.wait_for(&agent, "one\r\none");
    stop_and_continue(&mut terminal, &agent, inner_pid(&agent));
    agent.wait().expect(0);
}

fn stop_and_continue(terminal: &mut Terminal, agent: &Running<'_>, pid: i32) {
    let child = only_child(agent, pid);
    terminal.press(CTRL_Z);
    wait_for_state(agent, child, "T");
    // It answers, so it has not stopped; and it is the one to tell that the child may go on.
    agent.wait_until_ready();
    process::send(pid, libc::SIGCONT);
    terminal.press("two\n");
    terminal.wait_for(agent, "two\r\ntwo");
    terminal.press(CTRL_D);
}
