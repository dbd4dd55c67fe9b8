//! Who the agent is: chosen once from the configuration, turned into a credential of the SDK when needed.
//!
//! ```text
//!  config ─▶ auto (which kind) ─▶ resolve (complete) ─▶ Identity ─▶ credential of the SDK
//!                                                          ├─ assertion: the service account's token
//!                                                          ├─ certificate: an assertion signed by us
//!                                                          └─ cli: `az`, run so that nobody's child is lost
//! ```

mod assertion;
mod auto;
mod certificate;
mod cli;
mod local;
mod resolve;
mod variables;

pub(super) use assertion::Claims;
pub(super) use local::LocalError;
pub(super) use variables::Variables;

use super::transport::{TokenProxy, TokenTransport, Transport};
use crate::secret::SecretValue;
use assertion::TokenFile;
use azure_core::{
    credentials::{Secret, TokenCredential},
    http::ClientOptions,
};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertion, ClientAssertionCredential,
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
};
use certificate::CertificateAssertion;
use cli::AzureCli;
use std::{fmt, path::PathBuf, sync::Arc};

pub(super) use crate::config::UserAssigned;

/// A complete identity: nothing is left to be looked up. Equal ones can share a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Identity {
    /// Workload identity federation at Entra itself.
    Workload(Federation),
    /// The same through the token proxy of an AKS identity binding.
    Binding(Federation, TokenProxy),
    /// Managed identity; `None` is the system-assigned one.
    Managed(Option<UserAssigned>),
    /// Managed identity as AAD Pod Identity offers it.
    Pod(Option<UserAssigned>),
    /// An application with a secret or a certificate.
    ServicePrincipal { tenant_id: String, client_id: String, proof: Proof },
    /// Whoever is logged in to the Azure CLI.
    AzureCli { tenant_id: Option<String>, subscription: Option<String> },
}

/// What a workload identity exchanges for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Federation {
    pub(super) tenant_id: String,
    pub(super) client_id: String,
    pub(super) token_file: PathBuf,
}

/// How an application proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// By a secret.
    Secret(Held),
    /// By a signature with the key of a certificate.
    Certificate { file: PathBuf, password: Option<Held>, send_chain: bool },
}

/// Something secret, and where it is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Held {
    /// In a file, which is read anew whenever it is needed, since it may be rotated.
    File(PathBuf),
    /// In an environment variable, which never changes.
    Variable(SecretValue),
}

/// An identity, and why it is this one where nobody said so.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) identity: Identity,
    pub(super) because: Option<&'static str>,
}

impl Identity {
    /// The client id, where it is known.
    pub(super) fn client_id(&self) -> Option<&str> {
        match self {
            Self::Workload(federation) | Self::Binding(federation, _) => Some(&federation.client_id),
            Self::ServicePrincipal { client_id, .. } => Some(client_id),
            Self::Managed(Some(UserAssigned::ClientId(id))) | Self::Pod(Some(UserAssigned::ClientId(id))) => {
                Some(id)
            }
            Self::Managed(_) | Self::Pod(_) | Self::AzureCli { .. } => None,
        }
    }

    /// What the token file says about itself, for a message that tells what to create.
    pub(super) fn claims(&self) -> Option<Claims> {
        match self {
            Self::Workload(federation) | Self::Binding(federation, _) => Claims::of(&federation.token_file),
            _ => None,
        }
    }

    /// How its requests for tokens travel.
    pub(super) fn way(&self, shared: Arc<Transport>) -> TokenTransport {
        match self {
            Self::Binding(_, proxy) => TokenTransport::through(proxy.clone(), shared),
            Self::Pod(_) => TokenTransport::patient(shared),
            _ => TokenTransport::direct(shared),
        }
    }

    /// A new credential, without any cached token, assertion or secret of an earlier one.
    ///
    /// `authority` is whom a signed assertion is for.
    pub(super) fn credential(
        &self,
        authority: &str,
        options: ClientOptions,
    ) -> azure_core::Result<Arc<dyn TokenCredential>> {
        match self {
            Self::Workload(federation) | Self::Binding(federation, _) => {
                let Federation { tenant_id, client_id, token_file } = federation;
                by_assertion(tenant_id, client_id, TokenFile(token_file.clone()), options)
            }
            Self::Managed(assigned) | Self::Pod(assigned) => {
                let options = ManagedIdentityCredentialOptions {
                    user_assigned_id: assigned.clone().map(|id| match id {
                        UserAssigned::ClientId(id) => UserAssignedId::ClientId(id),
                        UserAssigned::ObjectId(id) => UserAssignedId::ObjectId(id),
                        UserAssigned::ResourceId(id) => UserAssignedId::ResourceId(id),
                    }),
                    client_options: options,
                };
                Ok(ManagedIdentityCredential::new(Some(options))?)
            }
            Self::ServicePrincipal { tenant_id, client_id, proof: Proof::Secret(secret) } => {
                let secret = Secret::new(String::clone(&*secret.text("the client secret")?));
                let options = ClientSecretCredentialOptions { client_options: options };
                Ok(ClientSecretCredential::new(tenant_id, client_id.clone(), secret, Some(options))?)
            }
            Self::ServicePrincipal {
                tenant_id,
                client_id,
                proof: Proof::Certificate { file, password, send_chain },
            } => {
                let assertion = CertificateAssertion {
                    file: file.clone(),
                    password: password.clone(),
                    send_chain: *send_chain,
                    client_id: client_id.clone(),
                    audience: format!("{authority}/{tenant_id}/oauth2/v2.0/token"),
                };
                by_assertion(tenant_id, client_id, assertion, options)
            }
            Self::AzureCli { tenant_id, subscription } => {
                let options = AzureCliCredentialOptions {
                    tenant_id: tenant_id.clone(),
                    subscription: subscription.clone(),
                    executor: Some(Arc::new(AzureCli::default())),
                };
                Ok(AzureCliCredential::new(Some(options))?)
            }
        }
    }
}

fn by_assertion(
    tenant_id: &str,
    client_id: &str,
    assertion: impl ClientAssertion + 'static,
    options: ClientOptions,
) -> azure_core::Result<Arc<dyn TokenCredential>> {
    let options = ClientAssertionCredentialOptions { client_options: options };
    Ok(ClientAssertionCredential::new(tenant_id.into(), client_id.into(), assertion, Some(options))?)
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let assigned = |f: &mut fmt::Formatter<'_>, what, id: &UserAssigned| match id {
            UserAssigned::ClientId(id) | UserAssigned::ResourceId(id) => write!(f, "{what} {id}"),
            UserAssigned::ObjectId(id) => write!(f, "{what} with the object id {id}"),
        };
        match self {
            Self::Workload(federation) => write!(f, "workload identity {}", federation.client_id),
            Self::Binding(federation, _) => write!(f, "identity binding {}", federation.client_id),
            Self::Managed(Some(id)) => assigned(f, "managed identity", id),
            Self::Managed(None) => f.write_str("system-assigned managed identity"),
            Self::Pod(Some(id)) => assigned(f, "pod identity", id),
            Self::Pod(None) => f.write_str("pod identity"),
            Self::ServicePrincipal { client_id, .. } => write!(f, "service principal {client_id}"),
            Self::AzureCli { .. } => f.write_str("Azure CLI login"),
        }
    }
}

impl Held {
    /// The secret as text without its line end, wiped when dropped. `what` names it in an error.
    fn text(&self, what: &str) -> Result<zeroize::Zeroizing<String>, LocalError> {
        match self {
            Self::File(path) => local::text(what, path),
            Self::Variable(value) => {
                let text = String::from_utf8_lossy(value.expose()).trim().to_owned();
                Ok(text.into())
            }
        }
    }
}
