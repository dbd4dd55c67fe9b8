//! What Microsoft Entra's error codes mean, and what to do about them.
//!
//! Codes and names are those of
//! <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>; for federated credentials, of
//! <https://learn.microsoft.com/entra/workload-id/workload-identity-federation-considerations>. Entra may change
//! them at any time, so they only refine what the HTTP status says.

use super::{Advice, Claims, Identity};
use crate::{failure::Class, source::vault::transport::Refusal};

/// What a code is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Entra has trouble of its own.
    Trouble,
    /// Right soon, if it was created just now: not every replica knows of it yet. Else wrong.
    Late,
    /// Wrong until somebody corrects it.
    Wrong,
    /// Somebody decided so.
    Denied,
}
use Meaning::{Denied, Late, Trouble, Wrong};

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Remedy {
    /// Just this.
    Text(&'static str),
    /// A federated credential must match the token file.
    Federate,
    /// The token file is for somebody else.
    Audience,
    /// Nothing but waiting.
    Wait,
}
use Remedy::{Audience, Federate, Text, Wait};

const TENANT: Remedy = Text("check the tenant id (AZURE_TENANT_ID), and that `cloud` is the cloud it is in");
const CLOUD: Remedy =
    Text("check `cloud` and AZURE_AUTHORITY_HOST: tenant, vault and authority must be in one cloud");
const CERTIFICATE: Remedy = Text(
    "the certificate must be registered with the application (Certificates & secrets), and not have expired there",
);

/// Unknown codes are judged by their HTTP status.
const CODES: &[(u32, Meaning, Remedy)] = &[
    // No matching federated identity record found.
    (70_021, Late, Federate),
    // ... for presented assertion issuer.
    (700_211, Late, Federate),
    // ... for presented assertion subject.
    (700_213, Late, Federate),
    // ... for presented assertion audience.
    (700_212, Wrong, Audience),
    (7_002_121, Wrong, Audience),
    // The key that signed the assertion is not among those that its issuer publishes; Entra caches them.
    (
        7_000_272,
        Late,
        Text(
            "the cluster's OIDC issuer must publish the key that signed the token; a new one takes some minutes to be known",
        ),
    ),
    // Client assertion is not within its valid time range.
    (
        700_024,
        Wrong,
        Text("check the clock of the node, and that the token file is replaced before it expires"),
    ),
    // UnauthorizedClient_DoesNotMatchRequest, UnauthorizedClientAppNotFoundInOrgIdTenant.
    (700_016, Late, Text("check client id and tenant id; a new identity takes some minutes to be known")),
    (700_011, Late, Text("check client id and tenant id; a new identity takes some minutes to be known")),
    // InvalidTenantName; neither a valid DNS name nor a valid external domain.
    (90_002, Wrong, TENANT),
    (900_023, Wrong, TENANT),
    // NationalCloudTenantRedirection; confidential client in a cross cloud request, under two numbers.
    (90_038, Wrong, CLOUD),
    (900_382, Wrong, CLOUD),
    (900_432, Wrong, CLOUD),
    // NoSuchInstanceForDiscovery.
    (50_049, Wrong, CLOUD),
    // InvalidResource, InvalidResourceServicePrincipalNotFound, InvalidScope, and a scope without a resource.
    (50_001, Wrong, CLOUD),
    (500_011, Wrong, CLOUD),
    (70_011, Wrong, CLOUD),
    (1_002_012, Wrong, CLOUD),
    // Documented for a scope without a resource, which is never asked for; Entra also says it of an assertion that we
    // signed for another tenant.
    (700_023, Wrong, TENANT),
    // InvalidClient; invalid client secret.
    (70_002, Wrong, Text("the secret is not one of this application; give its value, not its id")),
    (7_000_215, Wrong, Text("the secret is not one of this application; give its value, not its id")),
    // InvalidClientSecretExpiredKeysProvided.
    (
        7_000_222,
        Wrong,
        Text("the secret has expired; add a new one to the application and put it in the old one's place"),
    ),
    // Client assertion failed signature validation; AuthenticationFailed.
    (700_027, Wrong, CERTIFICATE),
    (50_012, Wrong, CERTIFICATE),
    // Subject name in certificate isn't authorized.
    (700_030, Wrong, CERTIFICATE),
    // InvalidClientPublicClientWithCredential.
    (700_025, Wrong, Text("the application is registered as a public client; it must be a confidential one")),
    // UnauthorizedClient, UnauthorizedClientApplicationDisabled.
    (70_001, Denied, Text("the application is disabled; enable it in Microsoft Entra")),
    (7_000_112, Denied, Text("the application is disabled; enable it in Microsoft Entra")),
    // BlockedByConditionalAccess, BlockedByConditionalAccessOnSecurityPolicy.
    (
        53_003,
        Denied,
        Text("a Conditional Access policy blocks it; exclude this identity or allow its address"),
    ),
    (530_032, Denied, Text("a security policy of the tenant blocks it")),
    // RetryableError, ExternalServerRetryableError, RequestTimeout, RequestBudgetExceededError, MsodsServiceUnavailable,
    // TenantThrottlingError, GraphRetryableError, GraphServiceUnreachable.
    (50_033, Trouble, Wait),
    (90_006, Trouble, Wait),
    (90_012, Trouble, Wait),
    (90_024, Trouble, Wait),
    (90_033, Trouble, Wait),
    (90_055, Trouble, Wait),
    (90_090, Trouble, Wait),
    (90_091, Trouble, Wait),
];

/// Judges why Entra gives no token. `claims` are those of the assertion that was presented.
pub(super) fn advice(refusal: &Refusal, identity: &Identity, claims: Option<&Claims>) -> Advice {
    let number = refusal.finest_code().and_then(|code| code.strip_prefix("AADSTS")?.parse::<u32>().ok());
    let known = CODES.iter().find(|(code, ..)| Some(*code) == number);
    let (meaning, remedy) = match (known, refusal.status) {
        (Some((_, meaning, remedy)), _) => (*meaning, *remedy),
        (None, 408 | 429 | 500..) => (Trouble, Wait),
        (None, _) => (Denied, Text("check the identity's configuration")),
    };
    let remedy = match remedy {
        Text(text) => text.to_owned(),
        Federate => federate(claims),
        Audience => audience(identity, claims),
        Wait => return Advice::passing(format!("Entra failed ({refusal})")),
    };
    let text = format!("Entra gives no token ({refusal}); {remedy}");
    match meaning {
        Late => Advice::denied(text),
        Denied => Advice::lasting(Class::Permission, text),
        Wrong | Trouble => Advice::lasting(Class::Config, text),
    }
}

/// Entra compares byte by byte.
fn federate(claims: Option<&Claims>) -> String {
    match claims {
        Some(claims) => format!(
            "the identity needs a federated credential with exactly what the token file says: {claims}; a new one \
             takes some minutes to be known"
        ),
        None => "its federated credential must name the subject system:serviceaccount:NAMESPACE:NAME of this pod and \
                 this cluster's OIDC issuer with its final slash; a new one takes some minutes to be known"
            .to_owned(),
    }
}

/// What the webhook projects for an identity binding, which Entra itself does not take.
const BINDING_AUDIENCE: &str = "api://AKSIdentityBinding";

fn audience(identity: &Identity, claims: Option<&Claims>) -> String {
    let audience = claims.and_then(|claims| claims.audience.as_deref());
    match (audience, identity) {
        (Some(audience), Identity::Workload(_)) if audience.contains(BINDING_AUDIENCE) => {
            "the token file is for an identity binding; use `identity: identity-binding`".to_owned()
        }
        (Some(audience), _) => format!(
            "the token file's audience is {audience}; Entra wants api://AzureADTokenExchange (USGov or China after it \
             in those clouds), as the workload identity webhook projects it"
        ),
        (None, _) => "the token file's audience must be api://AzureADTokenExchange".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_has_two_meanings() {
        let mut codes: Vec<_> = CODES.iter().map(|(code, ..)| code).collect();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), CODES.len());
    }

    #[test]
    fn trouble_is_waited_out_and_nothing_else_is() {
        for (code, meaning, remedy) in CODES {
            assert_eq!(*meaning == Trouble, *remedy == Wait, "{code}");
        }
    }
}
