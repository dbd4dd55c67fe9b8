//! What the token endpoints of a platform say: the instance metadata service, AAD Pod Identity in its place,
//! App Service and its like, and the token proxy of an identity binding.

use super::{Advice, Identity};
use crate::{failure::Class, source::vault::transport::Refusal};

/// Judges why a managed identity gets no token.
///
/// <https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#error-handling>
pub(super) fn managed(refusal: &Refusal, identity: &Identity) -> Advice {
    if let Identity::Pod(_) = identity {
        return pod(refusal);
    }
    let refused =
        |class, remedy: &str| Advice::lasting(class, format!("IMDS gives no token ({refusal}); {remedy}"));
    match refusal.status {
        400 if refusal.message.to_ascii_lowercase().contains("multiple") => refused(
            Class::Config,
            "the node has several identities; name one with clientId, or in AZURE_CLIENT_ID",
        ),
        400 => refused(
            Class::Permission,
            "the identity must be assigned to the node's scale set, and its id be right; with workload identity \
             no assignment is needed",
        ),
        401 => refused(Class::Permission, "IDENTITY_HEADER is not the one of IDENTITY_ENDPOINT"),
        404 | 408 | 410 | 429 | 500.. => Advice::passing(format!("IMDS is not ready ({refusal})")),
        _ => refused(Class::Permission, "if pods may not use it in this cluster, use workload identity"),
    }
}

/// NMI says these things until the identity has reached the node.
///
/// <https://azure.github.io/aad-pod-identity/docs/best-practices/>
fn pod(refusal: &Refusal) -> Advice {
    let text = format!(
        "AAD Pod Identity gives no token ({refusal}); the pod's label aadpodidbinding must be the selector of an \
         AzureIdentityBinding, whose AzureIdentity takes up to a minute to be assigned to the node"
    );
    match refusal.status {
        403 | 404 => Advice::denied(text),
        408 | 410 | 429 | 500.. => Advice::passing(text),
        _ => Advice::lasting(Class::Permission, text),
    }
}

/// What the token proxy says of its own, without a code of Entra.
///
/// <https://learn.microsoft.com/azure/aks/identity-bindings-concepts>
pub(super) fn proxy(refusal: &Refusal) -> Advice {
    match refusal.status {
        408 | 429 | 500.. => Advice::passing(format!("the token proxy failed ({refusal})")),
        // Like every right of this kind, it takes a moment to be known.
        401 | 403 => Advice::denied(format!(
            "the token proxy gives no token ({refusal}); the service account needs a ClusterRole that may \
             use-managed-identity for this client id, and the cluster an identity binding for it"
        )),
        _ => Advice::lasting(
            Class::Config,
            format!(
                "the token proxy gives no token ({refusal}); check the identity binding and \
                 AZURE_KUBERNETES_TOKEN_PROXY"
            ),
        ),
    }
}
