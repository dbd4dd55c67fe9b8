//! What a failed request means: for whom, for how long, and what to do about it, in one line.
//!
//! The SDK's own texts are never shown. The outermost ones say nothing, and those of a failed
//! deserialisation quote what they could not read, which may be a secret.

mod entra;
mod platform;

use super::{
    VaultError,
    asked::Asked,
    client::Unusable,
    credential::NoToken,
    identity::{Claims, Identity, LocalError},
    transport::{Phase, Problem, Refusal, Role, TransportError},
};
use crate::failure::Class;
use rustls::CertificateError;
use std::{error::Error, fmt::Display, io, time::Duration};

/// What a failed request says, and about how much.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Only about this secret; the others may do better.
    Secret(VaultError),
    /// About the vault, the way to it, or the identity; the others would fail alike.
    Vault {
        error: VaultError,
        /// How long the far end wants to be left alone.
        retry_after: Option<Duration>,
        /// Whether it was too much that was asked of the vault.
        throttled: bool,
    },
}

/// The first `T` in the chain of causes.
pub(super) fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        // What was put into one of these is not among its sources.
        if let Some(inner) = error.downcast_ref().and_then(io::Error::get_ref)
            && let Some(found) = inner.downcast_ref()
        {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// Judges why `identity` was not given what it asked for.
pub(super) fn judge<'a>(
    asked: impl Into<Asked<'a>>,
    identity: &Identity,
    error: &(dyn Error + 'static),
) -> Verdict {
    let asked = asked.into();
    if find::<NoToken>(error).is_some() {
        return Verdict::Vault {
            error: no_token(identity, error),
            retry_after: retry_after(error),
            throttled: false,
        };
    }
    let Some(TransportError { problem, host, .. }) = find(error) else {
        let text = match find::<Unusable>(error) {
            Some(unusable) => unusable.to_string(),
            None => "the answer is not what Key Vault sends; is there a proxy in between?".into(),
        };
        return Verdict::Secret(Advice::passing(text).about(&asked));
    };
    let advice = match problem {
        Problem::Refused(refusal) => {
            if let Some(advice) = about_object(asked, refusal, identity) {
                return Verdict::Secret(advice.about(&asked));
            }
            about_vault(refusal, identity)
        }
        problem => about_way(problem, Role::Vault, host),
    };
    let throttled = matches!(problem, Problem::Refused(refusal) if refusal.status == 429);
    Verdict::Vault { error: advice.about(asked.vault()), retry_after: retry_after(error), throttled }
}

/// Judges why there is no token for `identity`.
pub(super) fn no_token(identity: &Identity, error: &(dyn Error + 'static)) -> VaultError {
    let claims = find::<NoToken>(error).and_then(|error| error.claims.as_ref());
    let advice = if let Some(TransportError { problem, host, role }) = find(error) {
        match (problem, role) {
            (Problem::Refused(refusal), Some(Role::Imds)) => platform::managed(refusal, identity),
            // It passes on what Entra says.
            (Problem::Refused(refusal), Some(Role::TokenProxy)) if !refusal.is_of_entra() => {
                platform::proxy(refusal)
            }
            (Problem::Refused(refusal), _) => entra::advice(refusal, identity, claims),
            (problem, role) => about_way(problem, role.unwrap_or(Role::Entra), host),
        }
    } else if let Some(LocalError { class, transient, message }) = find(error) {
        Advice { class: *class, transient: *transient, text: message.clone() }
    } else {
        let text =
            "the token endpoint's answer is not what Entra or IMDS sends; is there a proxy in between?";
        Advice::passing(text.into())
    };
    advice.about(identity)
}

fn retry_after(error: &(dyn Error + 'static)) -> Option<Duration> {
    match find(error) {
        Some(TransportError { problem: Problem::Refused(refusal), .. }) => refusal.retry_after,
        _ => None,
    }
}

/// An error that does not know yet what it is about.
struct Advice {
    class: Class,
    transient: bool,
    text: String,
}

impl Advice {
    /// Can pass by waiting.
    fn passing(text: String) -> Self {
        Self { class: Class::Unavailable, transient: true, text }
    }

    /// Not allowed, or not yet.
    fn denied(text: String) -> Self {
        Self { class: Class::Permission, transient: true, text }
    }

    /// Stays until somebody changes something.
    fn lasting(class: Class, text: String) -> Self {
        Self { class, transient: false, text }
    }

    fn about(self, subject: &dyn Display) -> VaultError {
        VaultError {
            class: self.class,
            transient: self.transient,
            message: format!("{subject}: {}", self.text).into(),
        }
    }
}

/// What a vault says about what was asked for; `None` if it says something about itself.
fn about_object(asked: Asked<'_>, refusal: &Refusal, identity: &Identity) -> Option<Advice> {
    let (noun, verb) = (asked.noun(), asked.verb());
    let code = refusal.finest_code().unwrap_or("Forbidden");
    Some(match (refusal.status, code) {
        (403, "SecretDisabled" | "KeyDisabled") => Advice::lasting(
            Class::Unavailable,
            format!("the {noun} is disabled ({code}); enable it or set a new version"),
        ),
        // These are also what an identity gets until every replica of the vault knows of its new assignment.
        (403, "ForbiddenByRbac") => Advice::denied(format!(
            "{} may not {verb} {noun}s (ForbiddenByRbac); assign it the role {}, and allow some minutes for that to \
             take effect",
            who(refusal, identity),
            asked.role(),
        )),
        (403, "AccessDenied" | "ForbiddenByPolicy") => Advice::denied(format!(
            "{} may not {verb} {noun}s ({code}); add an access policy with the {noun} permission {}",
            who(refusal, identity),
            asked.permission(),
        )),
        (403, "ForbiddenByFirewall" | "ForbiddenByConnection") => Advice::lasting(
            Class::Permission,
            format!(
                "the vault's network rules refuse this address ({code}); allow the cluster's network or use a \
                 private endpoint"
            ),
        ),
        (403, _) => Advice::denied(format!("{} may not {verb} it ({refusal})", who(refusal, identity))),
        (404, _) => Advice::lasting(
            Class::Unavailable,
            format!(
                "no such {noun} ({refusal}); create it, recover it if it was deleted, or correct the reference"
            ),
        ),
        (400, _) => Advice::lasting(Class::Config, format!("the vault refuses the request ({refusal})")),
        // It is being deleted, recovered, restored or purged.
        (409, _) => Advice::passing(format!("another operation on the {noun} is under way ({refusal})")),
        _ => return None,
    })
}

/// The identity as the vault sees it, which helps where the configuration does not name one.
fn who(refusal: &Refusal, identity: &Identity) -> String {
    let appid = refusal.message.split("appid=").nth(1).and_then(|rest| rest.split([';', ' ']).next());
    match (identity.client_id(), appid) {
        (None, Some(appid)) if !appid.is_empty() => format!("{identity} {appid}"),
        _ => identity.to_string(),
    }
}

fn about_vault(refusal: &Refusal, identity: &Identity) -> Advice {
    match refusal.status {
        401 => {
            let wanted = match &refusal.resource {
                Some(resource) => format!("it wants one for {resource}, "),
                None => String::new(),
            };
            Advice::lasting(
                Class::Permission,
                format!("refuses a new token of {identity} ({refusal}); {wanted}check cloud and tenant"),
            )
        }
        429 => Advice::passing(format!(
            "throttles ({refusal}); ask less often (pollInterval) or use fewer vault reads"
        )),
        408 | 500.. => Advice::passing(format!("failed ({refusal})")),
        _ => Advice::lasting(Class::Unavailable, format!("gave an unexpected answer ({refusal})")),
    }
}

/// A request that got no answer.
fn about_way(problem: &Problem, role: Role, host: &str) -> Advice {
    let check = match role {
        Role::Vault => "check network policies, the firewall and the private endpoint",
        Role::Entra => "check network policies and the firewall",
        Role::Imds => "if IMDS is closed to pods here, use workload identity",
        Role::TokenProxy => "check network policies, and that identity bindings are enabled in the cluster",
    };
    match problem {
        Problem::NotAllowed => Advice::lasting(
            Class::Bug,
            format!("a request to {host} was refused, as nothing in the configuration names it"),
        ),
        Problem::Resolve(reason) => {
            let hint = match role {
                Role::Vault => {
                    "check the vault's name, and the private DNS zone if it has a private endpoint"
                }
                Role::Entra | Role::Imds | Role::TokenProxy => "check the cluster's DNS",
            };
            Advice::passing(format!("the name {host} does not resolve ({reason}); {hint}"))
        }
        Problem::Connect(error) => Advice::passing(format!("cannot connect to {host} ({error}); {check}")),
        Problem::TimedOut(phase @ (Phase::Resolve | Phase::Answer)) => {
            Advice::passing(format!("timed out {phase} of {host}"))
        }
        Problem::TimedOut(phase) => Advice::passing(format!("timed out {phase} to {host}; {check}")),
        Problem::Broken(reason) => Advice::passing(format!("the exchange with {host} broke: {reason}")),
        Problem::Tls(error) => about_certificate(error, role, host),
        Problem::Refused(refusal) => Advice::passing(refusal.to_string()),
    }
}

fn about_certificate(error: &rustls::Error, role: Role, host: &str) -> Advice {
    use CertificateError as C;
    let rustls::Error::InvalidCertificate(reason) = error else {
        return Advice::passing(format!("no TLS connection to {host} ({error})"));
    };
    match reason {
        // Its authority is the cluster's own and has a file of its own; a new one is a matter of seconds.
        C::UnknownIssuer | C::BadSignature if role == Role::TokenProxy => Advice::passing(format!(
            "the certificate of the token proxy {host} is not from the CA in AZURE_KUBERNETES_CA_FILE"
        )),
        C::NotValidForName | C::NotValidForNameContext { .. } if role == Role::TokenProxy => Advice::lasting(
            Class::Config,
            format!("the certificate of the token proxy {host} is not for AZURE_KUBERNETES_SNI_NAME"),
        ),
        C::UnknownIssuer => Advice::lasting(
            Class::Config,
            format!("the certificate of {host} is from an unknown issuer; name its CA in caFile"),
        ),
        C::BadSignature => Advice::lasting(
            Class::Config,
            format!(
                "the certificate of {host} is not signed by the CA of that name that is known here; is the one in \
                 caFile an older one?"
            ),
        ),
        C::NotValidForName | C::NotValidForNameContext { .. } => Advice::lasting(
            Class::Config,
            format!("the certificate of {host} is for another name; use the vault's own name, not an alias"),
        ),
        C::Expired | C::ExpiredContext { .. } | C::NotValidYet | C::NotValidYetContext { .. } => {
            Advice::passing(format!(
                "the certificate of {host} is not valid now ({error}); check the clock of the node"
            ))
        }
        _ => Advice::lasting(Class::Unavailable, format!("the certificate of {host} is refused ({error})")),
    }
}

#[cfg(test)]
mod tests;
