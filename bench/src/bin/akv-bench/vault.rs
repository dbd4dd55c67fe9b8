//! The look-alike vault, as a process of its own.

use crate::{bench::Bench, process::Process};
use akv_bench::generation;
use anyhow::{Context as _, ensure};
use dev_vault::{Client, Reply};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf, process::Command, time::Duration};

/// How many secrets it has.
pub(crate) const SECRETS: usize = 50;

/// A running vault.
#[derive(Debug)]
pub(crate) struct Vault {
    variables: BTreeMap<String, String>,
    client: Client,
    /// Ends with this.
    _process: Process,
}

impl Vault {
    /// Starts one with [`SECRETS`] secrets.
    pub(crate) fn start(bench: &Bench) -> anyhow::Result<Self> {
        let program = bench.dev_vault.as_ref().context("--dev-vault is missing")?;
        let dir = bench.dir("dev-vault")?;
        let mut seed = String::from("vaults:\n  default:\n    secrets:\n");
        for name in Self::names() {
            writeln!(seed, "      {name}: {{value: {}}}", generation::value(1, &name))?;
        }
        let seed_file = dir.join("seed.yaml");
        fs::write(&seed_file, seed)?;
        let mut command = Command::new(program);
        command.arg("serve").arg("--seed").arg(&seed_file).arg("--dir").arg(&dir);
        let mut process = Process::start(&bench.payload, &dir, &command)?;
        let (env_file, log) = (dir.join("env"), dir.join("dev-vault.log"));
        let env = process.wait_for("ready line", || {
            let is_ready = fs::read_to_string(&log).is_ok_and(|text| text.starts_with("ready "));
            Ok(is_ready.then(|| fs::read_to_string(&env_file)).transpose()?)
        })?;
        let variables: BTreeMap<String, String> = env.lines().filter_map(exported).collect();
        let ca_file = variables.get("SSL_CERT_FILE").context("no SSL_CERT_FILE from the dev vault")?;
        let client = Client::trusting(&fs::read_to_string(ca_file)?)?;
        Ok(Self { variables, client, _process: process })
    }

    /// The secrets' names.
    pub(crate) fn names() -> impl Iterator<Item = String> {
        (0..SECRETS).map(|number| format!("secret-{number:02}"))
    }

    /// What a workload in a pod would find in its environment.
    pub(crate) fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        let wanted =
            ["AZURE_AUTHORITY_HOST", "AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"];
        wanted.into_iter().map(|name| (name, self.variable(name)))
    }

    /// Its address.
    pub(crate) fn url(&self) -> &str {
        self.variable("DEV_VAULT_URL")
    }

    /// The certificate of its authority.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.variable("SSL_CERT_FILE").into()
    }

    fn variable(&self, name: &str) -> &str {
        self.variables.get(name).map_or("", String::as_str)
    }

    /// Delays every answer from now on.
    pub(crate) fn set_latency(&self, latency: Duration) -> anyhow::Result<()> {
        let millis = u64::try_from(latency.as_millis())?;
        let fault = |endpoint| json!({"endpoint": endpoint, "action": {"latency": {"millis": millis}}});
        let faults = Value::from(["vault", "token"].map(fault).to_vec());
        self.control("PUT", "faults", &faults.to_string()).map(drop)
    }

    /// How many requests there were since the last call: for tokens, and to the vault with and without one.
    pub(crate) fn take_requests(&self) -> anyhow::Result<Requests> {
        let log = self.control("GET", "requests", "")?.json();
        self.control("DELETE", "requests", "")?;
        let mut requests = Requests::default();
        for request in log.as_array().context("no list of requests")? {
            match (request["endpoint"].as_str(), request["authenticated"].as_bool()) {
                (Some("token"), _) => requests.token += 1,
                (Some("vault"), Some(true)) => requests.vault += 1,
                (Some("vault"), _) => requests.challenge += 1,
                _ => (),
            }
        }
        Ok(requests)
    }

    /// The least that anybody must do for one secret: a token, then the secret, one after the other.
    pub(crate) fn fetch_one(&self) -> anyhow::Result<()> {
        let assertion = fs::read_to_string(self.variable("AZURE_FEDERATED_TOKEN_FILE"))?;
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", self.variable("AZURE_CLIENT_ID"))
            .append_pair("scope", "https://vault.azure.net/.default")
            .append_pair("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
            .append_pair("client_assertion", &assertion)
            .finish();
        let authority = self.variable("AZURE_AUTHORITY_HOST").trim_end_matches('/');
        let endpoint = format!("{authority}/{}/oauth2/v2.0/token", self.variable("AZURE_TENANT_ID"));
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let reply = checked(self.client.send("POST", &endpoint, &headers, form)?)?.json();
        let token = reply["access_token"].as_str().context("no token in the answer")?;
        let secret = format!("{}/secrets/secret-00?api-version=7.6", self.url());
        checked(self.client.send("GET", &secret, &[("authorization", &format!("Bearer {token}"))], "")?)?;
        Ok(())
    }

    fn control(&self, method: &str, what: &str, body: &str) -> anyhow::Result<Reply> {
        let url = format!("{}/dev-vault/{what}", self.variable("DEV_VAULT_PLAIN"));
        let headers = [("content-type", "application/json")];
        checked(self.client.send(method, &url, &headers, body.to_owned())?)
    }
}

/// How many requests of each kind there were.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Requests {
    pub(crate) token: usize,
    pub(crate) challenge: usize,
    pub(crate) vault: usize,
}

fn checked(reply: Reply) -> anyhow::Result<Reply> {
    let is_good = (200..300).contains(&reply.status);
    ensure!(is_good, "the dev vault answered {}: {}", reply.status, String::from_utf8_lossy(&reply.body));
    Ok(reply)
}

/// The name and the value in a line `export NAME='VALUE'`.
fn exported(line: &str) -> Option<(String, String)> {
    let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
    Some((name.to_owned(), value.strip_prefix('\'')?.strip_suffix('\'')?.to_owned()))
}
