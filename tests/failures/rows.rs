//! What is expected: one row for each cause at each far end.

use super::table::{Again, Cause, Course, FarEnd, Row};
use Again::{BackOff, Poll};
use Cause::{
    Code, CutBody, ExpiredCertificate, Html, Huge, Large, NoAnswer, Refused, Status, Throttled, Trickle,
    UnknownCa, Unresolved, WrongShape,
};
use Course::{Ends, Served, Waits};

/// All of them, in the order of the document.
pub(crate) fn all() -> Vec<Row> {
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
    let metadata = METADATA.into_iter().map(of(FarEnd::Metadata));
    token.chain(metadata).chain(VAULT.into_iter().map(of(FarEnd::Vault))).collect()
}

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
        "Entra gives no token (HTTP 401 AADSTS700213 ... needs a federated credential with exactly what the token file says: subject",
        "Passes within minutes if the federated credential is new; else create it as the message says. Likewise AADSTS70021.",
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

/// It is asked without TLS, by its address.
const METADATA: [Line; 17] = [
    (
        Refused,
        Waits(69, BackOff),
        "cannot connect to HOST ... if IMDS is closed to pods here, use workload identity",
        "Use workload identity, or let the pod reach 169.254.169.254 on port 80.",
    ),
    (
        NoAnswer,
        Waits(69, BackOff),
        "timed out waiting for the answer of HOST",
        "Usually passes; under load IMDS is slow.",
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
        "Usually passes.",
    ),
    (
        Status(400),
        Ends(77, BackOff),
        "IMDS gives no token (HTTP 400 invalid_request ... must be assigned to the node's scale set",
        "Assign the identity to the node pool's scale set, or correct its client id.",
    ),
    (
        Status(401),
        Ends(77, BackOff),
        "IMDS gives no token (HTTP 401",
        "Check `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`.",
    ),
    (
        Status(403),
        Ends(77, BackOff),
        "IMDS gives no token (HTTP 403",
        "Something in the cluster denies pods the use of IMDS; use workload identity.",
    ),
    (
        Status(404),
        Waits(69, BackOff),
        "IMDS is not ready (HTTP 404",
        "Passes: the identity has not reached the node yet.",
    ),
    (Status(409), Ends(77, BackOff), "IMDS gives no token (HTTP 409", "See what stands in for IMDS."),
    (
        Status(410),
        Waits(69, BackOff),
        "IMDS is not ready (HTTP 410",
        "Passes within 70 seconds: IMDS is being updated.",
    ),
    (
        Throttled(4),
        Waits(69, BackOff),
        "IMDS is not ready (HTTP 429",
        "Passes. The agent keeps away as long as it is told to, 5 minutes at most.",
    ),
    (Status(429), Waits(69, BackOff), "IMDS is not ready (HTTP 429", "Passes."),
    (Status(500), Waits(69, BackOff), "IMDS is not ready (HTTP 500", "Passes."),
    (Status(503), Waits(69, BackOff), "IMDS is not ready (HTTP 503", "Passes."),
    (
        WrongShape,
        Waits(69, BackOff),
        "the token endpoint's answer is not what Entra or IMDS sends",
        "See what stands in for IMDS.",
    ),
    (Large, Served, "", "Nothing: a long token is a token."),
    (
        Huge,
        Waits(69, BackOff),
        "the exchange with HOST broke: the answer is longer than 1048576 bytes",
        "See what stands in for IMDS.",
    ),
];

const VAULT: [Line; 22] = [
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
        Status(409),
        Waits(69, Poll),
        "another operation on the secret is under way (HTTP 409 Conflict",
        "Passes: somebody deletes, recovers or restores the secret at this moment.",
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
