//! A person at a terminal.

use super::support::{Agent, Ready, Running, Volume, Workdir, process, secret, test_app};
use nix::pty::{OpenptyResult, openpty};
use std::{
    fs::File,
    io::{Read as _, Write as _},
    sync::{Arc, Mutex},
    thread,
};

/// The far end of a terminal: a keyboard and a screen.
pub(super) struct Terminal {
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// Starts an agent that has it as controlling terminal, as a container with `tty: true` does; or what is
    /// given the agent's command line.
    pub(super) fn start<'w>(agent: Agent<'w>, wrapper: &[&str]) -> (Self, Running<'w>) {
        let OpenptyResult { master, slave } = openpty(None, None).unwrap();
        let master = File::from(master);
        let keyboard = master.try_clone().unwrap();
        let screen = Arc::<Mutex<Vec<u8>>>::default();
        let shown = Arc::clone(&screen);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            // Ends with an error when the last one who has the terminal open is gone.
            while let Ok(count @ 1..) = (&master).read(&mut buffer) {
                shown.lock().unwrap().extend_from_slice(&buffer[..count]);
            }
        });
        let stdout = slave.try_clone().unwrap();
        let agent =
            agent.stdin(slave).stdout(stdout).under(&[&["setsid", "--ctty"], wrapper].concat()).start();
        (Self { keyboard, screen }, agent)
    }

    pub(super) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    pub(super) fn wait_for(&self, agent: &Running<'_>, text: &str) {
        let shown = || String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned();
        agent.wait_until(&format!("{text:?} on the screen"), || shown().contains(text).then_some(()));
    }
}

pub(super) const CTRL_C: &str = "\x03";
pub(super) const CTRL_D: &str = "\x04";
pub(super) const CTRL_Z: &str = "\x1a";

#[test]
fn a_shell_can_be_used() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "db")]);
    let (mut terminal, agent) = Terminal::start(Agent::exec(&work, &["sh"]).mount(&volume, "SECRET=db"), &[]);
    // What is typed is echoed, so the answer must look different.
    terminal.press("echo \"$((6 * 7))\" \"$SECRET\"\n");
    terminal.wait_for(&agent, &format!("42 {}", secret("db")));
    // A key that interrupts throws away what was typed and not read, so somebody must be there to be hit.
    terminal.press("sh -c 'echo on $((40 + 3)); exec sleep 1000'\n");
    terminal.wait_for(&agent, "on 43");
    terminal.press(CTRL_C);
    terminal.press("echo \"still $((40 + 4))\"\n");
    terminal.wait_for(&agent, "still 44");
    terminal.press("exit 3\n");
    agent.wait().expect(3);
}

#[test]
fn ctrl_c_reaches_the_child_once_also_after_a_restart() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let program = [&*test_app(), "--log", "log", "--stop-on", "3"];
    let agent = Agent::exec(&work, &program)
        .mount(&volume, "SECRET=db")
        .yaml("onChange: [{restart: {signal: QUIT}}]\n");
    let (mut terminal, agent) = Terminal::start(agent, &[]);
    // It says that it is ready when it runs; whether it is in the foreground as well, the kernel knows.
    let in_foreground = |start: usize| {
        let ready = agent.wait_until("a start", || Ready::all_in(&work.read("log")).get(start - 1).copied());
        agent.wait_until("the foreground", || {
            process::stat(ready.pid).filter(|stat| stat.foreground == ready.group)
        });
    };
    let told = |signal: &str, count| {
        agent.wait_until(&format!("{signal} x {count}"), || {
            (work.read("log").matches(signal).count() == count).then_some(())
        });
    };
    in_foreground(1);
    agent.wait_until_ready();
    terminal.press(CTRL_C);
    told("signal 2\n", 1);
    volume.rotate(&[("db", "two")]);
    in_foreground(2);
    terminal.press(CTRL_C);
    told("signal 2\n", 2);
    terminal.press("\x1c");
    agent.wait().expect(0);
    let log = work.read("log");
    // SIGCONT comes with the stop, which might find a child that is stopped.
    let signals: Vec<_> = log.lines().filter(|l| l.starts_with("signal") && *l != "signal 18").collect();
    assert_eq!(signals, ["signal 2", "signal 3", "signal 2", "signal 3"]);
}

#[test]
fn the_child_can_read_a_line_after_a_restart() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let script = "echo \"hello $SECRET\"; while read -r line; do echo \"<$line>\"; done";
    let (mut terminal, agent) =
        Terminal::start(Agent::exec(&work, &["sh", "-c", script]).mount(&volume, "SECRET=db"), &[]);
    terminal.wait_for(&agent, &secret("one"));
    terminal.press("first\n");
    terminal.wait_for(&agent, "<first>");
    agent.wait_until_ready();
    volume.rotate(&[("db", "two")]);
    terminal.wait_for(&agent, &secret("two"));
    terminal.press("second\n");
    terminal.wait_for(&agent, "<second>");
    terminal.press(CTRL_D);
    agent.wait().expect(0);
}
