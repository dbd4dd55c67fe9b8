//! An agent that runs, and what became of it.

use super::{Answer, Ready, Workdir, app, canary, http, process, scene::Scene, wait};
use serde_json::Value;
use std::{
    fs,
    net::SocketAddr,
    os::unix::process::ExitStatusExt as _,
    path::PathBuf,
    process::{Child, ExitStatus},
    thread,
};

/// What [`super::Agent::start`] knows of an agent.
pub(super) struct Started<'w> {
    pub(super) child: Child,
    pub(super) work: &'w Workdir,
    pub(super) command: String,
    pub(super) variables: Vec<String>,
    pub(super) listen: Option<SocketAddr>,
    pub(super) out: PathBuf,
    pub(super) err: PathBuf,
}

/// An agent that runs; killed, with what it has started, when a test lets go of it.
pub(crate) struct Running<'w> {
    started: Started<'w>,
    status: Option<ExitStatus>,
}

/// An agent that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its exit code; minus the signal that ended it.
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
    /// For messages.
    pub(crate) scene: String,
}

impl<'w> From<Started<'w>> for Running<'w> {
    fn from(started: Started<'w>) -> Self {
        Self { started, status: None }
    }
}

impl Finished {
    /// Fails unless it ended with this code.
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "the exit code\n{}", self.scene);
        self
    }

    /// The lines on standard error that say why it ended, without the log.
    pub(crate) fn complaints(&self) -> Vec<&str> {
        self.err.lines().filter_map(|line| line.strip_prefix("akv-agent: ")).collect()
    }
}

impl Running<'_> {
    /// Its process id; that of the program it runs under, if it was given one that does not make way.
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.started.child.id()).expect("process ids are ints")
    }

    /// Standard output so far.
    pub(crate) fn out(&self) -> String {
        fs::read_to_string(&self.started.out).unwrap_or_default()
    }

    /// Standard error so far.
    pub(crate) fn err(&self) -> String {
        fs::read_to_string(&self.started.err).unwrap_or_default()
    }

    /// All there is to see of it.
    pub(crate) fn scene(&self) -> String {
        let (out, err) = (self.out(), self.err());
        let Started { work, command, variables, .. } = &self.started;
        let ended = self.status.map(|status| format!("ended with {status}"));
        Scene { command, variables, work, ended: ended.as_deref(), out: &out, err: &err }.describe()
    }

    /// Looks until there is something to see; after a while says that `what` never came, and what is there.
    pub(crate) fn wait_until<T>(&self, what: &str, probe: impl FnMut() -> Option<T>) -> T {
        wait::look(probe)
            .unwrap_or_else(|| panic!("still not after {:?}: {what}\n{}", wait::PATIENCE, self.scene()))
    }

    /// Waits until standard output has this line.
    pub(crate) fn wait_for_line(&self, line: &str) {
        self.wait_until(&format!("the line {line:?}"), || self.out().lines().find(|l| *l == line).map(drop));
    }

    /// Waits until standard error has this in it.
    pub(crate) fn wait_for_log(&self, part: &str) {
        self.wait_until(&format!("{part:?} on standard error"), || self.err().find(part).map(drop));
    }

    /// Every start of a test-app that it has told of.
    pub(crate) fn starts(&self) -> Vec<Ready> {
        Ready::all_in(&self.out())
    }

    /// Waits until the child has been started for the `count`th time, and returns that start.
    pub(crate) fn wait_for_start(&self, count: usize) -> Ready {
        self.wait_until(&format!("start number {count}"), || self.starts().get(count - 1).copied())
    }

    /// The signals that its test-app has told of.
    pub(crate) fn signals(&self) -> Vec<i32> {
        app::signals_in(&self.out())
    }

    /// Waits until its test-app has told of a signal, and returns all so far.
    pub(crate) fn wait_for_signal(&self, signal: i32) -> Vec<i32> {
        self.wait_until(&format!("signal {signal}"), || {
            Some(self.signals()).filter(|signals| signals.contains(&signal))
        })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.started.listen.expect("an agent that listens")
    }

    /// Asks the listener, which must answer.
    pub(crate) fn request(&self, method: &str, path: &str) -> Answer {
        self.request_with(method, path, &[])
    }

    /// Asks the listener, which must answer, with these headers.
    pub(crate) fn request_with(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let ask = || http::request(self.address(), method, path, headers).ok();
        let answer = self.wait_until("an answer", ask);
        canary::assert_clean(path, &answer.head);
        canary::assert_clean(path, &answer.body);
        answer
    }

    /// What `/v1/status` says.
    pub(crate) fn status(&self) -> Value {
        self.request("GET", "/v1/status").json()
    }

    /// The process id of its child, as soon as the status has it: there, the last one that has ended may still be.
    pub(crate) fn child(&self) -> i32 {
        self.wait_until("its child", || {
            let pid = self.status()["child"]["pid"].as_i64()?.try_into().ok()?;
            process::is_running(pid).then_some(pid)
        })
    }

    /// Waits until `/v1/status` is as wanted, and returns it.
    pub(crate) fn wait_for_status(&self, what: &str, mut is_wanted: impl FnMut(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = wait::look(|| {
            last = self.status();
            is_wanted(&last).then(|| last.clone())
        });
        found.unwrap_or_else(|| panic!("the status never is: {what}\n{last:#}\n{}", self.scene()))
    }

    /// Waits until the first set is out.
    pub(crate) fn wait_until_ready(&self) {
        self.wait_for_status("ready", |status| status["ready"] == true);
    }

    /// Waits until it is ready and owes nothing, and has made another pass since.
    pub(crate) fn wait_until_idle(&self) {
        self.wait_until_ready();
        let passes = self.status()["passes"].as_u64();
        self.signal(libc::SIGHUP);
        self.wait_for_status("another pass, with nothing owed", |status| {
            status["passes"].as_u64() > passes && status.get("owed").is_none()
        });
    }

    /// Waits until a problem is reported that has this in it, and returns it.
    pub(crate) fn wait_for_problem(&self, part: &str) -> String {
        let find = |status: &Value| {
            let problems = status["problems"].as_array().cloned().unwrap_or_default();
            problems
                .iter()
                .filter_map(|problem| problem.as_str())
                .find(|p| p.contains(part))
                .map(str::to_owned)
        };
        let status = self.wait_for_status(&format!("a problem with {part:?}"), |s| find(s).is_some());
        find(&status).expect("it was there")
    }

    /// Waits until nothing is wrong.
    pub(crate) fn wait_until_well(&self) {
        self.wait_for_status("without problems", |status| status["problems"] == serde_json::json!([]));
    }

    /// Waits until the agent has read the mount's set of this name.
    pub(crate) fn wait_for_generation(&self, generation: &str) {
        self.wait_for_status("the newest set", |status| status["mount"]["generation"] == generation);
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: i32) {
        process::send(self.pid(), signal);
    }

    /// Sends it SIGTERM and waits for its end.
    pub(crate) fn stop(self) -> Finished {
        self.signal(libc::SIGTERM);
        self.wait()
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Finished {
        let ended = wait::look(|| self.started.child.try_wait().expect("a child can be waited for"));
        self.status = ended;
        let Some(status) = ended else {
            panic!("still not after {:?}: its end\n{}", wait::PATIENCE, self.scene())
        };
        let code = status.code().unwrap_or_else(|| -status.signal().unwrap_or_default());
        Finished { code, out: self.out(), err: self.err(), scene: self.scene() }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if self.status.is_none() {
            let family = process::descendants(self.pid());
            let _ = self.started.child.kill();
            process::kill_all(&family);
            let _ = self.started.child.wait();
        }
        if !thread::panicking() {
            canary::assert_clean("the agent's standard error", &self.err());
        }
    }
}
