//! The look-alike vault, as a process of its own: its counters, its outages, and the rotation.

use crate::{arguments::Options, secrets};
use akv_bench::usage;
use anyhow::{Context as _, bail, ensure};
use dev_vault::{Client, Reply};
use nix::unistd::Pid;
use serde_json::json;
use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// A refused write is tried again after this long.
const RETRY: Duration = Duration::from_secs(1);

/// A running vault; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Vault {
    variables: BTreeMap<String, String>,
    client: Client,
    secrets: usize,
    child: Child,
}

/// What the vault was asked since the counters were last cleared.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Traffic {
    pub(crate) allowed: u64,
    pub(crate) refused: u64,
    pub(crate) busiest_second: u64,
    pub(crate) busiest_window: u64,
}

impl Vault {
    /// Starts one with the secrets of the first generation. `payload` guards it, `dir` is for its files.
    pub(crate) fn start(options: &Options, payload: &Path, dir: &Path) -> anyhow::Result<Self> {
        let mut seed = String::from("vaults:\n  default:\n    secrets:\n");
        for number in 0..options.secrets {
            writeln!(seed, "      {}: {{value: {}}}", secrets::name(number), secrets::value(number, 1))?;
        }
        let seed_file = dir.join("seed.yaml");
        fs::write(&seed_file, seed)?;
        let mut command = Command::new(payload);
        command.arg("guard").arg(&options.dev_vault).arg("serve");
        command.arg("--seed").arg(&seed_file).arg("--dir").arg(dir);
        command.arg(format!("--throttle={}", options.throttle));
        if options.retry_after {
            command.arg("--retry-after");
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| payload.display().to_string())?;
        let mut line = String::new();
        let stdout = child.stdout.as_mut().context("the vault's output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        ensure!(line.starts_with("ready "), "the vault did not start");

        let env = fs::read_to_string(dir.join("env"))?;
        let variables: BTreeMap<String, String> = env.lines().filter_map(exported).collect();
        let ca_file = variables.get("SSL_CERT_FILE").context("no SSL_CERT_FILE from the vault")?;
        let client = Client::trusting(&fs::read_to_string(ca_file)?)?;
        Ok(Self { variables, client, secrets: options.secrets, child })
    }

    /// What the agents need to know of it.
    pub(crate) fn environment(&self) -> Vec<(&str, &str)> {
        let own =
            ["AZURE_AUTHORITY_HOST", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"];
        let mut environment: Vec<_> = own.iter().map(|name| (*name, self.variable(name))).collect();
        environment.extend([
            ("AKV_AGENT_VAULT", self.variable("DEV_VAULT_URL")),
            ("AKV_AGENT_VAULT_SUFFIXES", "localhost"),
            ("AKV_AGENT_CA_FILE", self.variable("SSL_CERT_FILE")),
            ("AKV_AGENT_IDENTITY", "workload"),
        ]);
        environment
    }

    /// What was asked since the last call.
    pub(crate) fn take_traffic(&self) -> anyhow::Result<Traffic> {
        let counted = self.control("GET", "throttle", "")?.json();
        self.control("DELETE", "throttle", "")?;
        // Records of single requests are not needed, and would be most of the vault's memory.
        self.control("DELETE", "requests", "")?;
        let count = |name: &str| counted["vaults"]["default"][name].as_u64().unwrap_or_default();
        Ok(Traffic {
            allowed: count("allowed"),
            refused: count("refused"),
            busiest_second: count("busiestSecond"),
            busiest_window: count("busiestWindow"),
        })
    }

    /// From now on nobody who reads gets an answer.
    pub(crate) fn go_down(&self) -> anyhow::Result<()> {
        let fault = json!({"endpoint": "vault", "action": "cut", "method": "GET", "challenge": true});
        self.control("PUT", "faults", &fault.to_string()).map(drop)
    }

    /// Everybody gets one again.
    pub(crate) fn come_back(&self) -> anyhow::Result<()> {
        self.control("DELETE", "faults", "").map(drop)
    }

    /// Writes a new version of every secret. Writes count like reads, and may have to wait for a window.
    pub(crate) fn rotate(&self, generation: u32, patience: Duration) -> anyhow::Result<()> {
        let authorization = format!("Bearer {}", self.token()?);
        let headers = [("authorization", authorization.as_str()), ("content-type", "application/json")];
        let start = Instant::now();
        for number in 0..self.secrets {
            let url = format!(
                "{}/secrets/{}?api-version=7.6",
                self.variable("DEV_VAULT_URL"),
                secrets::name(number)
            );
            let body = json!({"value": secrets::value(number, generation)}).to_string();
            loop {
                let status = self.client.send("PUT", &url, &headers, body.clone())?.status;
                match status {
                    200 => break,
                    429 if start.elapsed() < patience => thread::sleep(RETRY),
                    _ => bail!("the vault answered {status} to a write"),
                }
            }
        }
        Ok(())
    }

    /// The CPU time it has used, and its resident memory in KiB.
    pub(crate) fn usage(&self) -> anyhow::Result<(Duration, u64)> {
        let pid = Pid::from_raw(self.child.id().try_into()?);
        Ok((usage::cpu_time(pid)?, usage::memory(pid)?.resident))
    }

    fn token(&self) -> anyhow::Result<String> {
        let assertion = fs::read_to_string(self.variable("AZURE_FEDERATED_TOKEN_FILE"))?;
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", self.variable("AZURE_CLIENT_ID"))
            .append_pair("scope", "https://vault.azure.net/.default")
            .append_pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
            .append_pair("client_assertion", &assertion)
            .finish();
        let authority = self.variable("AZURE_AUTHORITY_HOST").trim_end_matches('/');
        let url = format!("{authority}/{}/oauth2/v2.0/token", self.variable("AZURE_TENANT_ID"));
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let answer = checked(self.client.send("POST", &url, &headers, form)?)?.json();
        Ok(answer["access_token"].as_str().context("no token in the answer")?.to_owned())
    }

    fn control(&self, method: &str, what: &str, body: &str) -> anyhow::Result<Reply> {
        let url = format!("{}/dev-vault/{what}", self.variable("DEV_VAULT_PLAIN"));
        let headers = [("content-type", "application/json")];
        checked(self.client.send(method, &url, &headers, body.to_owned())?)
    }

    fn variable(&self, name: &str) -> &str {
        self.variables.get(name).map_or("", String::as_str)
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A bad answer is told by its status alone: the body of a good one may be a token.
fn checked(reply: Reply) -> anyhow::Result<Reply> {
    ensure!((200..300).contains(&reply.status), "the vault answered {}", reply.status);
    Ok(reply)
}

/// The name and the value in a line `export NAME='VALUE'`.
fn exported(line: &str) -> Option<(String, String)> {
    let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
    Some((name.to_owned(), value.strip_prefix('\'')?.strip_suffix('\'')?.to_owned()))
}
