//! A vault source against a dev vault, and waiting for what it observes.

use akv_agent::{
    background::Background,
    config::{self, Args},
    failure::Failure,
    reference::ObjectId,
    source::vault::{SecretState, VaultObservation, VaultSettings, VaultSource, Wanted},
    wake::WakeReceiver,
};
use dev_vault::{DevVault, Endpoint, RequestRecord};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs, io,
    net::{Shutdown, TcpListener, TcpStream},
    os::fd::AsFd,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

/// Far more than anything here takes; a test that fails waits this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What an agent is told: settings as YAML lines, secrets, variables.
pub(crate) struct Setup {
    yaml: String,
    secrets: Vec<String>,
    variables: BTreeMap<String, String>,
}

impl Setup {
    /// Workload identity at `vault`, whose certificate is trusted. Polls only when asked to.
    pub(crate) fn new(vault: &DevVault) -> Self {
        let file = |path: std::path::PathBuf| path.to_str().expect("UTF-8").to_owned();
        let variables = [
            ("AKV_AGENT_VAULT", vault.url()),
            ("AKV_AGENT_CA_FILE", file(vault.ca_file())),
            ("AKV_AGENT_POLL_INTERVAL", "1h".into()),
            ("AKV_AGENT_VAULT_SUFFIXES", "localhost,invalid".into()),
            ("AZURE_AUTHORITY_HOST", vault.authority()),
            ("AZURE_TENANT_ID", vault.tenant_id().into()),
            ("AZURE_CLIENT_ID", vault.client_id().into()),
            ("AZURE_FEDERATED_TOKEN_FILE", file(vault.federated_token_file())),
        ];
        let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { yaml: String::new(), secrets: Vec::new(), variables }
    }

    /// A reference, read into a variable of its own.
    pub(crate) fn secret(mut self, reference: impl Into<String>) -> Self {
        self.secrets.push(reference.into());
        self
    }

    pub(crate) fn yaml(mut self, line: &str) -> Self {
        self.yaml = format!("{}{line}\n", self.yaml);
        self
    }

    pub(crate) fn var(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    pub(crate) fn start(self) -> Agent {
        self.try_start().expect("start")
    }

    pub(crate) fn try_start(self) -> Result<Agent, Failure> {
        let dir = tempfile::tempdir().expect("temporary directory");
        let file = dir.path().join("config.yaml");
        let mut yaml = format!("{}env:\n", self.yaml);
        for (number, reference) in self.secrets.iter().enumerate() {
            yaml = format!("{yaml}  V{number}: \"{reference}\"\n");
        }
        fs::write(&file, yaml).expect("write configuration");
        let variables: BTreeMap<OsString, OsString> =
            self.variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let config = config::load(&Args { file: Some(file) }, &variables)?;

        let settings = VaultSettings::new(&config, &|name| self.variables.get(name).cloned())?;
        let wake = WakeReceiver::new().expect("eventfd");
        let mut background = Background::new(wake.waker());
        let wanted = Wanted::of(&config);
        let source = VaultSource::start(&settings, &wanted, BTreeSet::new(), &mut background, wake.waker())?;
        Ok(Agent { source, wake, _background: background })
    }
}

/// A running vault source.
pub(crate) struct Agent {
    pub(crate) source: VaultSource,
    pub(crate) wake: WakeReceiver,
    _background: Background,
}

impl Agent {
    /// Waits, woken by the source alone, until what it observed is as wanted.
    pub(crate) fn wait_until(&self, wanted: impl Fn(&VaultObservation) -> bool) -> Arc<VaultObservation> {
        self.wait_for(PATIENCE, wanted)
    }

    /// The same with another time limit.
    pub(crate) fn wait_for(
        &self,
        limit: Duration,
        wanted: impl Fn(&VaultObservation) -> bool,
    ) -> Arc<VaultObservation> {
        let deadline = Instant::now() + limit;
        loop {
            let latest = self.source.latest();
            if wanted(&latest) {
                return latest;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "still {latest:#?}");
            let mut fds = [PollFd::new(self.wake.as_fd(), PollFlags::POLLIN)];
            poll(&mut fds, PollTimeout::try_from(left).expect("time limit")).expect("poll");
            self.wake.take();
        }
    }

    /// Waits until every secret has a value and nothing is wrong.
    pub(crate) fn wait_until_good(&self) -> Arc<VaultObservation> {
        self.wait_until(|seen| {
            seen.rounds > 0 && seen.problem.is_none() && seen.secrets.values().all(is_good)
        })
    }

    /// Waits until `name` has this value.
    pub(crate) fn wait_for_value(&self, name: &str, value: &str) -> Arc<VaultObservation> {
        self.wait_until(|seen| value_of(seen, name).as_deref() == Some(value))
    }

    /// Waits until a round has failed as a whole and returns the reason.
    pub(crate) fn wait_for_problem(&self) -> akv_agent::source::vault::VaultError {
        self.wait_until(|seen| seen.problem.is_some()).problem.clone().expect("a problem")
    }
}

pub(crate) fn is_good(state: &SecretState) -> bool {
    state.good.is_some() && state.problem.is_none()
}

pub(crate) fn state<'a>(seen: &'a VaultObservation, name: &str) -> &'a SecretState {
    let of_name = |(id, _): &(&ObjectId, _)| id.name.as_str() == name;
    seen.secrets.iter().find(of_name).expect("a wanted secret").1
}

pub(crate) fn value_of(seen: &VaultObservation, name: &str) -> Option<String> {
    let good = state(seen, name).good.as_ref()?;
    Some(String::from_utf8(good.value.expose().to_vec()).expect("UTF-8"))
}

pub(crate) fn problem_of(seen: &VaultObservation, name: &str) -> String {
    state(seen, name).problem.as_ref().expect("a problem").message.to_string()
}

/// The requests to `endpoint`.
pub(crate) fn requests(vault: &DevVault, endpoint: Endpoint) -> Vec<RequestRecord> {
    vault.requests().into_iter().filter(|request| request.endpoint == endpoint).collect()
}

/// Waits until there have been `count` requests to `endpoint`, and returns them.
pub(crate) fn wait_for_requests(vault: &DevVault, endpoint: Endpoint, count: usize) -> Vec<RequestRecord> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = requests(vault, endpoint);
        if found.len() >= count {
            return found;
        }
        assert!(Instant::now() < deadline, "only {found:#?}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A port of this machine where nobody listens, and nobody else can as long as the connection that has it as
/// its near end is kept.
pub(crate) fn refusing_port() -> ((TcpListener, TcpStream), u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let stream = TcpStream::connect(listener.local_addr().expect("address")).expect("connect");
    let port = stream.local_addr().expect("address").port();
    ((listener, stream), port)
}

/// A relay before a vault that counts connections.
pub(crate) struct Relay {
    pub(crate) port: u16,
    counts: Arc<Mutex<Connections>>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Connections {
    /// Opened so far.
    pub(crate) all: usize,
    /// Not closed yet by whoever opened them.
    pub(crate) open: usize,
}

impl Relay {
    /// Its threads end with the test's process.
    pub(crate) fn to(vault: &DevVault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let relay = Self { port: listener.local_addr().expect("address").port(), counts: Arc::default() };
        let (counts, there) = (Arc::clone(&relay.counts), vault.port());
        thread::spawn(move || {
            for near in listener.incoming() {
                let near = near.expect("accept");
                let far = TcpStream::connect(("127.0.0.1", there)).expect("connect");
                let count = |change: fn(&mut Connections)| change(&mut counts.lock().expect("lock"));
                count(|counts| (counts.all, counts.open) = (counts.all + 1, counts.open + 1));
                let (mut from, mut to) = (far.try_clone().expect("clone"), near.try_clone().expect("clone"));
                thread::spawn(move || io::copy(&mut from, &mut to));
                let (mut from, mut to, counts) = (near, far, Arc::clone(&counts));
                thread::spawn(move || {
                    let _ = io::copy(&mut from, &mut to);
                    counts.lock().expect("lock").open -= 1;
                    let _ = to.shutdown(Shutdown::Both);
                });
            }
        });
        relay
    }

    /// Waits until all connections are closed, and says how many there were.
    pub(crate) fn wait_until_closed(&self) -> usize {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let counts = *self.counts.lock().expect("lock");
            if counts.open == 0 {
                return counts.all;
            }
            assert!(Instant::now() < deadline, "still {counts:?}");
            thread::sleep(Duration::from_millis(2));
        }
    }
}
