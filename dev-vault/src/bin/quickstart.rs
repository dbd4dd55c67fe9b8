//! The main job of akv-agent, shown on a mount and a vault of this machine: `make quickstart`.
//!
//! Starts a dev vault over TLS and lays out a volume as the Secrets Store CSI driver does, runs
//! `akv-agent exec -- sample-app` with one variable from each, rotates both, and watches the app get the new
//! values. Ends with 0 only if it saw all of that. Takes the agent from `AKV_AGENT_BIN`.

use dev_vault::{DevVault, csi::Mount};
use std::{
    env,
    ffi::OsStr,
    fmt::Display,
    io::{self, BufRead as _, BufReader, Read, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitCode, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

/// The secret of the mount: the seed scenario's own.
const MOUNTED: &str = "ExamplePassword";
/// The secret that is read from the vault.
const DIRECT: &str = "api-key";

/// More than enough for each step on a slow machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "quickstart: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let agent = program("AKV_AGENT_BIN", "akv-agent")?;
    let app = program("SAMPLE_APP_BIN", "sample-app")?;

    step("a Key Vault look-alike over TLS, and a volume as the CSI driver lays it out")?;
    let vault = DevVault::builder()
        .secret(MOUNTED, "This message is secret! Do NOT share!")
        .secret(DIRECT, "key-1")
        .start()?;
    let directory = tempfile::tempdir()?;
    let mount = Mount::create(directory.path().join("secrets-store"))?;
    mount.write(&[(MOUNTED, "This message is secret! Do NOT share!")])?;
    note(format_args!("vault  {}", vault.url()))?;
    list(mount.dir())?;

    step("akv-agent exec -- sample-app SECRET API_KEY")?;
    let settings = [
        ("AKV_AGENT_MOUNT", mount.dir().display().to_string()),
        ("AKV_AGENT_VAULT", vault.url()),
        ("AKV_AGENT_VAULT_SUFFIXES", "localhost".to_owned()),
        ("AKV_AGENT_CA_FILE", vault.ca_file().display().to_string()),
        ("AKV_AGENT_ENV", format!("SECRET=mount:{MOUNTED},API_KEY={DIRECT}")),
        ("AKV_AGENT_POLL_INTERVAL", "1s".to_owned()),
        ("AKV_AGENT_LISTEN", "off".to_owned()),
        ("AZURE_AUTHORITY_HOST", vault.authority()),
        ("AZURE_TENANT_ID", vault.tenant_id().to_owned()),
        ("AZURE_CLIENT_ID", vault.client_id().to_owned()),
        ("AZURE_FEDERATED_TOKEN_FILE", vault.federated_token_file().display().to_string()),
    ];
    for (name, value) in &settings {
        note(format_args!("{name}={value}"))?;
    }
    let mut run = Run::start(&agent, &app, settings)?;
    run.expect("ready", &["SECRET='This message is secret! Do NOT share!'", "API_KEY='key-1'"])?;

    step("the driver rotates the mounted secret: new directory, then `..data` flips")?;
    mount.write(&[(MOUNTED, "A rotated message")])?;
    run.expect("ready", &["SECRET='A rotated message'", "API_KEY='key-1'"])?;

    step(format_args!("a new version of the other one in the vault: PUT /secrets/{DIRECT}"))?;
    put(&vault, DIRECT, "key-2")?;
    run.expect("ready", &["SECRET='A rotated message'", "API_KEY='key-2'"])?;

    step("SIGTERM, as the kubelet sends it: the app ends, and the agent with the app's code")?;
    run.terminate()?;
    step("done: the app was restarted with the new value after each rotation, by nobody's hand")
}

/// The binary named by `variable`, else the one beside this program.
fn program(variable: &str, name: &str) -> io::Result<PathBuf> {
    let path = match env::var_os(variable) {
        Some(path) => PathBuf::from(path),
        None => env::current_exe()?.with_file_name(name),
    };
    if path.is_file() {
        return Ok(path);
    }
    Err(io::Error::new(
        io::ErrorKind::NotFound,
        format!("no {name} at {}; build it, or set {variable}", path.display()),
    ))
}

/// What any client of a Key Vault would do to set a secret.
fn put(vault: &DevVault, name: &str, value: &str) -> io::Result<()> {
    let url = format!("{}/secrets/{name}?api-version=7.6", vault.url());
    let token = format!("Bearer {}", vault.issue_token());
    let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
    let body = serde_json::json!({ "value": value }).to_string();
    let reply = vault.client()?.send("PUT", &url, &headers, body)?;
    let version = reply.json()["id"].as_str().unwrap_or_default().to_owned();
    note(format_args!("{} {version}", reply.status))
}

/// A running agent, and what it and the app say.
struct Run {
    agent: Child,
    lines: Receiver<(&'static str, String)>,
}

impl Run {
    fn start<V: AsRef<OsStr>>(
        agent: &Path,
        app: &Path,
        settings: impl IntoIterator<Item = (&'static str, V)>,
    ) -> io::Result<Self> {
        let mut agent = Command::new(agent)
            .args(["exec", "--"])
            .arg(app)
            .args(["SECRET", "API_KEY"])
            .env_clear()
            .envs(env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(settings)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (tx, lines) = channel();
        forward("app", agent.stdout.take(), tx.clone());
        forward("agent", agent.stderr.take(), tx);
        Ok(Self { agent, lines })
    }

    /// Waits for the app to say `event` with all of `parts`.
    fn expect(&self, event: &str, parts: &[&str]) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok((who, line)) => {
                    note(format_args!("{who:5} | {line}"))?;
                    if who == "app" && line.starts_with(event) && parts.iter().all(|part| line.contains(part))
                    {
                        return Ok(());
                    }
                }
                Err(error) => {
                    let why = match error {
                        RecvTimeoutError::Timeout => format!("nothing came within {} s", PATIENCE.as_secs()),
                        RecvTimeoutError::Disconnected => "the agent has ended".to_owned(),
                    };
                    return Err(io::Error::other(format!(
                        "the app should have said `{event}` with {parts:?}, but {why}"
                    )));
                }
            }
        }
    }

    fn terminate(&mut self) -> io::Result<()> {
        let terminated = Command::new("kill").arg(self.agent.id().to_string()).status()?;
        if !terminated.success() {
            return Err(io::Error::other("the agent could not be signalled"));
        }
        self.expect("stopping", &[])?;
        let status = self.agent.wait()?;
        note(status)?;
        if status.success() {
            Ok(())
        } else {
            Err(io::Error::other(format!("the agent ended with {status}")))
        }
    }
}

impl Drop for Run {
    /// Whatever went wrong, nothing is left running.
    fn drop(&mut self) {
        if !matches!(self.agent.try_wait(), Ok(None)) {
            return;
        }
        let deadline = Instant::now() + Duration::from_secs(5);
        let _ = Command::new("kill").arg(self.agent.id().to_string()).status();
        while matches!(self.agent.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = self.agent.kill();
                let _ = self.agent.wait();
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

fn forward(who: &'static str, from: Option<impl Read + Send + 'static>, to: Sender<(&'static str, String)>) {
    let Some(from) = from else { return };
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if to.send((who, line)).is_err() {
                return;
            }
        }
    });
}

fn step(what: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "\n==> {what}")
}

fn note(what: impl Display) -> io::Result<()> {
    writeln!(io::stdout(), "    {what}")
}

fn list(directory: &Path) -> io::Result<()> {
    note(format_args!("mount  {}", directory.display()))?;
    let mut names: Vec<_> = directory.read_dir()?.collect::<Result<_, _>>()?;
    names.sort_by_key(std::fs::DirEntry::file_name);
    for entry in names {
        let name = entry.file_name().to_string_lossy().into_owned();
        match entry.path().read_link() {
            Ok(target) => note(format_args!("       {name} -> {}", target.display()))?,
            Err(_) => note(format_args!("       {name}/"))?,
        }
    }
    Ok(())
}
