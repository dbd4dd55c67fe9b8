//! `identity` and `vaults`: who the agent is for Microsoft Entra, everywhere and at single vaults.

use super::{
    Cloud, Identity, VaultOptions,
    setting::{Setting, Written},
    value,
};
use crate::reference::{ReferenceError, VaultUrl};
use std::collections::BTreeMap;

const IDENTITIES: &str = "unknown identity; use auto, workload or managed";
const NOT_YET: &str = "this identity is not supported by this version; use auto, workload or managed";
const PLANNED: [&str; 3] = ["pod-identity", "service-principal", "azure-cli"];

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
        return setting.parse(known_identity);
    }
    let mut fields = setting.fields(&["workload", "managed"], &PLANNED)?;
    let planned = PLANNED.iter().any(|key| fields.take_even_null(key).is_some());
    match (fields.take_even_null("workload"), fields.take_even_null("managed")) {
        (Some(workload), None) => workload_identity(&workload),
        (None, Some(managed)) => managed_identity(&managed),
        (None, None) if planned => None,
        _ => {
            setting.problem("a mapping needs exactly one of workload and managed");
            None
        }
    }
}

fn known_identity(text: &str) -> Result<Identity, &'static str> {
    match text {
        "auto" => Ok(Identity::Auto),
        "workload" => Ok(Identity::Workload { tenant_id: None, client_id: None, token_file: None }),
        "managed" => Ok(Identity::Managed { client_id: None }),
        _ if PLANNED.contains(&text) => Err(NOT_YET),
        _ => Err(IDENTITIES),
    }
}

fn workload_identity(setting: &Setting<'_>) -> Option<Identity> {
    if let Written::Null = setting.written {
        return known_identity("workload").ok();
    }
    let mut fields = setting.fields(&["tenantId", "clientId", "tokenFile"], &[])?;
    Some(Identity::Workload {
        tenant_id: fields.take("tenantId").and_then(|setting| setting.parse(value::entra_id)),
        client_id: fields.take("clientId").and_then(|setting| setting.parse(value::entra_id)),
        token_file: fields.take("tokenFile").and_then(|setting| setting.parse(value::file_path)),
    })
}

fn managed_identity(setting: &Setting<'_>) -> Option<Identity> {
    if let Written::Null = setting.written {
        return known_identity("managed").ok();
    }
    let mut fields = setting.fields(&["clientId"], &[])?;
    let client_id = fields.take("clientId").and_then(|setting| setting.parse(value::entra_id));
    Some(Identity::Managed { client_id })
}
