//! Jobs against real servers and with real processes.

mod command;
mod connection;
mod request;

use super::*;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Far more than anything here takes; a test that fails waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// What owns jobs in place of the loop.
struct Owner {
    jobs: Jobs,
    background: Background,
}

impl Owner {
    fn new() -> Self {
        let wake = WakeReceiver::new().unwrap();
        let background = Background::new(wake.waker());
        Self { jobs: Jobs::new(wake), background }
    }

    fn start(&mut self, task: Task) -> JobId {
        self.jobs.start(task, Instant::now(), &mut self.background)
    }

    /// Starts what runs on the background thread, and waits for its result.
    fn exchange(&mut self, task: Task) -> Result<(), String> {
        let id = self.start(task);
        self.result(id)
    }

    fn woken(&self) {
        assert!(self.is_readable(PATIENCE), "nobody was woken");
    }

    fn is_readable(&self, within: Duration) -> bool {
        let mut fds = [PollFd::new(self.jobs.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::try_from(within).unwrap()).unwrap() > 0
    }

    /// The one result that is there.
    fn result(&mut self, id: JobId) -> Result<(), String> {
        self.woken();
        let due = self.jobs.due().expect("a result to take is due");
        assert!(due <= Instant::now());
        let mut results = self.jobs.finished();
        assert_eq!(results.len(), 1, "{results:?}");
        assert_eq!(self.jobs.due(), None);
        assert!(!self.is_readable(Duration::ZERO), "all has been taken");
        assert!(self.jobs.open.is_empty());
        let (of, result) = results.remove(0);
        assert_eq!(of, id);
        result.map_err(|error| crate::failure::chain(&error))
    }
}

#[test]
fn what_is_shown_of_a_job_has_neither_query_nor_arguments() {
    let request = HttpRequest {
        method: crate::config::Method::Put,
        host: Host::Loopback,
        port: 8080,
        path: "/reload?key=abc".into(),
        expect: (200, 299),
        timeout: PATIENCE,
    };
    let command = Command { argv: vec!["nginx".into(), "-s".into(), "abc".into()], timeout: PATIENCE };
    let check = |check| Task::check(&check, Environment::default).to_string();
    assert_eq!(check(Check::Http(request)), "PUT http://localhost:8080/reload");
    assert_eq!(check(Check::Command(command)), "run nginx");
    let connect = Check::Tcp { host: Host::Loopback, port: 1, timeout: PATIENCE };
    assert_eq!(check(connect), "connect to localhost:1");
}

#[test]
fn an_exchange_that_panics_has_failed() {
    let mut owner = Owner::new();
    let (id, what) = (JobId(1), "GET it".to_owned());
    let work = owner.jobs.exchange(id, what, async { panic!("secret") }, &mut owner.background);
    owner.jobs.open.insert(id, work);
    assert_eq!(owner.result(id), Err("GET it: reading the answer failed (a bug)".into()));
    // The thread has survived it.
    let nobody = Task::Tcp { host: Host::Name("x".repeat(64)), port: 1, timeout: PATIENCE };
    owner.exchange(nobody).unwrap_err();
}

#[test]
fn a_command_is_told_the_names_of_what_changed() {
    let names = ["B", "A"].map(|name| EnvName::parse(name).unwrap());
    let inherited = [("PATH".into(), "/bin".into())];
    let told = environment(&inherited, &names);
    let pair = |name: &str, value: &str| (name.into(), value.into());
    assert_eq!(*told.inherited, [pair("PATH", "/bin"), pair("AKV_AGENT_CHANGED", "B A")]);
    assert!(told.secrets.is_empty());
}
