//! Who the agent is: chosen once from the configuration, turned into a credential of the SDK when needed.

use crate::{
    config,
    failure::{Class, Failure},
    files,
};
use async_trait::async_trait;
use azure_core::{
    credentials::TokenCredential,
    error::ErrorKind,
    http::{ClientMethodOptions, ClientOptions},
};
use azure_identity::{
    ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions, ManagedIdentityCredential,
    ManagedIdentityCredentialOptions, UserAssignedId,
};
use std::{collections::BTreeMap, fmt, io, path::PathBuf, sync::Arc};
use zeroize::Zeroizing;

const ENV_TENANT_ID: &str = "AZURE_TENANT_ID";
const ENV_CLIENT_ID: &str = "AZURE_CLIENT_ID";
const ENV_TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";

/// The environment variables that say who the agent is. Some of them are secret.
#[derive(Clone)]
pub(super) struct Variables(BTreeMap<&'static str, Zeroizing<String>>);

impl Variables {
    /// `lookup` reads a variable.
    pub(super) fn new(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let known = [ENV_TENANT_ID, ENV_CLIENT_ID, ENV_TOKEN_FILE];
        Self(known.into_iter().filter_map(|name| Some((name, lookup(name)?.into()))).collect())
    }

    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|value| String::clone(value))
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A complete identity: nothing is left to be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Identity {
    /// Workload identity federation.
    Workload { tenant_id: String, client_id: String, token_file: PathBuf },
    /// Managed identity; without a client id the system-assigned one.
    Managed { client_id: Option<String> },
}

impl Identity {
    pub(super) fn resolve(wanted: &config::Identity, variables: &Variables) -> Result<Self, Failure> {
        match wanted {
            config::Identity::Auto if variables.get(ENV_TOKEN_FILE).is_some() => {
                Self::workload(None, None, None, variables)
            }
            config::Identity::Auto => Ok(Self::managed(None, variables)),
            config::Identity::Workload { tenant_id, client_id, token_file } => {
                Self::workload(tenant_id.clone(), client_id.clone(), token_file.clone(), variables)
            }
            config::Identity::Managed { client_id } => Ok(Self::managed(client_id.clone(), variables)),
        }
    }

    fn managed(client_id: Option<String>, variables: &Variables) -> Self {
        Self::Managed { client_id: client_id.or_else(|| variables.get(ENV_CLIENT_ID)) }
    }

    fn workload(
        tenant_id: Option<String>,
        client_id: Option<String>,
        token_file: Option<PathBuf>,
        variables: &Variables,
    ) -> Result<Self, Failure> {
        let tenant_id = tenant_id.or_else(|| variables.get(ENV_TENANT_ID));
        let client_id = client_id.or_else(|| variables.get(ENV_CLIENT_ID));
        let token_file = token_file.or_else(|| variables.get(ENV_TOKEN_FILE).map(PathBuf::from));
        match (tenant_id, client_id, token_file) {
            (Some(tenant_id), Some(client_id), Some(token_file)) => {
                Ok(Self::Workload { tenant_id, client_id, token_file })
            }
            (tenant_id, client_id, token_file) => {
                let missing = [
                    (tenant_id.is_none(), ENV_TENANT_ID),
                    (client_id.is_none(), ENV_CLIENT_ID),
                    (token_file.is_none(), ENV_TOKEN_FILE),
                ];
                let missing: Vec<_> =
                    missing.into_iter().filter_map(|(missing, name)| missing.then_some(name)).collect();
                Err(Failure::new(
                    Class::Config,
                    format!(
                        "identity: workload needs {}; in a pod they come with the label \
                         azure.workload.identity/use: \"true\" and an annotated service account",
                        missing.join(" and ")
                    ),
                ))
            }
        }
    }

    /// The client id, where it is known.
    pub(super) fn client_id(&self) -> Option<&str> {
        match self {
            Self::Workload { client_id, .. } => Some(client_id),
            Self::Managed { client_id } => client_id.as_deref(),
        }
    }

    /// A new credential, without any cached token or assertion of an earlier one.
    pub(super) fn credential(&self, options: ClientOptions) -> azure_core::Result<Arc<dyn TokenCredential>> {
        Ok(match self {
            Self::Workload { tenant_id, client_id, token_file } => ClientAssertionCredential::new(
                tenant_id.clone(),
                client_id.clone(),
                TokenFile(token_file.clone()),
                Some(ClientAssertionCredentialOptions { client_options: options }),
            )?,
            Self::Managed { client_id } => {
                ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
                    user_assigned_id: client_id.clone().map(UserAssignedId::ClientId),
                    client_options: options,
                }))?
            }
        })
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload { client_id, .. } => write!(f, "workload identity {client_id}"),
            Self::Managed { client_id: Some(id) } => write!(f, "managed identity {id}"),
            Self::Managed { client_id: None } => f.write_str("system-assigned managed identity"),
        }
    }
}

/// The projected service account token as the assertion. The kubelet replaces it well before it expires, so
/// it is read anew for every exchange. Entra refuses an assertion with the file's trailing newline.
#[derive(Debug)]
struct TokenFile(PathBuf);

/// A service account token has one or two kilobytes.
const LONGEST_TOKEN: u64 = 64 << 10;

/// The token file gave no token.
#[derive(Debug, thiserror::Error)]
#[error("the token file {} {problem}", path.display())]
pub(super) struct TokenFileError {
    path: PathBuf,
    problem: String,
}

#[async_trait]
impl ClientAssertion for TokenFile {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let text = files::read_regular(&self.0, LONGEST_TOKEN).and_then(|bytes| {
            String::from_utf8(bytes).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))
        });
        let problem = match text {
            Ok(token) if token.trim().is_empty() => "is empty".to_owned(),
            Ok(token) => return Ok(token.trim().to_owned()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => "is not text".to_owned(),
            Err(error) => format!("cannot be read: {error}"),
        };
        Err(azure_core::Error::new(ErrorKind::Other, TokenFileError { path: self.0.clone(), problem }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(wanted: &config::Identity, variables: &[(&str, &str)]) -> Result<Identity, Failure> {
        let lookup =
            |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
        Identity::resolve(wanted, &Variables::new(lookup))
    }

    const PROJECTED: [(&str, &str); 3] =
        [(ENV_TENANT_ID, "t"), (ENV_CLIENT_ID, "c"), (ENV_TOKEN_FILE, "/var/token")];

    #[test]
    fn auto_follows_the_token_file() {
        let workload = Identity::Workload {
            tenant_id: "t".into(),
            client_id: "c".into(),
            token_file: "/var/token".into(),
        };
        assert_eq!(resolve(&config::Identity::Auto, &PROJECTED), Ok(workload));
        assert_eq!(
            resolve(&config::Identity::Auto, &PROJECTED[..2]),
            Ok(Identity::Managed { client_id: Some("c".into()) })
        );
        assert_eq!(resolve(&config::Identity::Auto, &[]), Ok(Identity::Managed { client_id: None }));
    }

    #[test]
    fn options_win_over_variables() {
        let wanted = config::Identity::Workload {
            tenant_id: Some("T".into()),
            client_id: None,
            token_file: Some("/other".into()),
        };
        let workload =
            Identity::Workload { tenant_id: "T".into(), client_id: "c".into(), token_file: "/other".into() };
        assert_eq!(resolve(&wanted, &PROJECTED), Ok(workload));
        let wanted = config::Identity::Managed { client_id: Some("C".into()) };
        assert_eq!(resolve(&wanted, &PROJECTED), Ok(Identity::Managed { client_id: Some("C".into()) }));
    }

    #[test]
    fn everything_that_is_missing_is_named_at_once() {
        let failure = resolve(&config::Identity::Auto, &PROJECTED[2..]).expect_err("incomplete");
        assert_eq!(failure.class, Class::Config);
        assert!(failure.message.contains("AZURE_TENANT_ID and AZURE_CLIENT_ID;"), "{failure}");
    }
}
