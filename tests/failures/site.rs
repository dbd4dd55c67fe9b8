//! A vault and a token endpoint, each behind a gate, and ways to make one of them fail.

use super::{
    gate::Gate,
    support::{Agent, Workdir, secret},
    table::{Cause, FarEnd, Row},
    words::Words,
};
use dev_vault::{Action, DEFAULT_VAULT, DevVault, Endpoint, Fault};
use std::{fs, time::Duration};

/// The longest value of a secret.
const LARGE: usize = 25 * 1024;
const HUGE: usize = 10 << 20;

/// Far beyond what the agent waits for an answer.
const TOO_LONG: Duration = Duration::from_secs(120);

/// Servers that are not what they claim to be.
pub(crate) struct Strangers {
    unknown: DevVault,
    expired: DevVault,
}

impl Strangers {
    pub(crate) fn start() -> Self {
        let start = |vault: dev_vault::Builder| vault.start().expect("dev vault");
        Self {
            unknown: start(DevVault::builder().authority_name("unknown authority")),
            expired: start(DevVault::builder().authority_name("known authority").expired()),
        }
    }
}

/// The world of one agent.
pub(crate) struct Site<'a> {
    pub(crate) vault: DevVault,
    row: Row,
    strangers: &'a Strangers,
    work: &'a Workdir,
    token_gate: Gate,
    vault_gate: Gate,
}

impl<'a> Site<'a> {
    /// A healthy one, in which the secret `db` has the value `one`.
    pub(crate) fn new(work: &'a Workdir, row: Row, strangers: &'a Strangers) -> Self {
        let mut builder = DevVault::builder();
        for far_end in [FarEnd::Token, FarEnd::Vault] {
            builder = builder.san(name(far_end, Cause::Unresolved));
        }
        let vault = builder.start().expect("dev vault");
        let (token_gate, vault_gate) = (Gate::new(), Gate::new());
        let mut site = Self { vault, row, strangers, work, token_gate, vault_gate };
        site.set(&secret("one"));
        work.write("ca.pem", format!("{}{}", site.vault.ca_pem(), strangers.expired.ca_pem()));
        work.write("resolv.conf", "nameserver 127.83.83.83\noptions timeout:1 attempts:1\n");
        site.lift();
        site
    }

    /// The agent, of this site.
    pub(crate) fn agent<'w>(&self, agent: Agent<'w>) -> Agent<'w> {
        let agent = agent
            .vault(&self.vault, "SECRET=db")
            .set("VAULT", format!("https://{}", self.host(FarEnd::Vault)))
            .set("CA_FILE", self.work.path("ca.pem"))
            .var("AZURE_AUTHORITY_HOST", format!("https://{}", self.host(FarEnd::Token)));
        if self.row.cause != Cause::Unresolved {
            return agent;
        }
        // Names of its own: the machine's files stay as they are, and so do the other tests' names.
        let bind = |file: &str| format!("mount --bind {} /etc/{file}", self.work.path(file).display());
        let script = format!("{} && {} && exec \"$@\"", bind("hosts"), bind("resolv.conf"));
        let mut unshare = vec!["unshare", "--mount"];
        if !nix::unistd::geteuid().is_root() {
            unshare.extend(["--user", "--map-root-user"]);
        }
        unshare.extend(["sh", "-c", &script, "sh"]);
        agent.under(&unshare)
    }

    /// Gives the secret a new value.
    pub(crate) fn set(&self, value: &str) {
        self.vault.vault(self.vault_label()).set_secret("db", value);
    }

    /// The words that are to be said.
    pub(crate) fn words(&self) -> Words {
        Words::new(self.row.says, &self.host(self.row.far_end))
    }

    /// Makes the far end fail.
    pub(crate) fn inflict(&mut self) {
        let (unknown, expired) = (self.strangers.unknown.port(), self.strangers.expired.port());
        let action = match self.row.cause {
            Cause::Refused => return self.gate().shut(),
            Cause::UnknownCa => return self.gate().lead_to(unknown),
            Cause::ExpiredCertificate => return self.gate().lead_to(expired),
            Cause::Unresolved => return self.write_hosts(Some(self.row.far_end)),
            Cause::NoAnswer => Action::latency(TOO_LONG),
            Cause::Trickle => Action::slow_body(TOO_LONG / 400, 400),
            Cause::CutBody => Action::CutBody,
            Cause::Status(status) => Action::status(status),
            Cause::Code(status, code) => refusal(status, self.row.far_end, code),
            Cause::Throttled(wait) => Action::throttled(Some(wait)),
            Cause::Html => answer(200, &format!("<html><body>{}</body></html>", secret("page")), "text/html"),
            Cause::WrongShape => {
                let quoted = secret("shape");
                answer(
                    200,
                    &format!(r#"{{"value":["{quoted}"],"access_token":{{"{quoted}":1}}}}"#),
                    "application/json",
                )
            }
            Cause::Large if self.row.far_end == FarEnd::Vault => return self.set(&large()),
            Cause::Large => Action::Enlarge { bytes: LARGE },
            Cause::Huge => Action::Enlarge { bytes: HUGE },
        };
        self.vault.faults().push(Fault::new(self.endpoint(), action));
    }

    /// Lets everything work again.
    pub(crate) fn lift(&mut self) {
        self.vault.faults().clear();
        self.write_hosts(None);
        let port = self.vault.port();
        self.token_gate.lead_to(port);
        self.vault_gate.lead_to(port);
    }

    /// How many requests have come through to what fails, and been answered.
    pub(crate) fn answered(&self) -> usize {
        self.vault.requests().iter().filter(|request| request.endpoint == self.endpoint()).count()
    }

    fn endpoint(&self) -> Endpoint {
        match self.row.far_end {
            FarEnd::Token => Endpoint::Token,
            FarEnd::Vault => Endpoint::Vault,
        }
    }

    fn gate(&mut self) -> &mut Gate {
        match self.row.far_end {
            FarEnd::Token => &mut self.token_gate,
            FarEnd::Vault => &mut self.vault_gate,
        }
    }

    fn host(&self, far_end: FarEnd) -> String {
        let gate = match far_end {
            FarEnd::Token => &self.token_gate,
            FarEnd::Vault => &self.vault_gate,
        };
        format!("{}:{}", name(far_end, self.row.cause), gate.port())
    }

    /// The first label of the vault's name, by which the look-alike knows it.
    fn vault_label(&self) -> &'static str {
        let name = name(FarEnd::Vault, self.row.cause);
        name.split_once('.').map_or(DEFAULT_VAULT, |(label, _)| label)
    }

    /// The names that can be looked up, without that of one far end. Never replaced, as the agent has it mounted.
    fn write_hosts(&self, without: Option<FarEnd>) {
        let line = |far_end| format!("127.0.0.1 {}\n", name(far_end, Cause::Unresolved));
        let there = [FarEnd::Token, FarEnd::Vault].into_iter().filter(|far_end| Some(*far_end) != without);
        fs::write(self.work.path("hosts"), there.map(line).collect::<String>()).expect("a file");
    }
}

/// A value that is as long as one may be.
pub(crate) fn large() -> String {
    secret("large-").repeat(LARGE)[..LARGE].to_owned()
}

/// In the words of the service.
fn refusal(status: u16, far_end: FarEnd, code: &str) -> Action {
    let body = match far_end {
        FarEnd::Token => {
            format!(r#"{{"error":"invalid_client","error_description":"{code}: Refused.\r\nTrace ID: 1"}}"#)
        }
        FarEnd::Vault => format!(
            r#"{{"error":{{"code":"Forbidden","message":"Refused.","innererror":{{"code":"{code}"}}}}}}"#
        ),
    };
    answer(status, &body, "application/json")
}

fn answer(status: u16, body: &str, content_type: &str) -> Action {
    Action::Status {
        status,
        retry_after: None,
        body: Some(body.to_owned()),
        content_type: Some(content_type.to_owned()),
    }
}

/// RFC 6761 promises that nobody else ever has a name under `invalid`.
fn name(far_end: FarEnd, cause: Cause) -> &'static str {
    match (cause, far_end) {
        (Cause::Unresolved, FarEnd::Token) => "login.invalid",
        (Cause::Unresolved, FarEnd::Vault) => "keys.invalid",
        _ => "localhost",
    }
}
