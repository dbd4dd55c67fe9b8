//! What is expected: one row for each cause at each far end.

use std::fmt;

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) far_end: FarEnd,
    pub(crate) cause: Cause,
    pub(crate) course: Course,
    /// What the log and the status say, in this order; `...` stands for any text, `HOST` for the far end.
    pub(crate) says: &'static str,
    /// What an operator should do.
    pub(crate) remedy: &'static str,
}

/// What fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FarEnd {
    Token,
    Vault,
}

/// How it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    Refused,
    Unresolved,
    UnknownCa,
    ExpiredCertificate,
    NoAnswer,
    Trickle,
    CutBody,
    Status(u16),
    /// A status with a code that says more.
    Code(u16, &'static str),
    /// With this `Retry-After` in seconds.
    Throttled(u32),
    Html,
    WrongShape,
    Large,
    Huge,
}

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Course {
    /// It is no failure.
    Served,
    /// At the start it is waited for until the deadline, which ends with this code.
    Waits(i32, Again),
    /// At the start it ends the agent at once with this code.
    Ends(i32, Again),
}

/// When it is tried again once there is a last good set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    /// By itself, after a second or two at first and a minute at last.
    BackOff,
    /// With the next poll: it is about one secret, and the vault has given its answer.
    Poll,
}

impl Cause {
    /// Whether it is known only when the time for a request is over.
    pub(crate) fn is_slow(self) -> bool {
        matches!(self, Self::NoAnswer | Self::Trickle)
    }
}

impl fmt::Display for FarEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token => "token endpoint",
            Self::Vault => "vault",
        })
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "connection refused",
            Self::Unresolved => "name does not resolve",
            Self::UnknownCa => "certificate of an unknown CA",
            Self::ExpiredCertificate => "certificate has expired",
            Self::NoAnswer => "no answer",
            Self::Trickle => "answer trickles",
            Self::CutBody => "answer is cut off",
            Self::Status(status) => return write!(f, "HTTP {status}"),
            Self::Code(status, code) => return write!(f, "HTTP {status} {code}"),
            Self::Throttled(_) => return f.write_str("HTTP 429 with `Retry-After`"),
            Self::Html => "HTML instead of JSON",
            Self::WrongShape => "JSON of the wrong shape",
            Self::Large => "answer of 25 KB",
            Self::Huge => "answer of 10 MB",
        })
    }
}

/// All of them, in the order of the document.
pub(crate) fn rows() -> Vec<Row> {
    let of = |far_end| {
        move |(cause, course, says, remedy): (Cause, Course, &'static str, &'static str)| Row {
            far_end,
            cause,
            course,
            says,
            remedy,
        }
    };
    let token = TOKEN.into_iter().map(of(FarEnd::Token));
    token.chain(VAULT.into_iter().map(of(FarEnd::Vault))).collect()
}

use Again::{BackOff, Poll};
use Cause::{
    Code, CutBody, ExpiredCertificate, Html, Huge, Large, NoAnswer, Refused, Status, Throttled, Trickle,
    UnknownCa, Unresolved, WrongShape,
};
use Course::{Ends, Served, Waits};

type Line = (Cause, Course, &'static str, &'static str);

const TOKEN: [Line; 22] = [
    (
        Refused,
        Waits(69, BackOff),
        "cannot connect to HOST ... check network policies and the firewall",
        "Let the pod reach the authority on port 443.",
    ),
    (
        Unresolved,
        Waits(69, BackOff),
        "the name HOST does not resolve ... check the cluster's DNS",
        "Look at CoreDNS, and at egress rules for port 53.",
    ),
    (
        UnknownCa,
        Ends(78, BackOff),
        "the certificate of HOST is from an unknown issuer; name its CA in caFile",
        "Set `caFile` if a gateway inspects TLS; else ask who answers in place of Entra.",
    ),
    (
        ExpiredCertificate,
        Waits(69, BackOff),
        "the certificate of HOST is not valid now ... check the clock of the node",
        "Correct the node's clock, or have the gateway's certificate renewed.",
    ),
    (
        NoAnswer,
        Waits(69, BackOff),
        "timed out waiting for the answer of HOST",
        "Usually passes; if not, look at what is between the pod and Entra.",
    ),
    (
        Trickle,
        Waits(69, BackOff),
        "timed out waiting for the answer of HOST",
        "As above: an answer must be complete within 20 seconds.",
    ),
    (
        CutBody,
        Waits(69, BackOff),
        "the exchange with HOST broke: the connection was cut in the middle of the answer",
        "Usually passes; if not, look at gateways on the way.",
    ),
    (
        Status(400),
        Ends(77, BackOff),
        "Entra gives no token (HTTP 400 AADSTS",
        "Look up the AADSTS number; check client id, tenant and federated credential.",
    ),
    (
        Code(400, "AADSTS700016"),
        Waits(77, BackOff),
        "Entra gives no token (HTTP 400 AADSTS700016 ... check client id and tenant",
        "Passes within minutes if the identity is new; else correct its client id or the tenant.",
    ),
    (Status(401), Ends(77, BackOff), "Entra gives no token (HTTP 401 AADSTS", "As for HTTP 400."),
    (
        Code(401, "AADSTS700213"),
        Waits(77, BackOff),
        "Entra gives no token (HTTP 401 AADSTS700213 ... must name the subject system:serviceaccount:NAMESPACE:NAME",
        "Passes within minutes if the federated credential is new; else correct its subject. Likewise AADSTS70021.",
    ),
    (Status(403), Ends(77, BackOff), "Entra gives no token (HTTP 403 AADSTS", "As for HTTP 400."),
    (
        Status(404),
        Ends(77, BackOff),
        "Entra gives no token (HTTP 404 AADSTS",
        "Check `AZURE_AUTHORITY_HOST` and the cloud.",
    ),
    (Status(409), Ends(77, BackOff), "Entra gives no token (HTTP 409 AADSTS", "As for HTTP 400."),
    (
        Throttled(4),
        Waits(69, BackOff),
        "Entra failed (HTTP 429 AADSTS",
        "Passes. The agent keeps away as long as it is told to, 5 minutes at most.",
    ),
    (Status(429), Waits(69, BackOff), "Entra failed (HTTP 429 AADSTS", "Passes."),
    (
        Status(500),
        Waits(69, BackOff),
        "Entra failed (HTTP 500 AADSTS",
        "Passes; if not, see Azure's status page.",
    ),
    (
        Status(503),
        Waits(69, BackOff),
        "Entra failed (HTTP 503 AADSTS",
        "Passes; if not, see Azure's status page.",
    ),
    (
        Html,
        Waits(69, BackOff),
        "the token endpoint's answer is not what Entra or IMDS sends; is there a proxy in between?",
        "Exempt the authority's host from the proxy or gateway that answers in its place.",
    ),
    (
        WrongShape,
        Waits(69, BackOff),
        "the token endpoint's answer is not what Entra or IMDS sends; is there a proxy in between?",
        "As above.",
    ),
    (Large, Served, "", "Nothing: a long token is a token."),
    (
        Huge,
        Waits(69, BackOff),
        "the exchange with HOST broke: the answer is longer than 1048576 bytes",
        "Find out who answers in place of Entra.",
    ),
];

const VAULT: [Line; 21] = [
    (
        Refused,
        Waits(69, BackOff),
        "cannot connect to HOST ... check network policies, the firewall and the private endpoint",
        "Let the pod reach the vault on port 443.",
    ),
    (
        Unresolved,
        Waits(69, BackOff),
        "the name HOST does not resolve ... check the vault's name, and the private DNS zone",
        "Correct `vault`, or link the zone `privatelink.vaultcore.azure.net` to the cluster's network.",
    ),
    (
        UnknownCa,
        Ends(78, BackOff),
        "the certificate of HOST is from an unknown issuer; name its CA in caFile",
        "Set `caFile` if a gateway inspects TLS; else ask who answers in place of the vault.",
    ),
    (
        ExpiredCertificate,
        Waits(69, BackOff),
        "the certificate of HOST is not valid now ... check the clock of the node",
        "Correct the node's clock, or have the gateway's certificate renewed.",
    ),
    (
        NoAnswer,
        Waits(69, BackOff),
        "timed out waiting for the answer of HOST",
        "Usually passes; if not, look at what is between the pod and the vault.",
    ),
    (
        Trickle,
        Waits(69, BackOff),
        "timed out waiting for the answer of HOST",
        "As above: an answer must be complete within 20 seconds.",
    ),
    (
        CutBody,
        Waits(69, BackOff),
        "the exchange with HOST broke: the connection was cut in the middle of the answer",
        "Usually passes; if not, look at gateways on the way.",
    ),
    (
        Status(400),
        Ends(78, Poll),
        "the vault refuses the request (HTTP 400 BadParameter",
        "Correct the reference; if it is right, report a bug.",
    ),
    (
        Status(401),
        Ends(77, BackOff),
        "refuses a new token of workload identity ... check cloud and tenant",
        "The vault must trust the identity's tenant; a token that was only revoked is replaced without a word.",
    ),
    (
        Status(403),
        Waits(77, Poll),
        "may not read secrets (ForbiddenByRbac); assign it the role 'Key Vault Secrets User' on the vault",
        "Assign the role, or add the access policy; a new one takes some minutes to be known.",
    ),
    (
        Code(403, "ForbiddenByFirewall"),
        Ends(77, Poll),
        "the vault's network rules refuse this address (ForbiddenByFirewall)",
        "Allow the cluster's outbound address, or use a private endpoint.",
    ),
    (
        Code(403, "SecretDisabled"),
        Ends(69, Poll),
        "the secret is disabled (SecretDisabled); enable it or set a new version",
        "As it says.",
    ),
    (
        Status(404),
        Ends(69, Poll),
        "no such secret (HTTP 404 SecretNotFound ... create it, recover it if it was deleted, or correct the reference",
        "As it says.",
    ),
    (
        Throttled(4),
        Waits(69, BackOff),
        "throttles (HTTP 429 Throttled ... pollInterval",
        "Passes. The agent keeps away as long as it is told to, 5 minutes at most. If it returns, poll less often.",
    ),
    (Status(429), Waits(69, BackOff), "throttles (HTTP 429 Throttled ... pollInterval", "As above."),
    (
        Status(500),
        Waits(69, BackOff),
        "failed (HTTP 500 InternalServerError",
        "Passes; if not, see Azure's status page.",
    ),
    (
        Status(503),
        Waits(69, BackOff),
        "failed (HTTP 503 ServiceUnavailable",
        "Passes; if not, see Azure's status page.",
    ),
    (
        Html,
        Waits(69, Poll),
        "the answer is not what Key Vault sends; is there a proxy in between?",
        "Exempt the vault's host from the proxy or gateway that answers in its place.",
    ),
    (
        WrongShape,
        Waits(69, Poll),
        "the answer is not what Key Vault sends; is there a proxy in between?",
        "As above.",
    ),
    (Large, Served, "", "Nothing: this is the longest value that a vault takes."),
    (
        Huge,
        Waits(69, BackOff),
        "the exchange with HOST broke: the answer is longer than 1048576 bytes",
        "Find out who answers in place of the vault.",
    ),
];
