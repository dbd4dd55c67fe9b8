//! Describes an agent: which use, which settings, under what it runs.

use super::{Finished, Running, Volume, Workdir, running::Started};
use dev_vault::DevVault;
use std::{
    collections::BTreeMap,
    env,
    ffi::OsString,
    fs::File,
    net::{Ipv4Addr, SocketAddr},
    process::{self, Command, Stdio},
    sync::atomic::{AtomicU16, Ordering},
};

/// The program under test.
pub(super) const AGENT: &str = env!("CARGO_BIN_EXE_akv-agent");

/// An agent that has not been started yet. It inherits nothing but `PATH`.
#[must_use]
pub(crate) struct Agent<'w> {
    work: &'w Workdir,
    wrapper: Vec<OsString>,
    arguments: Vec<OsString>,
    program: Vec<OsString>,
    variables: BTreeMap<String, OsString>,
    stdin: Stdio,
    stdout: Option<Stdio>,
}

impl<'w> Agent<'w> {
    /// Any command.
    pub(crate) fn new(work: &'w Workdir, command: &str) -> Self {
        let mut agent = Self {
            work,
            wrapper: Vec::new(),
            arguments: vec![command.into()],
            program: Vec::new(),
            variables: BTreeMap::new(),
            stdin: Stdio::null(),
            stdout: None,
        };
        if let Some(path) = env::var_os("PATH") {
            agent.variables.insert("PATH".into(), path);
        }
        // The more it says, the more it could say too much.
        agent.set("LOG_LEVEL", "trace").set("LISTEN", free_address().to_string())
    }

    /// `akv-agent init`.
    pub(crate) fn init(work: &'w Workdir) -> Self {
        Self::new(work, "init")
    }

    /// `akv-agent sidecar`.
    pub(crate) fn sidecar(work: &'w Workdir) -> Self {
        Self::new(work, "sidecar")
    }

    /// `akv-agent exec -- PROGRAM...`.
    pub(crate) fn exec<S: Into<OsString> + Clone>(work: &'w Workdir, program: &[S]) -> Self {
        let mut agent = Self::new(work, "exec");
        agent.program = program.iter().cloned().map(Into::into).collect();
        agent
    }

    /// A setting: the variable `AKV_AGENT_` and `name`.
    pub(crate) fn set(self, name: &str, value: impl Into<OsString>) -> Self {
        self.var(&format!("AKV_AGENT_{name}"), value)
    }

    /// No such setting.
    pub(crate) fn unset(mut self, name: &str) -> Self {
        self.variables.remove(&format!("AKV_AGENT_{name}"));
        self
    }

    /// Any variable.
    pub(crate) fn var(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Variables from a volume: `env` as in `AKV_AGENT_ENV`.
    pub(crate) fn mount(self, volume: &Volume, env: &str) -> Self {
        self.set("MOUNT", volume.text()).set("ENV", env)
    }

    /// Variables from a dev vault, whose certificate is trusted: `env` as in `AKV_AGENT_ENV`.
    pub(crate) fn vault(self, vault: &DevVault, env: &str) -> Self {
        self.set("VAULT", vault.url())
            .set("VAULT_SUFFIXES", "localhost,invalid")
            .set("CA_FILE", vault.ca_file())
            .set("ENV", env)
            .var("AZURE_AUTHORITY_HOST", vault.authority())
            .var("AZURE_TENANT_ID", vault.tenant_id())
            .var("AZURE_CLIENT_ID", vault.client_id())
            .var("AZURE_FEDERATED_TOKEN_FILE", vault.federated_token_file())
    }

    /// The env file to write, in a directory of its own.
    pub(crate) fn env_file(self) -> Self {
        let directory = self.work.make_dir("out");
        self.set("ENV_FILE", directory.join("app.env"))
    }

    /// A configuration file.
    pub(crate) fn yaml(self, text: &str) -> Self {
        let file = self.work.write("config.yaml", text);
        self.argument("--config").argument(file)
    }

    /// An argument of the agent itself.
    pub(crate) fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Several of them.
    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(OsString::from));
        self
    }

    /// A program that starts the agent: the agent's own command line follows these arguments.
    pub(crate) fn under(mut self, wrapper: &[&str]) -> Self {
        self.wrapper = wrapper.iter().map(OsString::from).collect();
        self
    }

    /// Runs it without any capability, as in a pod, so that permissions hold for root too.
    pub(crate) fn without_capabilities(self) -> Self {
        if nix::unistd::geteuid().is_root() {
            self.under(&["setpriv", "--bounding-set=-all", "--inh-caps=-all"])
        } else {
            self
        }
    }

    /// Standard input, which is empty otherwise.
    pub(crate) fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.stdin = stdin.into();
        self
    }

    /// Standard output, which the harness keeps otherwise.
    pub(crate) fn stdout(mut self, stdout: impl Into<Stdio>) -> Self {
        self.stdout = Some(stdout.into());
        self
    }

    /// Starts it.
    pub(crate) fn start(self) -> Running<'w> {
        let mut line = self.wrapper;
        line.push(AGENT.into());
        line.extend(self.arguments);
        if !self.program.is_empty() {
            line.push("--".into());
            line.extend(self.program);
        }
        let number = self.work.next_agent();
        let [out, err] = ["out", "err"].map(|kind| self.work.path(&format!("agent-{number}.{kind}")));
        let file = |path| Stdio::from(File::create(path).expect("a file can be made"));
        let mut command = Command::new(&line[0]);
        command.args(&line[1..]).env_clear().envs(&self.variables).current_dir(self.work.dir());
        let listen = self.variables.get("AKV_AGENT_LISTEN").and_then(|text| text.to_str()?.parse().ok());
        let stdout = self.stdout.unwrap_or_else(|| file(&out));
        let child = command.stdin(self.stdin).stdout(stdout).stderr(file(&err)).spawn();
        let child = child.unwrap_or_else(|error| panic!("{line:?} does not start: {error}"));
        let command = line.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join(" ");
        let variables = self.variables.into_keys().collect();
        Started { child, work: self.work, command, variables, listen, out, err }.into()
    }

    /// Starts it and waits until it has ended.
    pub(crate) fn finish(self) -> Finished {
        self.start().wait()
    }
}

/// An address of this machine that nobody else uses: all of 127.0.0.0/8 is, so the process and a count make
/// one that needs no asking, and no race for a free port.
pub(crate) fn free_address() -> SocketAddr {
    static COUNT: AtomicU16 = AtomicU16::new(0);
    let [.., high, low] = process::id().to_be_bytes();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let host = u8::try_from(count % 250).expect("less than 250") + 2;
    SocketAddr::from((Ipv4Addr::new(127, high, low, host), 9808 + count / 250))
}
