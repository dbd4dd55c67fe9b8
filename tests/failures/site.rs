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
    /// Before each far end.
    gates: [(FarEnd, Gate); 3],
}

impl<'a> Site<'a> {
    /// A healthy one, in which the secret `db` has the value `one`.
    pub(crate) fn new(work: &'a Workdir, row: Row, strangers: &'a Strangers) -> Self {
        let mut builder = DevVault::builder();
        for name in NAMES {
            builder = builder.san(name);
        }
        let vault = builder.start().expect("dev vault");
        let gates = FarEnd::ALL.map(|far_end| (far_end, Gate::new()));
        let mut site = Self { vault, row, strangers, work, gates };
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
            .set("IDENTITY", if self.row.far_end == FarEnd::Metadata { "managed" } else { "workload" })
            .var("AZURE_POD_IDENTITY_AUTHORITY_HOST", format!("http://{}", self.host(FarEnd::Metadata)))
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
        let url = self.vault.imds_url();
        let plain = url.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        for (far_end, gate) in &mut self.gates {
            gate.lead_to(if *far_end == FarEnd::Metadata { plain } else { self.vault.port() });
        }
    }

    /// How many requests have come through to what fails, and been answered.
    pub(crate) fn answered(&self) -> usize {
        self.vault.requests().iter().filter(|request| request.endpoint == self.endpoint()).count()
    }

    fn endpoint(&self) -> Endpoint {
        match self.row.far_end {
            FarEnd::Token => Endpoint::Token,
            FarEnd::Metadata => Endpoint::Imds,
            FarEnd::Vault => Endpoint::Vault,
        }
    }

    fn gate(&mut self) -> &mut Gate {
        let wanted = self.row.far_end;
        &mut self.gates.iter_mut().find(|(far_end, _)| *far_end == wanted).expect("each has one").1
    }

    fn host(&self, wanted: FarEnd) -> String {
        let (_, gate) = self.gates.iter().find(|(far_end, _)| *far_end == wanted).expect("each has one");
        format!("{}:{}", name(wanted, self.row.cause), gate.port())
    }

    /// The first label of the vault's name, by which the look-alike knows it.
    fn vault_label(&self) -> &'static str {
        let name = name(FarEnd::Vault, self.row.cause);
        name.split_once('.').map_or(DEFAULT_VAULT, |(label, _)| label)
    }

    /// The names that can be looked up, without that of one far end. Never replaced, as the agent has it mounted.
    fn write_hosts(&self, without: Option<FarEnd>) {
        let without = without.map(|far_end| name(far_end, Cause::Unresolved));
        let there = NAMES.into_iter().filter(|name| Some(*name) != without);
        let lines: Vec<_> = there.map(|name| format!("127.0.0.1 {name}\n")).collect();
        fs::write(self.work.path("hosts"), lines.concat()).expect("a file");
    }
}

/// A value that is as long as one may be.
pub(crate) fn large() -> String {
    secret("large-").repeat(LARGE)[..LARGE].to_owned()
}

/// In the words of the service.
fn refusal(status: u16, far_end: FarEnd, code: &str) -> Action {
    let body = match far_end {
        FarEnd::Token | FarEnd::Metadata => {
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

/// Names of token endpoint and vault where they can be taken away. RFC 6761 promises that nobody else ever has a name
/// under `invalid`.
const NAMES: [&str; 2] = ["login.invalid", "keys.invalid"];

fn name(far_end: FarEnd, cause: Cause) -> &'static str {
    match (cause, far_end) {
        (_, FarEnd::Metadata) => "127.0.0.1",
        (Cause::Unresolved, FarEnd::Token) => NAMES[0],
        (Cause::Unresolved, FarEnd::Vault) => NAMES[1],
        _ => "localhost",
    }
}
