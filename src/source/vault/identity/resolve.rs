//! From an identity as configured to a complete one: what is not given comes from the environment.

use super::{Chosen, Federation, Held, Identity, Proof, Variables, auto, variables as v};
use crate::{
    config::{self, UserAssigned, value},
    failure::{Class, Failure},
    secret::SecretValue,
    source::vault::transport::{ProxyCa, TokenProxy},
};
use std::path::PathBuf;

impl Identity {
    /// Fails with everything that is missing at once.
    pub(in super::super) fn resolve(
        wanted: &config::Identity,
        variables: &Variables,
    ) -> Result<Chosen, Failure> {
        if *wanted == config::Identity::Auto {
            let (wanted, because) = auto::choose(variables);
            return Ok(Chosen { because: Some(because), ..Self::resolve(&wanted, variables)? });
        }
        Ok(Chosen { identity: Self::complete(wanted, variables)?, because: None })
    }

    fn complete(wanted: &config::Identity, variables: &Variables) -> Result<Self, Failure> {
        Ok(match wanted {
            config::Identity::Workload(wanted) => {
                Self::Workload(federation("workload", wanted, variables, Vec::new())?)
            }
            config::Identity::Binding { federation: wanted, proxy } => {
                let url = proxy.url.clone().or_else(|| variables.get(v::TOKEN_PROXY));
                let missing = if url.is_none() { vec![v::TOKEN_PROXY] } else { Vec::new() };
                let federation = federation("identity-binding", wanted, variables, missing)?;
                Self::Binding(federation, token_proxy(&url.unwrap_or_default(), proxy, variables)?)
            }
            config::Identity::Auto | config::Identity::Managed(None) => {
                Self::Managed(managed(None, variables)?)
            }
            config::Identity::Managed(assigned) => Self::Managed(managed(assigned.as_ref(), variables)?),
            config::Identity::Pod(assigned) => Self::Pod(pod(assigned.as_ref(), variables)?),
            config::Identity::ServicePrincipal(wanted) => service_principal(wanted, variables)?,
            config::Identity::AzureCli { tenant_id, subscription } => {
                Self::AzureCli { tenant_id: tenant_id.clone(), subscription: subscription.clone() }
            }
        })
    }
}

fn fail(message: impl Into<String>) -> Failure {
    Failure::new(Class::Config, message)
}

/// The value of a variable that must have a certain form. It is never repeated.
fn checked<T>(
    name: &str,
    variables: &Variables,
    parse: impl Fn(&str) -> Result<T, &'static str>,
) -> Result<Option<T>, Failure> {
    let Some(text) = variables.get(name) else { return Ok(None) };
    parse(text.trim()).map(Some).map_err(|error| fail(format!("{name}: {error}")))
}

fn or_checked(given: Option<&String>, name: &str, variables: &Variables) -> Result<Option<String>, Failure> {
    match given {
        Some(given) => Ok(Some(given.clone())),
        None => checked(name, variables, value::entra_id),
    }
}

fn or_path(given: Option<&PathBuf>, name: &str, variables: &Variables) -> Option<PathBuf> {
    given.cloned().or_else(|| variables.get(name).map(PathBuf::from))
}

fn federation(
    kind: &str,
    wanted: &config::Federation,
    variables: &Variables,
    mut missing: Vec<&str>,
) -> Result<Federation, Failure> {
    let tenant_id = or_checked(wanted.tenant_id.as_ref(), v::TENANT_ID, variables)?;
    let client_id = or_checked(wanted.client_id.as_ref(), v::CLIENT_ID, variables)?;
    let token_file = or_path(wanted.token_file.as_ref(), v::TOKEN_FILE, variables);
    match (tenant_id, client_id, token_file) {
        (Some(tenant_id), Some(client_id), Some(token_file)) if missing.is_empty() => {
            Ok(Federation { tenant_id, client_id, token_file })
        }
        (tenant_id, client_id, token_file) => {
            for (given, name) in [
                (tenant_id.is_some(), v::TENANT_ID),
                (client_id.is_some(), v::CLIENT_ID),
                (token_file.is_some(), v::TOKEN_FILE),
            ] {
                if !given {
                    missing.push(name);
                }
            }
            let annotation = if kind == "workload" {
                ""
            } else {
                " and the annotation azure.workload.identity/use-identity-binding: \"true\""
            };
            Err(fail(format!(
                "identity: {kind} needs {}; in a pod they come with the label azure.workload.identity/use: \
                 \"true\"{annotation} and an annotated service account",
                missing.join(" and ")
            )))
        }
    }
}

fn token_proxy(url: &str, given: &config::TokenProxy, variables: &Variables) -> Result<TokenProxy, Failure> {
    let what = |error| fail(format!("{}: {error}", v::TOKEN_PROXY));
    value::proxy_url(url).map_err(what)?;
    let server_name = match &given.server_name {
        Some(name) => Some(name.clone()),
        None => checked(v::PROXY_NAME, variables, value::server_name)?,
    };
    let ca = match (&given.ca_file, variables.get(v::PROXY_CA_FILE), variables.get(v::PROXY_CA_DATA)) {
        (Some(path), ..) => ProxyCa::File(path.clone()),
        (None, Some(_), Some(_)) => {
            return Err(fail(format!(
                "{} and {} are both set; unset one",
                v::PROXY_CA_FILE,
                v::PROXY_CA_DATA
            )));
        }
        (None, Some(path), None) => ProxyCa::File(path.into()),
        (None, None, Some(pem)) => ProxyCa::Data(pem),
        (None, None, None) => ProxyCa::Known,
    };
    let url = url.parse().map_err(|_| what("not a URL"))?;
    Ok(TokenProxy { url, server_name, ca })
}

/// `AZURE_CLIENT_ID` names the identity where nothing else does.
fn assigned(given: Option<&UserAssigned>, variables: &Variables) -> Result<Option<UserAssigned>, Failure> {
    match given {
        Some(given) => Ok(Some(given.clone())),
        None => Ok(checked(v::CLIENT_ID, variables, value::entra_id)?.map(UserAssigned::ClientId)),
    }
}

/// The SDK chooses the endpoint by these variables too. What it does not support is refused here, with the
/// reason.
fn managed(given: Option<&UserAssigned>, variables: &Variables) -> Result<Option<UserAssigned>, Failure> {
    let unsupported = |platform: &str, name: &str| {
        Err(fail(format!(
            "identity: managed identity of {platform} is not supported ({name} is set); use workload or \
             service-principal"
        )))
    };
    let has = |name| variables.has(name);
    match (has(v::IDENTITY_ENDPOINT), has(v::IDENTITY_HEADER)) {
        (true, true) if has(v::THUMBPRINT) => return unsupported("Service Fabric", v::THUMBPRINT),
        (true, false) if has(v::ARC_ENDPOINT) => return unsupported("Azure Arc", v::ARC_ENDPOINT),
        (false, _) if has(v::MSI_ENDPOINT) => return unsupported("this platform", v::MSI_ENDPOINT),
        (true, true) if matches!(given, Some(UserAssigned::ResourceId(_))) => {
            return Err(fail(
                "identity: managed: the endpoint of this platform (IDENTITY_ENDPOINT) does not know resourceId; \
                 give clientId or objectId",
            ));
        }
        _ => {}
    }
    assigned(given, variables)
}

/// AAD Pod Identity stands where IMDS is, so another endpoint is a contradiction.
fn pod(given: Option<&UserAssigned>, variables: &Variables) -> Result<Option<UserAssigned>, Failure> {
    for name in [v::IDENTITY_ENDPOINT, v::MSI_ENDPOINT] {
        if variables.has(name) {
            return Err(fail(format!("identity: pod-identity, but {name} is set; use managed, or unset it")));
        }
    }
    assigned(given, variables)
}

fn service_principal(wanted: &config::ServicePrincipal, variables: &Variables) -> Result<Identity, Failure> {
    let tenant_id = or_checked(wanted.tenant_id.as_ref(), v::TENANT_ID, variables)?;
    let client_id = or_checked(wanted.client_id.as_ref(), v::CLIENT_ID, variables)?;
    let proof = proof(wanted, variables)?;
    match (tenant_id, client_id, proof) {
        (Some(tenant_id), Some(client_id), Some(proof)) => {
            Ok(Identity::ServicePrincipal { tenant_id, client_id, proof })
        }
        (tenant_id, client_id, proof) => {
            let missing = [
                (tenant_id.is_none(), "tenantId (AZURE_TENANT_ID)"),
                (client_id.is_none(), "clientId (AZURE_CLIENT_ID)"),
                (
                    proof.is_none(),
                    "clientSecretFile (AZURE_CLIENT_SECRET) or clientCertificateFile \
                     (AZURE_CLIENT_CERTIFICATE_PATH)",
                ),
            ];
            let missing: Vec<_> =
                missing.into_iter().filter_map(|(missing, name)| missing.then_some(name)).collect();
            Err(fail(format!("identity: service-principal needs {}", missing.join(" and "))))
        }
    }
}

/// What the configuration names wins over the environment, and there a secret over a certificate.
fn proof(wanted: &config::ServicePrincipal, variables: &Variables) -> Result<Option<Proof>, Failure> {
    let held = |name| variables.get(name).map(|value| Held::Variable(SecretValue::new(value)));
    if let Some(path) = &wanted.secret_file {
        return Ok(Some(Proof::Secret(Held::File(path.clone()))));
    }
    if wanted.certificate_file.is_none()
        && let Some(secret) = held(v::CLIENT_SECRET)
    {
        return Ok(Some(Proof::Secret(secret)));
    }
    let Some(file) = or_path(wanted.certificate_file.as_ref(), v::CERTIFICATE, variables) else {
        return Ok(None);
    };
    let password = wanted.certificate_password_file.clone().map(Held::File);
    let send_chain = match wanted.send_certificate_chain {
        Some(send) => send,
        None => checked(v::SEND_CHAIN, variables, value::flag)?.unwrap_or(false),
    };
    Ok(Some(Proof::Certificate {
        file,
        password: password.or_else(|| held(v::CERTIFICATE_PASSWORD)),
        send_chain,
    }))
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
