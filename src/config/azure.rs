//! `cloud`, `vaultSuffixes` and `identity`: which Azure, and who the agent is there.

use super::{
    Cloud, Identity,
    setting::{Setting, Written},
    value,
};
use crate::reference::vault_url::{dns_suffix, https_base};

const CLOUDS: &str = "unknown cloud; use public, usgovernment, china or a mapping with custom";
const IDENTITIES: &str = "unknown identity; use auto, workload or managed";
const NOT_YET: &str = "this identity is not supported by this version; use auto, workload or managed";
const PLANNED: [&str; 3] = ["pod-identity", "service-principal", "azure-cli"];

/// Reads the cloud; `None` means that a problem was reported.
///
/// `authority` is `AZURE_AUTHORITY_HOST`. It wins over the cloud's own because the workload identity
/// webhook sets it from what the cluster really uses.
pub(super) fn cloud(
    cloud: Option<&Setting<'_>>,
    suffixes: Option<Setting<'_>>,
    authority: Option<&Setting<'_>>,
) -> Option<Cloud> {
    let base = match cloud {
        None => known_cloud("public").ok(),
        Some(setting) if matches!(setting.written, Written::Map(_)) => custom_cloud(setting),
        Some(setting) => setting.parse(known_cloud),
    };
    let authority = authority.map(|setting| setting.parse(https_base));
    let listed: Vec<Option<String>> = suffixes.map(suffix_list).unwrap_or_default();
    let (own_authority, vault_suffix) = base?;
    let mut allowed_suffixes = vec![vault_suffix.clone()];
    for suffix in listed {
        let suffix = suffix?;
        if !allowed_suffixes.contains(&suffix) {
            allowed_suffixes.push(suffix);
        }
    }
    Some(Cloud { authority: authority.unwrap_or(Some(own_authority))?, vault_suffix, allowed_suffixes })
}

/// Authority and vault suffix.
type Endpoints = (String, String);

fn known_cloud(text: &str) -> Result<Endpoints, &'static str> {
    let (authority, suffix) = match text {
        "public" => ("https://login.microsoftonline.com", "vault.azure.net"),
        "usgovernment" => ("https://login.microsoftonline.us", "vault.usgovcloudapi.net"),
        "china" => ("https://login.partner.microsoftonline.cn", "vault.azure.cn"),
        _ => return Err(CLOUDS),
    };
    Ok((authority.to_owned(), suffix.to_owned()))
}

fn custom_cloud(setting: &Setting<'_>) -> Option<Endpoints> {
    let custom = setting.fields(&["custom"], &[])?.take("custom");
    let Some(custom) = custom else {
        setting.problem("a mapping needs the key custom, with authorityHost and vaultSuffix");
        return None;
    };
    let mut fields = custom.fields(&["authorityHost", "vaultSuffix"], &[])?;
    let (authority, suffix) = (fields.take("authorityHost"), fields.take("vaultSuffix"));
    if authority.is_none() || suffix.is_none() {
        custom.problem("a custom cloud needs both authorityHost and vaultSuffix");
    }
    let authority = authority.and_then(|setting| setting.parse(https_base));
    let suffix = suffix.and_then(|setting| setting.parse(dns_suffix));
    Some((authority?, suffix?))
}

/// A list, or texts separated by commas.
fn suffix_list(setting: Setting<'_>) -> Vec<Option<String>> {
    let Written::Text(text) = setting.written else {
        return setting.items().iter().map(|item| item.parse(dns_suffix)).collect();
    };
    text.split(',').map(|one| setting.parse(|_| dns_suffix(one))).collect()
}

/// Reads the identity; `None` means that a problem was reported.
pub(super) fn identity(setting: &Setting<'_>) -> Option<Identity> {
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
