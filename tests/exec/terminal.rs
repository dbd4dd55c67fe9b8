//! A person at a terminal.

use super::support::{Agent, Running, Volume, Workdir, secret, test_app};
use nix::pty::{OpenptyResult, openpty};
use std::{
    fs::File,
    io::{Read as _, Write as _},
    sync::{Arc, Mutex},
    thread,
};

/// The far end of a terminal: a keyboard and a screen.
struct Terminal {
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    /// Starts an agent that has it as controlling terminal, as a container with `tty: true` does.
    fn start<'w>(agent: Agent<'w>) -> (Self, Running<'w>) {
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
        let agent = agent.stdin(slave).stdout(stdout).under(&["setsid", "--ctty"]).start();
        (Self { keyboard, screen }, agent)
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    fn wait_for(&self, agent: &Running<'_>, text: &str) {
        let shown = || String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned();
        agent.wait_until(&format!("{text:?} on the screen"), || shown().contains(text).then_some(()));
    }
}

const CTRL_C: &str = "\x03";

#[test]
fn a_shell_can_be_used() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "db")]);
    let (mut terminal, agent) = Terminal::start(Agent::exec(&work, &["sh"]).mount(&volume, "SECRET=db"));
    // What is typed is echoed, so the answer must look different.
    terminal.press("echo \"$((6 * 7))\" \"$SECRET\"\n");
    terminal.wait_for(&agent, &format!("42 {}", secret("db")));
    terminal.press("sleep 1000\n");
    terminal.wait_for(&agent, "sleep 1000");
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
    let (mut terminal, agent) = Terminal::start(agent);
    let log = |part: &str, count| {
        let text = || work.read("log");
        agent.wait_until(&format!("{part} x {count}"), || {
            (text().matches(part).count() == count).then_some(())
        });
    };
    log("ready", 1);
    agent.wait_until_ready();
    terminal.press(CTRL_C);
    log("signal 2\n", 1);
    volume.rotate(&[("db", "two")]);
    log("ready", 2);
    terminal.press(CTRL_C);
    log("signal 2\n", 2);
    terminal.press("\x1c");
    agent.wait().expect(0);
    let signals: Vec<_> =
        work.read("log").lines().filter(|l| l.starts_with("signal")).map(String::from).collect();
    assert_eq!(signals, ["signal 2", "signal 3", "signal 2", "signal 3"]);
}

#[test]
fn the_child_can_read_a_line_after_a_restart() {
    let work = Workdir::new();
    let volume = Volume::new(&work, &[("db", "one")]);
    let script = "echo \"hello $SECRET\"; while read -r line; do echo \"<$line>\"; done";
    let (mut terminal, agent) =
        Terminal::start(Agent::exec(&work, &["sh", "-c", script]).mount(&volume, "SECRET=db"));
    terminal.wait_for(&agent, &secret("one"));
    terminal.press("first\n");
    terminal.wait_for(&agent, "<first>");
    agent.wait_until_ready();
    volume.rotate(&[("db", "two")]);
    terminal.wait_for(&agent, &secret("two"));
    terminal.press("second\n");
    terminal.wait_for(&agent, "<second>");
    terminal.press("\x04");
    agent.wait().expect(0);
}
