//! `cloud` and `vaultSuffixes`: which Azure.

use super::{
    Cloud,
    setting::{Setting, Written},
};
use crate::reference::vault_url::{dns_suffix, https_base};

const CLOUDS: &str = "unknown cloud; use public, usgovernment, china or a mapping with custom";

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
