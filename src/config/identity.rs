//! `identity` and `vaults`: who the agent is for Microsoft Entra, everywhere and at single vaults.

use super::{
    Cloud,
    setting::{Fields, Setting, Written},
    value,
};
use crate::reference::{ReferenceError, VaultUrl};
use std::{collections::BTreeMap, path::PathBuf};

/// Who the agent is for Microsoft Entra. What is `None` comes from the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Whatever the environment offers.
    Auto,
    /// Workload identity federation: the service account's token is exchanged at Entra.
    Workload(Federation),
    /// The same through the token proxy of an AKS identity binding.
    Binding {
        /// What is exchanged for whom.
        federation: Federation,
        /// Where.
        proxy: TokenProxy,
    },
    /// Managed identity, from the instance metadata service or the platform's own endpoint. `None` is
    /// `AZURE_CLIENT_ID`, or the system-assigned one.
    Managed(Option<UserAssigned>),
    /// The same from the legacy AAD Pod Identity, which needs patience.
    Pod(Option<UserAssigned>),
    /// An application with a secret or a certificate.
    ServicePrincipal(ServicePrincipal),
    /// Whoever is logged in to the Azure CLI.
    AzureCli {
        /// Tenant to ask for a token in.
        tenant_id: Option<String>,
        /// Name or id of the subscription whose account is meant.
        subscription: Option<String>,
    },
}

/// What a workload identity exchanges for whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Federation {
    /// Tenant (directory) id: `AZURE_TENANT_ID`.
    pub tenant_id: Option<String>,
    /// Client (application) id: `AZURE_CLIENT_ID`.
    pub client_id: Option<String>,
    /// File with the projected service account token: `AZURE_FEDERATED_TOKEN_FILE`.
    pub token_file: Option<PathBuf>,
}

/// Where the token proxy of an identity binding is, and how to know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TokenProxy {
    /// Base URL: `AZURE_KUBERNETES_TOKEN_PROXY`.
    pub url: Option<String>,
    /// The name that it has in TLS: `AZURE_KUBERNETES_SNI_NAME`.
    pub server_name: Option<String>,
    /// The only authorities that its certificate may be from: `AZURE_KUBERNETES_CA_FILE`.
    pub ca_file: Option<PathBuf>,
}

/// Which one of several managed identities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserAssigned {
    /// By its client (application) id.
    ClientId(String),
    /// By its object (principal) id.
    ObjectId(String),
    /// By its Azure resource id.
    ResourceId(String),
}

/// An application with a secret or a certificate, neither of which is ever in the configuration itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServicePrincipal {
    /// Tenant (directory) id: `AZURE_TENANT_ID`.
    pub tenant_id: Option<String>,
    /// Client (application) id: `AZURE_CLIENT_ID`.
    pub client_id: Option<String>,
    /// File with the secret, else `AZURE_CLIENT_SECRET`.
    pub secret_file: Option<PathBuf>,
    /// PEM or PKCS#12 file with certificate and key: `AZURE_CLIENT_CERTIFICATE_PATH`.
    pub certificate_file: Option<PathBuf>,
    /// File with the password of a PKCS#12 file, else `AZURE_CLIENT_CERTIFICATE_PASSWORD`.
    pub certificate_password_file: Option<PathBuf>,
    /// Send the certificate along, for applications that trust an issuer and a name.
    pub send_certificate_chain: Option<bool>,
}

/// What differs for one vault.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VaultOptions {
    /// Who asks it; `None` is who asks all the others.
    pub identity: Option<Identity>,
}

const UNKNOWN: &str = "unknown identity; use auto, workload, identity-binding, managed, pod-identity, \
                       service-principal or azure-cli";
const KINDS: [&str; 6] =
    ["workload", "identity-binding", "managed", "pod-identity", "service-principal", "azure-cli"];

/// Reads what differs for single vaults. A key is written like the default vault; what it names need not be
/// in use. `is_relevant` is as for references.
pub(super) fn vaults(
    setting: &Setting<'_>,
    cloud: &Cloud,
    is_relevant: impl Fn(&ReferenceError) -> bool,
) -> BTreeMap<VaultUrl, VaultOptions> {
    let mut vaults = BTreeMap::new();
    for (key, setting) in setting.entries().unwrap_or_default() {
        let vault = VaultUrl::parse(key, cloud).map_err(|error| {
            if is_relevant(&error) {
                setting.problem(error);
            }
        });
        let identity = match setting.written {
            // As a template leaves it that filled in nothing.
            Written::Null => None,
            _ => setting.fields(&["identity"], &[]).and_then(|mut fields| fields.take("identity")),
        };
        let identity = identity.and_then(|setting| read(&setting));
        if let Ok(vault) = vault
            && vaults.insert(vault, VaultOptions { identity }).is_some()
        {
            setting.problem("the same vault is written above in another way; keep one");
        }
    }
    vaults
}

/// Reads the identity; `None` means that a problem was reported.
pub(super) fn read(setting: &Setting<'_>) -> Option<Identity> {
    if !matches!(setting.written, Written::Map(_)) {
        return setting.parse(|text| match text {
            "auto" => Ok(Identity::Auto),
            kind if KINDS.contains(&kind) => Ok(of_kind(kind, &mut Fields::none())),
            _ => Err(UNKNOWN),
        });
    }
    let mut fields = setting.fields(&KINDS, &[])?;
    let mut chosen = KINDS.iter().filter_map(|kind| Some((*kind, fields.take_even_null(kind)?)));
    let (Some((kind, options)), None) = (chosen.next(), chosen.next()) else {
        setting.problem(format_args!("a mapping needs exactly one of {}", KINDS.join(", ")));
        return None;
    };
    let mut fields = match options.written {
        Written::Null => Fields::none(),
        _ => options.fields(known(kind), &[])?,
    };
    if matches!(kind, "managed" | "pod-identity")
        && ["clientId", "objectId", "resourceId"].iter().filter(|key| fields.has(key)).count() > 1
    {
        options.problem("an identity has one name; give one of clientId, objectId and resourceId");
    }
    if fields.has("clientSecretFile") && fields.has("clientCertificateFile") {
        options.problem("give either clientSecretFile or clientCertificateFile");
    }
    for (key, instead) in SECRETS {
        if let Some(secret) = fields.take_even_null(key) {
            secret.problem(format_args!("a secret has no place in a configuration; use {instead}"));
        }
    }
    Some(of_kind(kind, &mut fields))
}

/// Keys under which somebody may want to write a secret, and what to do instead.
const SECRETS: [(&str, &str); 3] = [
    ("clientSecret", "clientSecretFile, which names a file with it, or the variable AZURE_CLIENT_SECRET"),
    ("clientCertificate", "clientCertificateFile, which names a file with it"),
    (
        "clientCertificatePassword",
        "clientCertificatePasswordFile, which names a file with it, or the variable \
         AZURE_CLIENT_CERTIFICATE_PASSWORD",
    ),
];

fn known(kind: &str) -> &'static [&'static str] {
    match kind {
        "workload" => &["tenantId", "clientId", "tokenFile"],
        "identity-binding" => {
            &["tenantId", "clientId", "tokenFile", "tokenProxy", "proxyServerName", "proxyCaFile"]
        }
        "managed" | "pod-identity" => &["clientId", "objectId", "resourceId"],
        "azure-cli" => &["tenantId", "subscription"],
        _ => &[
            "tenantId",
            "clientId",
            "clientSecretFile",
            "clientCertificateFile",
            "clientCertificatePasswordFile",
            "sendCertificateChain",
            "clientSecret",
            "clientCertificate",
            "clientCertificatePassword",
        ],
    }
}

/// What is wrong has been reported, and then counts as not given.
fn of_kind(kind: &str, fields: &mut Fields<'_>) -> Identity {
    let mut id = |key| fields.take(key)?.parse(value::entra_id);
    let (tenant_id, client_id) = (id("tenantId"), id("clientId"));
    let object_id = id("objectId");
    let mut file = |key| fields.take(key)?.parse(value::file_path);
    let federation =
        |token_file| Federation { tenant_id: tenant_id.clone(), client_id: client_id.clone(), token_file };
    match kind {
        "workload" => Identity::Workload(federation(file("tokenFile"))),
        "identity-binding" => Identity::Binding {
            federation: federation(file("tokenFile")),
            proxy: TokenProxy {
                ca_file: file("proxyCaFile"),
                url: fields.take("tokenProxy").and_then(|url| url.parse(value::proxy_url)),
                server_name: fields.take("proxyServerName").and_then(|name| name.parse(value::server_name)),
            },
        },
        "managed" | "pod-identity" => {
            let resource_id = fields.take("resourceId").and_then(|id| id.parse(value::resource_id));
            let assigned = client_id
                .map(UserAssigned::ClientId)
                .or(object_id.map(UserAssigned::ObjectId))
                .or(resource_id.map(UserAssigned::ResourceId));
            if kind == "managed" { Identity::Managed(assigned) } else { Identity::Pod(assigned) }
        }
        "azure-cli" => Identity::AzureCli {
            tenant_id,
            subscription: fields.take("subscription").and_then(|name| name.parse(value::subscription)),
        },
        _ => Identity::ServicePrincipal(ServicePrincipal {
            tenant_id,
            client_id,
            secret_file: file("clientSecretFile"),
            certificate_file: file("clientCertificateFile"),
            certificate_password_file: file("clientCertificatePasswordFile"),
            send_certificate_chain: fields
                .take("sendCertificateChain")
                .and_then(|flag| flag.parse(value::flag)),
        }),
    }
}
