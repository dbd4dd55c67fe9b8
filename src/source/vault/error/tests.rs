//! What each failure becomes: subject, class, whether it passes, and the words that help.

use super::*;
use crate::{
    reference::{Collection, ObjectId, ObjectName, VaultUrl},
    source::vault::identity::Federation,
};
use azure_core::error::ErrorKind;
use std::{io, sync::Arc};

fn secret() -> ObjectId {
    ObjectId {
        collection: Collection::Secrets,
        vault: VaultUrl("https://v.vault.azure.net".into()),
        name: ObjectName("db".into()),
        version: None,
    }
}

fn identity() -> Identity {
    Identity::Workload(Federation {
        tenant_id: "tenant".into(),
        client_id: "client".into(),
        token_file: "/token".into(),
    })
}

/// The error as it comes out of the SDK: wrapped, with texts that say nothing.
fn from_sdk(role: Role, problem: Problem) -> azure_core::Error {
    let error = TransportError { role: Some(role), host: "far.example".into(), problem };
    let error = azure_core::Error::from(error).with_context("non-transport error occurred");
    match role {
        Role::Vault => error,
        Role::Entra | Role::Imds | Role::TokenProxy => {
            let cause = Arc::new(azure_core::Error::with_error(ErrorKind::Credential, error, "failed"));
            NoToken { cause, claims: None }.into()
        }
    }
}

fn refused(status: u16, code: &str) -> Problem {
    Problem::Refused(Refusal {
        status,
        code: Some(code.into()),
        inner: None,
        message: "words of the service".into(),
        retry_after: Some(Duration::from_secs(7)),
        resource: None,
    })
}

#[derive(Debug, PartialEq)]
enum About {
    Secret,
    Vault,
    Identity,
}
use About::{Identity as Id, Secret, Vault};

fn judged(role: Role, problem: Problem) -> (About, VaultError) {
    match judge(&secret(), &identity(), &from_sdk(role, problem)) {
        Verdict::Secret(error) => {
            assert!(error.message.starts_with("https://v.vault.azure.net/secrets/db: "), "{}", error.message);
            (Secret, error)
        }
        Verdict::Vault { error, .. } if error.message.starts_with("https://v.vault.azure.net: ") => {
            (Vault, error)
        }
        Verdict::Vault { error, .. } => {
            assert!(error.message.starts_with("workload identity client: "), "{}", error.message);
            (Id, error)
        }
    }
}

fn certificate(error: CertificateError) -> Problem {
    Problem::Tls(rustls::Error::InvalidCertificate(error))
}

fn resolve() -> Problem {
    Problem::Resolve("Name or service not known".into())
}

#[test]
fn every_failure_has_a_subject_a_class_and_a_remedy() {
    use Class::{Config, Permission, Unavailable};
    let (vault, entra, imds, proxy) = (Role::Vault, Role::Entra, Role::Imds, Role::TokenProxy);
    let connect = || Problem::Connect(io::ErrorKind::ConnectionRefused.into());
    let cases: [(Role, Problem, About, Class, bool, &str); 64] = [
        (vault, refused(403, "ForbiddenByRbac"), Secret, Permission, true, "'Key Vault Secrets User'"),
        (vault, refused(403, "AccessDenied"), Secret, Permission, true, "access policy"),
        (vault, refused(403, "ForbiddenByPolicy"), Secret, Permission, true, "access policy"),
        (vault, refused(403, "ForbiddenByFirewall"), Secret, Permission, false, "network rules"),
        (vault, refused(403, "ForbiddenByConnection"), Secret, Permission, false, "private endpoint"),
        (vault, refused(403, "SecretDisabled"), Secret, Unavailable, false, "enable it"),
        (vault, refused(403, "Else"), Secret, Permission, true, "client may not read it (HTTP 403 Else:"),
        (vault, refused(404, "SecretNotFound"), Secret, Unavailable, false, "no such secret (HTTP 404"),
        (vault, refused(400, "BadParameter"), Secret, Config, false, "BadParameter"),
        (vault, refused(409, "Conflict"), Secret, Unavailable, true, "another operation"),
        (vault, refused(401, "Unauthorized"), Vault, Permission, false, "refuses a new token"),
        (vault, refused(429, "Throttled"), Vault, Unavailable, true, "pollInterval"),
        (vault, refused(408, "Timeout"), Vault, Unavailable, true, "HTTP 408"),
        (vault, refused(500, "Internal"), Vault, Unavailable, true, "HTTP 500"),
        (vault, refused(503, "Busy"), Vault, Unavailable, true, "HTTP 503"),
        (vault, refused(302, "Found"), Vault, Unavailable, false, "unexpected"),
        (vault, resolve(), Vault, Unavailable, true, "far.example does not resolve"),
        (vault, connect(), Vault, Unavailable, true, "cannot connect to far.example"),
        (vault, Problem::TimedOut(Phase::Resolve), Vault, Unavailable, true, "looking up the name of far"),
        (vault, Problem::TimedOut(Phase::Connect), Vault, Unavailable, true, "connecting to far"),
        (vault, Problem::TimedOut(Phase::Handshake), Vault, Unavailable, true, "in the TLS handshake to far"),
        (vault, Problem::TimedOut(Phase::Answer), Vault, Unavailable, true, "waiting for the answer of far"),
        (vault, Problem::Broken("cut".into()), Vault, Unavailable, true, "broke: cut"),
        (vault, Problem::NotAllowed, Vault, Class::Bug, false, "far.example"),
        (vault, certificate(CertificateError::UnknownIssuer), Vault, Config, false, "caFile"),
        (vault, certificate(CertificateError::BadSignature), Vault, Config, false, "caFile"),
        (vault, certificate(CertificateError::NotValidForName), Vault, Config, false, "another name"),
        (vault, certificate(CertificateError::Expired), Vault, Unavailable, true, "clock"),
        (vault, certificate(CertificateError::Revoked), Vault, Unavailable, false, "refused"),
        (vault, Problem::Tls(rustls::Error::DecryptError), Vault, Unavailable, true, "no TLS connection"),
        (entra, refused(400, "AADSTS70021"), Id, Permission, true, "system:serviceaccount:"),
        (entra, refused(400, "AADSTS700213"), Id, Permission, true, "system:serviceaccount:"),
        (entra, refused(400, "AADSTS700211"), Id, Permission, true, "OIDC issuer"),
        (entra, refused(400, "AADSTS700016"), Id, Permission, true, "client id"),
        (entra, refused(401, "AADSTS700024"), Id, Config, false, "clock"),
        (entra, refused(401, "AADSTS700212"), Id, Config, false, "api://AzureADTokenExchange"),
        (entra, refused(400, "AADSTS90002"), Id, Config, false, "tenant id"),
        (entra, refused(401, "AADSTS7000215"), Id, Config, false, "not its id"),
        (entra, refused(401, "AADSTS7000222"), Id, Config, false, "has expired"),
        (entra, refused(401, "AADSTS700027"), Id, Config, false, "registered with the application"),
        (entra, refused(400, "AADSTS900023"), Id, Config, false, "AZURE_TENANT_ID"),
        (entra, refused(400, "AADSTS50049"), Id, Config, false, "in one cloud"),
        (entra, refused(400, "AADSTS53003"), Id, Permission, false, "Conditional Access"),
        (entra, refused(400, "AADSTS999999"), Id, Permission, false, "check the identity's configuration"),
        (entra, refused(429, "AADSTS999999"), Id, Unavailable, true, "Entra failed"),
        (entra, refused(503, "AADSTS999999"), Id, Unavailable, true, "Entra failed"),
        (entra, refused(400, "AADSTS90055"), Id, Unavailable, true, "Entra failed"),
        (entra, refused(503, "AADSTS90033"), Id, Unavailable, true, "Entra failed"),
        (entra, resolve(), Id, Unavailable, true, "DNS"),
        (entra, certificate(CertificateError::UnknownIssuer), Id, Config, false, "caFile"),
        (imds, refused(400, "invalid_request"), Id, Permission, false, "assigned"),
        (imds, refused(404, "not_found"), Id, Unavailable, true, "not ready"),
        (imds, refused(403, "forbidden"), Id, Permission, false, "IMDS gives no token"),
        (imds, refused(410, "gone"), Id, Unavailable, true, "not ready"),
        (imds, refused(429, "busy"), Id, Unavailable, true, "not ready"),
        (imds, refused(500, "unknown"), Id, Unavailable, true, "not ready"),
        (imds, connect(), Id, Unavailable, true, "use workload identity"),
        (proxy, refused(401, "AADSTS700213"), Id, Permission, true, "system:serviceaccount:"),
        (proxy, refused(403, "forbidden"), Id, Permission, true, "use-managed-identity"),
        (proxy, refused(404, "not_found"), Id, Config, false, "AZURE_KUBERNETES_TOKEN_PROXY"),
        (proxy, refused(503, "busy"), Id, Unavailable, true, "the token proxy failed"),
        (proxy, certificate(CertificateError::UnknownIssuer), Id, Unavailable, true, "KUBERNETES_CA_FILE"),
        (proxy, certificate(CertificateError::NotValidForName), Id, Config, false, "KUBERNETES_SNI_NAME"),
        (proxy, connect(), Id, Unavailable, true, "identity bindings are enabled"),
    ];
    for (role, problem, about, class, transient, words) in cases {
        let case = format!("{role:?} {problem:?}");
        let (subject, error) = judged(role, problem);
        assert_eq!((subject, error.class, error.transient), (about, class, transient), "{case}");
        assert!(error.message.contains(words), "{case}: {}", error.message);
        assert!(!error.message.contains('\n'), "{case}: {}", error.message);
    }
}

#[test]
fn retry_after_is_kept_for_the_vault() {
    let verdict = judge(&secret(), &identity(), &from_sdk(Role::Vault, refused(429, "Throttled")));
    assert!(
        matches!(verdict, Verdict::Vault { retry_after: Some(wait), .. } if wait == Duration::from_secs(7))
    );
}

#[test]
fn the_vault_tells_who_an_unnamed_identity_is() {
    let Problem::Refused(mut refusal) = refused(403, "ForbiddenByRbac") else { unreachable!() };
    refusal.message = "Caller: appid=1234;oid=5678".into();
    let unnamed = Identity::Managed(None);
    let error = from_sdk(Role::Vault, Problem::Refused(refusal));
    let Verdict::Secret(error) = judge(&secret(), &unnamed, &error) else { panic!("about the secret") };
    assert!(error.message.contains("system-assigned managed identity 1234 may not"), "{}", error.message);
}

#[test]
fn a_text_that_may_quote_a_secret_is_never_shown() {
    let quoting = || azure_core::Error::with_message(ErrorKind::DataConversion, "invalid type: \"canary\"");
    let Verdict::Secret(error) = judge(&secret(), &identity(), &quoting()) else {
        panic!("about the secret")
    };
    assert!(error.transient && !error.message.contains("canary"), "{}", error.message);
    let no_token = azure_core::Error::from(NoToken { cause: Arc::new(quoting()), claims: None });
    let Verdict::Vault { error, .. } = judge(&secret(), &identity(), &no_token) else { panic!("about all") };
    assert!(error.message.starts_with("workload identity client: "), "{}", error.message);
    assert!(error.transient && !error.message.contains("canary"), "{}", error.message);
}

#[test]
fn an_unusable_answer_is_about_the_secret() {
    let error = azure_core::Error::new(ErrorKind::Other, Unusable::NoValue);
    let Verdict::Secret(error) = judge(&secret(), &identity(), &error) else { panic!("about the secret") };
    assert_eq!(&*error.message, "https://v.vault.azure.net/secrets/db: the answer has no value");
}

/// What a managed identity and a pod identity make of the same answer.
#[test]
fn patience_depends_on_who_answers() {
    let refusal = |status, message: &str| Refusal {
        status,
        code: Some("invalid_request".into()),
        inner: None,
        message: message.into(),
        retry_after: None,
        resource: None,
    };
    let (managed, pod) = (Identity::Managed(None), Identity::Pod(None));
    for (status, message, identity, class, transient, words) in [
        (
            400,
            "Multiple user assigned identities exist",
            &managed,
            Class::Config,
            false,
            "name one with clientId",
        ),
        (400, "Identity not found", &managed, Class::Permission, false, "assigned to the node's scale set"),
        (404, "", &managed, Class::Unavailable, true, "IMDS is not ready"),
        (403, "", &managed, Class::Permission, false, "use workload identity"),
        (403, "no AzureAssignedIdentity found", &pod, Class::Permission, true, "aadpodidbinding"),
        (404, "no azure identity found", &pod, Class::Permission, true, "AzureIdentityBinding"),
        (500, "", &pod, Class::Unavailable, true, "aadpodidbinding"),
        (400, "", &pod, Class::Permission, false, "aadpodidbinding"),
    ] {
        let error = from_sdk(Role::Imds, Problem::Refused(refusal(status, message)));
        let error = no_token(identity, &error);
        assert_eq!((error.class, error.transient), (class, transient), "{identity} {status}");
        assert!(error.message.contains(words), "{identity} {status}: {}", error.message);
    }
}

#[test]
fn a_refused_assertion_is_shown_by_what_a_federated_credential_must_name() {
    let claims = Claims {
        subject: Some("system:serviceaccount:shop:api".into()),
        issuer: Some("https://issuer.example/".into()),
        audience: Some("api://else".into()),
    };
    let message = |code, identity: &Identity, claims: &Claims| {
        let problem =
            TransportError { role: Some(Role::Entra), host: "far".into(), problem: refused(400, code) };
        let cause = Arc::new(azure_core::Error::from(problem));
        no_token(identity, &NoToken { cause, claims: Some(claims.clone()) }).message.to_string()
    };
    let text = message("AADSTS700213", &identity(), &claims);
    for part in
        ["subject system:serviceaccount:shop:api", "issuer https://issuer.example/", "audience api://else"]
    {
        assert!(text.contains(part), "{text}");
    }
    assert!(message("AADSTS700212", &identity(), &claims).contains("audience is api://else"));
    let binding = Claims { audience: Some("api://AKSIdentityBinding".into()), ..claims };
    assert!(message("AADSTS700212", &identity(), &binding).contains("`identity: identity-binding`"));
}
